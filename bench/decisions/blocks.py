"""One block of requests after the other, each to a process of its own: how users of the other tools measure.

A trace of blocks has one slot, a round for each block, a turn for each request. Nothing differs between blocks, so
every call is a false alarm. Two blocks that follow each other are a comparison at its best: most users have minutes,
days or another machine between the two.
"""

import contextlib
import time

import numpy as np

from bench.decisions.record import CONDITION
from bench.decisions.replay import BLOCK
from bench.decisions.rules import SEQUENTIAL
from bench.decisions.shares import share
from bench.decisions.stand import QUERY_ROWS, ClickHouse, Load, Reading, Started, clickhouse, neighbour, pinned, reading
from bench.decisions.traces import Trace
from bench.machine import describe

REQUESTS = {"http": 8 * BLOCK, "query": 6 * BLOCK}
"""As many values as the rules are given of a trace of rounds."""


def record(seconds: float, *, noisy: bool) -> Trace:
    """Blocks for about ``seconds``, on one core, beside a neighbour if ``noisy``."""
    about, durations = f"{CONDITION[noisy]}; {describe()}", []
    walls: dict[str, list[list[float]]] = {workload: [] for workload in REQUESTS}
    with pinned(), neighbour() if noisy else contextlib.nullcontext(), clickhouse() as database:
        database.query(QUERY_ROWS)  # fills caches, does not count
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            began = time.monotonic()
            server = Started(Load()).wait()
            try:
                for workload in REQUESTS:
                    walls[workload].append(_block(workload, server, database))
            finally:
                server.stop()
            durations.append(time.monotonic() - began)
    values = {f"{workload}_wall": np.array([blocks]) for workload, blocks in walls.items()}
    return Trace(about, (0.0,), np.array(durations), values)


def _block(workload: str, server: Started, database: ClickHouse) -> list[float]:
    """Seconds of the requests of one block, after one that does not count."""
    readings = [_turn(workload, server, database) for _ in range(1 + REQUESTS[workload])]
    return [each.wall for each in readings[1:]]


def _turn(workload: str, server: Started, database: ClickHouse) -> Reading:
    if workload == "query":
        return reading(lambda: database.query(QUERY_ROWS), database.pid)
    return reading(lambda: server.get("/work"), server.pid)


def table(trace: Trace) -> str:
    """What the rules for blocks call, of every block against the next."""
    blocks = len(trace.seconds)
    lines = [
        f"{blocks} blocks of {trace.seconds.mean():.1f} s, each against the next: n = {blocks - 1} a workload",
        "",
        "| rule | " + " | ".join(f"{workload}: called changed, %" for workload in REQUESTS) + " |",
        "| --- |" + " --- |" * len(REQUESTS),
    ]
    for name, rule in SEQUENTIAL.items():
        walls = [trace.values[f"{workload}_wall"][0] for workload in REQUESTS]
        called = [share(rule(*wall[i : i + 2]) != 0 for i in range(blocks - 1)) for wall in walls]
        lines.append(f"| {name} | " + " | ".join(called) + " |")
    return "\n".join(lines)
