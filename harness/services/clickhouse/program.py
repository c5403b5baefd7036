"""The program around the server: options, and one line for every mistake."""

import argparse
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from harness import marks
from harness.errors import ExitCode, HarnessError

STOP_SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT})


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the server until SIGTERM or SIGINT; the exit code. Mistakes and failures are one line on standard error."""
    # Before any thread exists, because all inherit it: the signals wait until the server asks for them.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        options = _options(arguments)
        serve = _load()
        marks.emit("imported")
        serve(options.host, options.port, options.data.absolute(), STOP_SIGNALS)
    except HarnessError as error:
        sys.stderr.write(f"clickhouse: {error}\n")
        return error.code
    return ExitCode.OK


def _load() -> Callable[[str, int, Path, frozenset[signal.Signals]], None]:
    """The server with its engine, which is large and optional."""
    try:
        from harness.services.clickhouse.serving import serve
    except ImportError as error:
        raise HarnessError(f"{error}: pip install 'pytest-before-after[embedded]'") from error
    return serve


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise HarnessError(f"{message} (see --help)", ExitCode.USAGE)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = _Parser(
        prog="python -m harness.services.clickhouse", description="A ClickHouse server in a process of its own."
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=_port, default=8123, help="port to listen on (default: %(default)s)")
    parser.add_argument("--data", type=Path, required=True, help="folder for the data; created if needed")
    return parser.parse_args(arguments)


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: use 1 to 65535")
    return int(text)
