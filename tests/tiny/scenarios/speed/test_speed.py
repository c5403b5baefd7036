import pytest

from harness.measure.turn import Turn
from harness.model import Metric

LATENCY = Metric("latency", "s")
READY = Metric("ready", "s", gated=False)


@pytest.mark.scenario(rounds=12, pairs=2)
def test_work(turn: Turn) -> None:
    """How long one piece of work takes."""
    with turn.timed(LATENCY):
        answer = turn.service("backend").get("/work")
    assert answer.status == 200


@pytest.mark.scenario(rounds=12)
def test_start(turn: Turn) -> None:
    """How long a start takes."""
    turn.record(READY, turn.startup("backend").ready)
