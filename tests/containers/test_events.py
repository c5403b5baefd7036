"""What a container's fate is, from the engine's events; the real stream is in test_faults and test_docker_stack."""

import subprocess
import sys
from contextlib import closing
from typing import Any

import pytest

from harness.containers import events as events_module
from harness.containers.engine import EngineLost, connect
from harness.containers.events import Events, Fate
from tests.containers.engine_proxy import EngineProxy


def events() -> Events:
    return Events(client=None, label="before-after.session=00")


def happened(action: str, at: int = 1, **attributes: str) -> dict[str, Any]:
    return {"Action": action, "timeNano": at, "Actor": {"ID": "abc", "Attributes": attributes}}


@pytest.mark.parametrize(
    ("actions", "fate", "calls"),
    [
        (["create", "start"], Fate(starts=1), 0),
        (["start", "die"], Fate(starts=1, died=True, exit_code=137), 1),
        (["start", "oom"], Fate(starts=1, out_of_memory=True), 1),
        (["start", "oom", "die"], Fate(starts=1, died=True, out_of_memory=True, exit_code=137), 2),
        (["start", "pause"], Fate(starts=1, paused=True), 1),
        (["start", "pause", "unpause"], Fate(starts=1, paused=True), 1),
        (["start", "start"], Fate(starts=2), 1),
        (["start", "destroy"], Fate(starts=1, removed=True), 1),
    ],
)
def test_the_fate_of_a_container(actions: list[str], fate: Fate, calls: int) -> None:
    seen, troubles = events(), []
    seen.watch("abc", lambda: troubles.append(1))
    for action in actions:
        seen._notice(happened(action, exitCode="137"))
    assert seen.fate("abc") == fate
    assert len(troubles) == calls
    assert seen.fate("somebody else's") == Fate()


def test_what_we_do_ourselves_is_no_trouble() -> None:
    seen, troubles = events(), []
    seen.watch("abc", lambda: troubles.append(1))
    seen._notice(happened("start", at=10))
    seen.forget("abc")
    seen._notice(happened("die", at=20))
    seen.renew("abc", since=30)
    seen._notice(happened("die", at=25))  # told late
    seen.watch("abc", lambda: troubles.append(2))
    seen._notice(happened("start", at=35))
    assert seen.fate("abc") == Fate(since=30, starts=1)
    assert troubles == []
    seen._notice(happened("die", at=40))
    assert troubles == [2]


@pytest.mark.usefixtures("docker_engine")
def test_a_stream_that_does_not_begin_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events_module, "ANSWER_SECONDS", 0.3)
    with EngineProxy() as proxy:
        monkeypatch.setenv("DOCKER_HOST", proxy.url)
        with closing(Events(connect(), "before-after.session=00")) as following:
            proxy.freeze()
            with pytest.raises(EngineLost, match="its events: the engine does not answer"):
                following.open()


def test_nothing_of_docker_is_loaded_without_being_asked_for() -> None:
    code = "import sys, harness.scenarios, harness.cli.run; print({'docker', 'testcontainers'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "set()\n"
