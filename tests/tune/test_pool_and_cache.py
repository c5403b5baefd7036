"""The models of pool and cache, against known results and simulations; their commands on the reference system."""

import heapq
import json
import random
from collections import deque
from pathlib import Path
from statistics import fmean

import pytest

from harness.tune import pool_model
from harness.tune.cache_model import TTLS, Access, predict, replay
from tests.tune.conftest import Tune

ACCESS = Access(rate=2.0, keys=20, skew=1.0)


def closed_queue(callers: int, connections: int, service: float, think: float, queries: int) -> tuple[float, float]:
    """Throughput and mean wait of so many queries, event by event."""
    draw = random.Random(4)
    events = [(draw.expovariate(1 / think), "ask", i) for i in range(callers)]
    heapq.heapify(events)
    free, line, waits, now = connections, deque[float](), [], 0.0
    while len(waits) < queries:
        now, what, caller = heapq.heappop(events)
        if what == "ask":
            line.append(now)
        else:
            free += 1
            heapq.heappush(events, (now + draw.expovariate(1 / think), "ask", caller))
        if free and line:
            free -= 1
            waits.append(now - line.popleft())
            heapq.heappush(events, (now + draw.expovariate(1 / service), "done", caller))
    return queries / now, fmean(waits)


def test_one_caller_never_waits() -> None:
    predicted = pool_model.predict(1, 1, service=0.2, think=0.3)
    assert predicted["wait"] == 0
    assert predicted["throughput"] == pytest.approx(1 / 0.5)


def test_callers_who_do_not_think_keep_all_connections_busy() -> None:
    predicted = pool_model.predict(10, 4, service=0.2, think=1e-9)
    assert predicted["throughput"] == pytest.approx(4 / 0.2)
    assert predicted["wait"] == pytest.approx(10 * 0.2 / 4 - 0.2, rel=1e-6)


def test_many_callers_are_no_overflow() -> None:
    assert pool_model.predict(200, 5, service=0.2, think=0.2)["throughput"] == pytest.approx(5 / 0.2)
    few = pool_model.predict(200, 1, service=3600, think=0.001)
    assert few["wait"] == pytest.approx(199 * 3600, rel=1e-6)


@pytest.mark.parametrize("connections", [1, 2, 4, 8])
def test_the_pool_s_model_is_what_a_simulated_queue_does(connections: int) -> None:
    throughput, wait = closed_queue(8, connections, service=0.2, think=0.3, queries=60_000)
    predicted = pool_model.predict(8, connections, service=0.2, think=0.3)
    assert predicted["throughput"] == pytest.approx(throughput, rel=0.02)
    assert predicted["wait"] == pytest.approx(wait, rel=0.05, abs=1e-9)


@pytest.mark.parametrize("ttl", [1.0, 10.0, 100.0])
def test_the_cache_s_model_is_what_a_simulated_cache_does_in_the_long_run(ttl: float) -> None:
    answers = replay(ACCESS.drawn(50_000.0, random.Random(6)), ttl)
    predicted = predict(ACCESS, ttl)
    assert predicted["hits"] == pytest.approx(fmean(hit for hit, _ in answers), abs=0.01)
    assert predicted["age"] == pytest.approx(fmean(age for _, age in answers), rel=0.02)


def test_a_time_to_live_of_zero_keeps_nothing() -> None:
    assert TTLS[0] == 0
    assert predict(ACCESS, 0.0) == {"age": 0.0, "hits": 0.0}
    assert replay([(0.0, 1), (0.0, 1), (5.0, 1)], 0.0) == [(False, 0.0)] * 3
    assert replay([(0.0, 1), (4.0, 1), (5.0, 1), (6.0, 2)], 5.0) == [(False, 0), (True, 4), (False, 0), (False, 0)]


def test_shares_fall_with_the_rank() -> None:
    shares = ACCESS.shares
    assert sum(shares) == pytest.approx(1.0)
    assert shares[0] == pytest.approx(4 * shares[3])
    assert len(set(Access(1.0, 5, 0.0).shares)) == 1
    assert sum(Access(1.0, 100_000, 1.0).shares) == pytest.approx(1.0)  # in no time


def told(folder: Path, name: str) -> dict[str, object]:
    return json.loads((folder / "reports" / "out" / f"tune-{name}" / f"tune-{name}.json").read_text("utf-8"))


def test_the_pool_is_searched_and_measured(tune: Tune, tmp_path: Path) -> None:
    done = tune("pool", "--callers", "3", "--seconds", "1.5", "--confirm", "1", "--rounds", "1", "--seed", "1")
    assert done.returncode == 0, done.stderr
    found = told(tmp_path, "pool")
    assert [one["predicted"]["connections"] for one in found["variants"]] == [5, 5]
    assert found["tried"] == 3
    for one in found["measured"]:
        assert one["measured"]["connections"]["mean"] == one["model"]["connections"]
        # 5 connections or 3 for 3 callers: nobody waits, whatever was drawn.
        assert one["model"]["throughput"] > 1
        assert one["measured"]["throughput"]["mean"] == pytest.approx(one["model"]["throughput"], rel=0.5)
    assert "POOL_SIZE = " in done.stdout
    assert "with what else `after` says" in done.stdout


def test_the_cache_is_searched_and_measured(tune: Tune, tmp_path: Path) -> None:
    drawn = ("--rate", "0.5", "--keys", "5", "--seconds", "100", "--scale", "0.01", "--seed", "2")
    done = tune("cache", *drawn, "--confirm", "1", "--rounds", "1")
    assert done.returncode == 0, done.stderr
    before, _, picked = told(tmp_path, "cache")["measured"]
    # Its time to live is longer than the requests last: no more of them can be hits.
    assert 0 < before["measured"]["hits"]["mean"] <= before["model"]["hits"]
    assert before["measured"]["hits"]["n"] == picked["measured"]["hits"]["n"] > 20
    assert "CACHE_TTL = " in done.stdout
