"""The scenarios of the load suite, on a simulated service whose capacity is known: what they record of it."""

import importlib.util
import random
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from harness.load.job import Request
from harness.load.plan import Plan, starts
from harness.load.records import Record, WorkerEnd
from harness.load.runner import Load
from harness.measure.http import Response

FILE = Path(__file__).parents[2] / "scenarios" / "load" / "test_load.py"
Measure = Callable[[str, float], dict[str, float]]


def queue(capacity: float) -> Callable[..., Load]:
    """What `drive` finds of a service that answers one request after the other, ``capacity`` a second."""

    def drive(_: object, plan: Plan, requests: tuple[Request, ...], *, late: float, **__: object) -> Load:
        free, records = 0.0, []
        for start in starts(plan):
            free = max(free, start.at) + 1 / capacity
            in_time = free <= plan.seconds + 5
            ended, outcome = (free, "answered") if in_time else (plan.seconds + 5, "unanswered")
            made = (start.number, requests[0].name, start.segment, 0, start.at, start.at, ended)
            records.append(Record(*made, outcome))  # type: ignore[arg-type] # one of two texts
        return Load(plan, tuple(records), (WorkerEnd(0, 0.01, complete=True),), late)

    return drive


class Service:
    """The backend and the provider, as far as the scenarios ask them."""

    def put(self, *_: object) -> Response:
        return Response(200, {}, b"")

    def delete(self, *_: object) -> Response:
        return Response(200, {}, b"")

    def cpu_seconds(self) -> float:
        return 1.0


@pytest.fixture
def measure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Measure:
    spec = importlib.util.spec_from_file_location("load_scenarios", FILE)
    assert spec is not None
    assert spec.loader is not None
    scenarios: ModuleType = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(scenarios)

    def made(name: str, capacity: float) -> dict[str, float]:
        monkeypatch.setattr(scenarios, "drive", queue(capacity))
        recorded: dict[str, float] = {}
        turn: Any = SimpleNamespace(
            service=lambda _: Service(), random=random.Random(8), stack=SimpleNamespace(logs=tmp_path),
            scenario=f"load/{name}", round=0, side="before",
            record=lambda metric, value: recorded.__setitem__(metric.name, float(value)),
        )  # fmt: skip
        getattr(scenarios, f"test_{name}")(turn)
        return recorded

    return made


@pytest.mark.parametrize("capacity", [150.0, 300.0, 600.0])
def test_the_capacity_is_that_of_the_service_within_what_is_stated(measure: Measure, capacity: float) -> None:
    found = measure("capacity", capacity)
    assert capacity / 1.5 / 1.1 <= found["capacity"] <= capacity * 1.14
    assert found["at_least"] == 0


def test_a_service_that_keeps_no_rate_has_no_capacity(measure: Measure) -> None:
    with pytest.raises(AssertionError, match=r"no rate kept the limit"):
        measure("capacity", 5.0)


def test_a_spike_is_over_when_its_line_is(measure: Measure) -> None:
    found = measure("spike", 160.0)  # about 0.4 s × (320 - 160) a second wait at its end, and go at 160 - 40
    assert found["not_back"] == 0
    assert 0.4 < found["back"] < 1.6
    assert found["p95_spike"] > 0.2


def test_a_service_that_does_not_come_back_is_told_apart(measure: Measure) -> None:
    assert measure("spike", 60.0)["not_back"] == 1


def test_whoever_notices_no_spike_is_back_at_once(measure: Measure) -> None:
    found = measure("spike", 10_000.0)
    assert (found["not_back"], found["back"]) == (0, pytest.approx(1 / 80))


def test_what_is_never_answered_is_a_failure(measure: Measure) -> None:
    assert measure("steady", 10.0)["failures"] > 0
    assert measure("steady", 1000.0)["failures"] == 0


def test_steps_and_a_soak_show_what_grows(measure: Measure) -> None:
    steps = measure("steps", 100.0)
    assert steps["p50_at_40"] < steps["p50_at_80"] < steps["p50_at_160"]
    assert measure("soak", 1000.0)["drift"] == pytest.approx(1, abs=0.1)
