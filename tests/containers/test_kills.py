"""Killed anywhere: nothing is left on the engine, no process, no folder; what was measured can be read."""

import signal

import pytest

from tests.containers.kills import WATCHED, in_phase, kill

KILLS = (
    ("images looked at", 1, signal.SIGTERM),
    ("network made", 2, signal.SIGKILL),
    ("container created", 1, signal.SIGINT),
    ("service starting", 5, signal.SIGHUP),
    ("control arms", 1, signal.SIGTERM),
    ("scenario measuring", 1, signal.SIGKILL),
    ("containers stopping", 3, signal.SIGHUP),
    ("results written", 1, signal.SIGINT),
)


@pytest.mark.parametrize(("phase", "times", "number"), KILLS)
@pytest.mark.usefixtures("docker_engine")
def test_a_killed_harness_leaves_nothing(
    phase: str, times: int, number: signal.Signals, images: dict[str, str]
) -> None:
    killed = kill(number, in_phase(phase, times), images["base"])
    assert killed is not None, f"{phase}: was never reached"
    assert killed.left == (), killed
    assert killed.gone < WATCHED, killed
    assert killed.kept >= killed.finished - 1, killed  # one may have been finished and not yet written
    if number == signal.SIGKILL or phase == "images looked at":  # nothing is ours to end in order yet
        assert killed.code == -number, killed
    else:
        assert killed.code == 2, killed
        assert killed.runs == 2, "what was measured is in the run files"
