"""Records traces: rounds of fresh starts and interleaved turns, every slot at work that it really does."""

import contextlib
import os
import random
import time
from collections.abc import Sequence

import numpy as np

from bench.decisions.stand import ClickHouse, Load, Reading, Started, calibrated, clickhouse, neighbour, pinned, reading
from bench.decisions.traces import CLOCKS, WORKLOADS, Trace
from bench.machine import describe

TURNS = {"http": 8, "query": 6, "retry": 3}
"""Of each slot in a round, besides its cold start."""

CONDITION = {False: "calm", True: "beside a neighbour"}

_Round = dict[str, list[list[Reading]]]
"""Workload -> readings by slot and turn."""


def record(slower: Sequence[float], seconds: float, *, noisy: bool) -> Trace:
    """A trace of about ``seconds`` with one slot for each slowdown, on one core, beside a neighbour if ``noisy``."""
    began = describe()
    with pinned(), neighbour() if noisy else contextlib.nullcontext(), clickhouse() as database:
        loads = [calibrated(share, database) for share in slower]
        _round(loads, database)  # fills caches, does not count
        rounds, durations = [], []
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            started = time.monotonic()
            rounds.append(_round(loads, database))
            durations.append(time.monotonic() - started)
    values = {
        f"{workload}_{clock}": np.array(
            [
                [[getattr(turn, clock) for turn in each[workload][slot]] for each in rounds]
                for slot in range(len(slower))
            ]
        )
        for workload in WORKLOADS
        for clock in CLOCKS
    }
    about = f"{CONDITION[noisy]}; from {began} to load average {os.getloadavg()[0]:.2f}"
    return Trace(about, tuple(slower), np.array(durations), values)


def _round(loads: Sequence[Load], database: ClickHouse) -> _Round:
    slots = list(range(len(loads)))
    found: _Round = {workload: [[] for _ in slots] for workload in WORKLOADS}
    with contextlib.ExitStack() as stop:
        started: dict[int, Started] = {}
        for slot in _drawn(slots):
            started[slot] = Started(loads[slot])
            stop.callback(started[slot].stop)
            found["cold"][slot].append(started[slot].wait().start)
        for server in started.values():
            server.get("/work")  # opens the connection
        for workload, turns in TURNS.items():
            for _ in range(turns):
                for slot in _drawn(slots):
                    found[workload][slot].append(_turn(workload, started[slot], loads[slot], database))
    return found


def _drawn(slots: Sequence[int]) -> list[int]:
    return random.sample(slots, len(slots))


def _turn(workload: str, server: Started, load: Load, database: ClickHouse) -> Reading:
    if workload == "query":
        return reading(lambda: database.query(load.query_rows), database.pid)
    path = "/work" if workload == "http" else "/retry"
    return reading(lambda: server.get(path), server.pid)
