"""What the HTTP front of the embedded ClickHouse server costs a small statement.

    python -m bench.clickhouse_http [PAIRS]

``SELECT 1`` in turn through the server (a plain HTTP connection, kept open) and on a handle of the engine in this
process; prints the ratio of the two as median and quartiles over the pairs. Large statements cost the same on both.
"""

import http.client
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import chdb

from tests.services.clickhouse_process import running

_WARM_UP = 50


def main(pairs: int) -> None:
    with tempfile.TemporaryDirectory() as folder, _served(Path(folder) / "s") as served, _direct(folder) as direct:
        measured = [(_seconds(served), _seconds(direct)) for _ in range(_WARM_UP + pairs)][_WARM_UP:]
    ratios = [through / alone for through, alone in measured]
    low, middle, high = statistics.quantiles(ratios, n=4)
    print(f"SELECT 1 through HTTP / on a handle: median {middle:.2f} (quartiles {low:.2f} - {high:.2f}, n = {pairs})")
    for name, values in zip(("through HTTP", "on a handle"), zip(*measured, strict=True), strict=True):
        print(f"  {name}: median {statistics.median(values) * 1e3:.2f} ms")


@contextmanager
def _served(data: Path) -> Iterator[Callable[[], None]]:
    with running(data) as server, closing(http.client.HTTPConnection("127.0.0.1", server.port)) as connection:

        def ask() -> None:
            connection.request("POST", "/", b"SELECT 1")
            assert connection.getresponse().read() == b"1\n"

        yield ask


@contextmanager
def _direct(folder: str) -> Iterator[Callable[[], None]]:
    with closing(chdb.connect(str(Path(folder) / "direct"))) as handle:

        def ask() -> None:
            assert handle.query("SELECT 1", "TSV").bytes() == b"1\n"

        yield ask


def _seconds(call: Callable[[], None]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 500)
