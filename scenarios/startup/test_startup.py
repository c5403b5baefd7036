"""Start-up: how long a backend needs until it serves, and what that takes.

Cold is a new process, in Docker a new container. The harness starts one in every round and times it; there is nothing
to do here but to say what counts. Warm is the same one, stopped in order and started again, with what it left behind.
"""

import pytest

from harness.measure.turn import Turn
from harness.model import Metric

READY = Metric("ready", "s", about="From creating the process to the backend's own mark `ready`.")
FIRST_ANSWER = Metric("first_answer", "s", about="From creating the process to the first good answer.")
CPU = Metric("cpu", "s", about="Processor time until the first good answer: hardly disturbed by other programs.")
MEMORY = Metric("memory", "B", gated=False, about="Largest resident memory until the first good answer.")
SETTLED = Metric("settled", "s", gated=False, about="Until the background optimization has ended; a scaled wait.")


@pytest.mark.scenario
def test_cold_start(turn: Turn) -> None:
    """A fresh process until it is ready, until its first good answer, until its background work has settled."""
    startup = turn.startup("backend")
    turn.record(READY, startup.ready)
    turn.record(FIRST_ANSWER, startup.marks["first_answer"])
    if startup.cpu is not None:
        turn.record(CPU, startup.cpu)
    if startup.peak_memory is not None:
        turn.record(MEMORY, startup.peak_memory)
    if "settled" in startup.marks:
        turn.record(SETTLED, startup.marks["settled"])
    turn.trace("startup", startup.trace())


WARM_READY = Metric("ready", "s", gated=False, about="From the start of the stopped backend to its own mark `ready`.")
WARM_FIRST = Metric("first_answer", "s", gated=False, about="From that start to the first good answer.")


@pytest.mark.scenario(rounds=8)
def test_warm_start(turn: Turn) -> None:
    """Stopped in order and started again. Shown beside the cold start, with fewer rounds; not gated."""
    startup = turn.restart("backend")
    turn.record(WARM_READY, startup.ready)
    turn.record(WARM_FIRST, startup.marks["first_answer"])
    turn.trace("startup", startup.trace())
