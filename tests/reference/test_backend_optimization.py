"""The background optimization of the reference backend: done, too late, failed; serving goes on in each case."""

from typing import Any

import pytest

from tests.reference.backend_process import AFTER, BEFORE, SCALE, Backend, ClickHouse, backend

NOW = {"OPTIMIZATION_DELAY": "0", "OPTIMIZATION_RETRY_BACKOFF": "1"}


def settled(running: Backend) -> Any:
    """The report on the optimization when it has ended; the backend serves all the same."""
    running.mark("settled")
    assert running.get("/health/ready")["status"] == "ready"
    assert running.select("SELECT 1")["rows"] == [[1]]
    return running.get("/startup")["optimization"]


def test_it_works_on_the_tables(services: dict[str, str], store: ClickHouse) -> None:
    """Rows written in two parts are in one part afterwards."""
    with backend(services) as running:
        for _ in range(2):
            store.query(
                "INSERT INTO workload_events (user_id, workload_id) SELECT number, 'w' FROM numbers(10)",
                running.database,
            )
        table = f"table = 'workload_events' AND database = '{running.database}'"
        parts = f"SELECT count() FROM system.parts WHERE active AND {table}"
        assert int(store.query(parts)) == 2
        assert running.get("/startup")["optimization"]["state"] == "delayed"
        report = settled(running)
        assert (report["state"], report["attempts"], report["error"]) == ("done", 1, None)
        assert int(store.query(parts)) == 1


@pytest.mark.parametrize(("variant", "delay"), [(BEFORE, 30.0), (AFTER, 60.0)])
def test_it_begins_after_the_delay(services: dict[str, str], variant: dict[str, str], delay: float) -> None:
    with backend(services, variant) as running:
        report = settled(running)
        assert report["state"] == "done"
        waited = (running.mark("settled") - running.mark("ready")) / 1e9 - report["duration"]
        assert waited >= delay * SCALE * 0.99


def test_one_that_is_too_slow_is_stopped(services: dict[str, str]) -> None:
    with backend(services, BEFORE, NOW, OPTIMIZATION_FAULT="slow:1000000", OPTIMIZATION_TIMEOUT="10") as running:
        report = settled(running)
        assert (report["state"], report["attempts"], report["timeouts"], report["failures"]) == ("timed_out", 1, 1, 0)
        assert report["duration"] >= 10 * SCALE
        assert running.logged("Background index optimization timed out after 0.50s") == 1


def test_one_that_is_slow_but_in_time_is_done(services: dict[str, str]) -> None:
    with backend(services, NOW, OPTIMIZATION_FAULT="slow:10", OPTIMIZATION_TIMEOUT="1e6") as running:
        report = settled(running)
        assert (report["state"], report["attempts"]) == ("done", 1)
        assert report["duration"] >= 10 * SCALE


def test_one_that_is_busy_uses_the_processor_and_lets_requests_in_between(services: dict[str, str]) -> None:
    with backend(services, OPTIMIZATION_DELAY="2", OPTIMIZATION_FAULT="busy:20", OPTIMIZATION_TIMEOUT="1e6") as running:
        used = running.get("/health/system")["process"]["cpu_seconds"]
        running.log.wait(lambda line: "Starting background database index optimization" in line)
        assert running.get("/startup")["optimization"]["state"] == "running"
        report = settled(running)
        assert (report["state"], report["attempts"]) == ("done", 1)
        assert report["duration"] >= 20 * SCALE
        assert running.get("/health/system")["process"]["cpu_seconds"] - used > 5 * SCALE


def test_one_that_is_busy_for_too_long_is_stopped(services: dict[str, str]) -> None:
    with backend(services, BEFORE, NOW, OPTIMIZATION_FAULT="busy:1000000", OPTIMIZATION_TIMEOUT="4") as running:
        report = settled(running)
        assert (report["state"], report["timeouts"]) == ("timed_out", 1)


@pytest.mark.parametrize(
    ("fault", "retries", "state", "attempts", "failures"),
    [
        ("fail", "0", "failed", 1, 1),
        ("fail", "2", "failed", 3, 3),
        ("fail_once", "0", "failed", 1, 1),
        ("fail_once", "1", "done", 2, 1),
    ],
)
def test_one_that_fails_is_tried_again_as_often_as_set(
    services: dict[str, str], fault: str, retries: str, state: str, attempts: int, failures: int
) -> None:
    with backend(services, NOW, OPTIMIZATION_FAULT=fault, OPTIMIZATION_RETRIES=retries) as running:
        report = settled(running)
        assert (report["state"], report["attempts"], report["failures"]) == (state, attempts, failures)
        assert running.get("/api/errors")["log_lines"] == {
            "Background index optimization failed: injected by OPTIMIZATION_FAULT": failures
        }
