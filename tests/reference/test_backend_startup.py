"""Start-up, health, settings and the orderly end of the reference backend."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.reference.backend_process import (
    AFTER,
    BOUND,
    FOLDER,
    PASSWORD,
    SCALE,
    USER,
    Backend,
    backend,
    clickhouse,
    free_port,
    until,
)
from tests.services.llm_process import RunningProvider

NOW = {"OPTIMIZATION_DELAY": "0"}


@pytest.mark.parametrize("fault", ["none", "fail"])
def test_marks_come_in_order_and_once(services: dict[str, str], fault: str) -> None:
    with backend(services, NOW, OPTIMIZATION_FAULT=fault) as running:
        running.mark("settled")
        names = ["exec", "imported", "listening", "ready", "settled"]
        assert running.marks() == names
        times = [running.mark(name) for name in names]
        assert times == sorted(times)


def test_the_timeline_shows_every_component(after: Backend) -> None:
    timeline = after.get("/startup")
    assert timeline["state"] == "complete"
    components = timeline["components"]
    assert [(c["name"], c["priority"]) for c in components] == [
        ("clickhouse", "CRITICAL"),
        ("llm_client", "HIGH"),
        ("metrics_writer", "MEDIUM"),
        ("background_optimization", "LOW"),
    ]
    for component in components:
        assert component["status"] == "done"
        assert component["retry_count"] == 0
        assert component["started_after"] >= 0
        assert component["started_after"] + component["duration"] <= timeline["elapsed"]


def test_health_of_a_ready_backend(after: Backend) -> None:
    assert after.get("/health")["status"] == "healthy"
    assert after.get("/health/live")["status"] == "alive"
    ready = after.get("/health/ready")
    assert (ready["status"], ready["details"]) == ("ready", {"startup": "complete", "problem": None})
    process = after.get("/health/system")["process"]
    assert process["pid"] == after.process.pid
    assert process["cpu_seconds"] > 0
    assert process["peak_memory"] > 1 << 20


def test_it_listens_while_it_starts_up_and_stops_in_the_middle_of_it() -> None:
    """A ClickHouse that accepts and says nothing holds the start-up in its first component."""
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        backend(ready=False, CLICKHOUSE_PORT=str(silent.getsockname()[1])) as starting,
    ):
        assert starting.get("/health/live")["status"] == "alive"
        assert starting.get("/health/ready", 503)["details"]["startup"] == "in_progress"
        timeline = starting.get("/startup")
        assert [c["status"] for c in timeline["components"]] == ["running", "pending", "pending", "pending"]
        assert timeline["optimization"]["state"] == "pending"
        assert starting.stop() == 0
        assert "ready" not in starting.marks()


def test_a_start_up_without_clickhouse_is_retried_then_failed_and_said_so() -> None:
    with backend(ready=False, CLICKHOUSE_PORT=str(free_port()), TIME_SCALE="0.001") as failing:
        until(lambda: failing.get("/startup")["state"] == "failed")
        first, *others = failing.get("/startup")["components"]
        assert (first["status"], first["retry_count"]) == ("failed", 3)
        assert first["error"]
        assert {other["status"] for other in others} == {"pending"}
        assert failing.get("/health/ready", 503)["details"]["problem"] == "startup failed"
        assert failing.get("/health/live")["status"] == "alive"
        assert any("Failed to initialize clickhouse" in kind for kind in failing.get("/api/errors")["log_lines"])
        assert failing.marks() == ["exec", "imported", "listening"]


def test_losing_clickhouse_ends_readiness_and_its_return_brings_it_back(tmp_path: Path) -> None:
    port = free_port()
    access = {"CLICKHOUSE_PORT": str(port), "CLICKHOUSE_USER": USER, "CLICKHOUSE_PASSWORD": PASSWORD}
    with clickhouse(port, tmp_path):
        running = backend(access)
        left = running.__enter__()
        assert left.get("/health/ready")["status"] == "ready"
    try:
        assert left.get("/health/ready", 503)["details"]["startup"] == "complete"
        assert left.get("/health/live")["status"] == "alive"
        assert "ClickHouse" in left.select("SELECT 1", 503)["error"]
        with clickhouse(port, tmp_path):
            assert left.get("/health/ready")["status"] == "ready"
            assert left.select("SELECT 1")["rows"] == [[1]]
        left.select("SELECT 2", 503)
        assert left.stop() == 0
        left.log.wait(lambda line: "ERROR" in line and "Query metrics not written" in line)
    finally:
        running.__exit__(None, None, None)


def test_sigterm_ends_it_with_code_0_although_a_call_hangs(services: dict[str, str], provider: RunningProvider) -> None:
    provider.script(then="hang")
    body = b'{"prompt": "?"}'
    head = f"POST /api/llm HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with (
        backend(services, TIME_SCALE="1") as running,
        socket.create_connection(("127.0.0.1", running.http.base_url.port), BOUND) as caller,
    ):
        caller.sendall(head + body)
        until(lambda: len(provider.calls()) == 1)
        assert running.stop() == 0


def test_the_last_metrics_are_written_at_the_end(services: dict[str, str], after: Backend) -> None:
    with backend(services) as running:
        running.select("SELECT 1", run_id="last words")
        assert running.stop() == 0
    sql = f"SELECT count() AS n FROM {running.database}.query_metrics WHERE run_id = 'last words'"
    assert after.select(sql)["rows"] == [[1]]


def test_settings_are_told_as_they_are_in_effect(before: Backend, after: Backend) -> None:
    """Nothing but what the variants set differs; what was not set has its default."""
    one, other = before.get("/api/llm/settings"), after.get("/api/llm/settings")
    assert {name for name in one if one[name] != other[name]} == AFTER.keys() | {"CLICKHOUSE_DB"}
    for name, text in AFTER.items():
        assert str(other[name]).lower().removesuffix(".0") == text
    assert (one["LLM_MAX_RETRIES"], one["LLM_BASE_DELAY"], one["LLM_EXPONENTIAL_BASE"]) == (3, 1.0, 2.0)
    assert (one["OPTIMIZATION_DELAY"], one["OPTIMIZATION_TIMEOUT"], one["OPTIMIZATION_RETRIES"]) == (30, 120, 0)
    assert one["TIME_SCALE"] == SCALE
    assert PASSWORD not in json.dumps(one)


@pytest.mark.parametrize(
    ("variable", "value", "allowed"),
    [
        ("LLM_MAX_RETRIES", "many", "a whole number from 1 to 100"),
        ("LLM_MAX_RETRIES", "0", "a whole number from 1 to 100"),
        ("TIME_SCALE", "nan", "a number from 1e-06 to 1000"),
        ("LLM_USE_FALLBACK", "perhaps", "true or false"),
        ("OPTIMIZATION_FAULT", "slow", "none, fail, fail_once, slow:SECONDS or busy:SECONDS"),
        ("CLICKHOUSE_DB", "a`b", "a name of letters, digits and underscores"),
        ("LOG_LEVEL", "\x1b[2J", "one of INFO, DEBUG, WARNING, ERROR"),
    ],
)
def test_a_setting_that_is_not_allowed_is_refused_in_one_line(variable: str, value: str, allowed: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "backend"],
        cwd=FOLDER,
        env={variable: value},
        capture_output=True,
        text=True,
        timeout=BOUND,
    )
    assert done.returncode == 2
    assert done.stderr == f"backend: {variable}: {value!r} is not allowed; allowed is {allowed}\n"


def test_a_port_that_is_taken_is_an_error(services: dict[str, str], after: Backend) -> None:
    port = after.http.base_url.port
    done = subprocess.run(
        [sys.executable, "-m", "backend", "--port", str(port)],
        cwd=FOLDER,
        env=services,
        capture_output=True,
        text=True,
        timeout=BOUND,
    )
    assert done.returncode == 3
    assert "address already in use" in done.stderr
    assert '"listening"' not in done.stdout


def test_no_input_forges_a_log_line(after: Backend) -> None:
    after.http.get("/nowhere/%0A2030-01-01 | ERROR | forged%1B[2J")
    line = after.log.wait(lambda line: "forged" in line)
    assert line.startswith("20")
    assert "\\n2030" in line
    assert "\x1b" not in line
