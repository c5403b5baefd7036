"""Stacks of real processes: start-up as it was seen, deaths named, nothing left."""

import json
import os
import time
from pathlib import Path

import psutil
import pytest

from harness.configuration.load import Project, load
from harness.errors import HarnessError
from harness.measure.startup import POLL
from tests.measure.conftest import Stacks


def with_settings(project: Project, **settings: str) -> Project:
    """The project, its backend started with these settings too."""
    text = project.file.read_text("utf-8")
    extra = "".join(f', {name} = "{value}"' for name, value in settings.items())
    project.file.write_text(text.replace('TOKEN = "{secret}"', 'TOKEN = "{secret}"' + extra), "utf-8")
    return load(project.file)


def test_a_foreign_backend_is_timed_by_requests_alone(project: Project, stacks: Stacks) -> None:
    stack = stacks.open(with_settings(project, DELAY="0.2"))
    startup = stack.restart()["backend"]
    assert list(startup.marks) == ["created", "started", "port", "live", "ready_seen", "first_answer"]
    assert startup.ready == startup.marks["ready_seen"] >= 0.2
    assert startup.cpu is not None
    assert 0 < startup.cpu < startup.marks["first_answer"] * os.cpu_count()  # type: ignore[operator]
    assert startup.peak_memory is not None
    assert startup.peak_memory > 2**20


def test_marks_that_a_process_prints_come_before_what_requests_see(project: Project, stacks: Stacks) -> None:
    startup = stacks.open(with_settings(project, MARKS="1")).restart()["backend"]
    marks = ["created", "started", "exec", "listening", "port", "live", "ready_seen", "first_answer"]
    assert sorted(startup.marks, key=marks.index) == marks
    assert list(startup.marks.values()) == sorted(startup.marks.values())
    assert startup.marks["live"] >= startup.marks["port"]
    assert POLL == 0.01  # what the report states as the resolution


def test_every_restart_is_another_process(project: Project, stacks: Stacks) -> None:
    stack = stacks.open(project)
    pids = set()
    for _ in range(3):
        stack.restart()
        pids.add(stack.service("backend").process.pid)
    assert len(pids) == 3
    assert sum(psutil.pid_exists(pid) for pid in pids) == 1


def test_a_warm_start_is_a_new_process_on_the_same_data(project: Project, stacks: Stacks) -> None:
    stack = stacks.open(project)
    stack.restart()
    old = stack.service("backend").process.pid
    startup = stack.restart_warm("backend")
    new = stack.service("backend").process.pid
    assert new != old
    assert not psutil.pid_exists(old)
    assert list(startup.marks) == ["created", "started", "port", "live", "ready_seen", "first_answer"]
    assert stack.service("backend").get("/work").status == 200
    stack.end_round()
    with pytest.raises(HarnessError, match="no running service 'backend'"):
        stack.restart_warm("backend")


def test_settings_reach_the_service_and_the_callers_environment_does_not(
    project: Project, stacks: Stacks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    stack = stacks.open(project, "after")
    stack.restart()
    environment = json.loads(stack.service("backend").get("/environment").body)
    assert environment["WORK"] == "0.02"
    assert environment["TOKEN"] == "correct horse"
    assert "AWS_SECRET_ACCESS_KEY" not in environment
    assert stack.variant.settings["backend"]["TOKEN"] == "{secret}"  # what is written down holds no password


def test_a_service_that_exits_is_named_with_code_and_last_lines(project: Project, stacks: Stacks) -> None:
    stack = stacks.open(with_settings(project, FAULT="exit"))
    with pytest.raises(HarnessError, match=r"backend exited with code 3 .*(?s:.)*cannot go on: no configuration"):
        stack.restart()


def test_a_service_that_never_gets_ready_is_named_with_its_answer(project: Project, stacks: Stacks) -> None:
    project = with_settings(project, FAULT="never")
    text = project.file.read_text("utf-8").replace("stop_within = 2", "stop_within = 2\nready_within = 0.5")
    project.file.write_text(text, "utf-8")
    with pytest.raises(HarnessError, match=r"backend was not ready in time: GET /ready got status 503: 'not yet'"):
        stacks.open(load(project.file)).restart()


def test_a_service_that_dies_midway_is_named(project: Project, stacks: Stacks) -> None:
    stack = stacks.open(project)
    stack.restart()
    with pytest.raises(ConnectionError):
        stack.service("backend").get("/die")
    process = psutil.Process(stack.service("backend").process.pid)
    while process.status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    with pytest.raises(HarnessError, match=r"backend exited with code 7 .*(?s:.)*about to die"):
        stack.check_alive()


def test_a_command_that_does_not_exist_is_named(project: Project, stacks: Stacks) -> None:
    text = project.file.read_text("utf-8").replace('"{python}", "service.py"', '"no-such-program"')
    project.file.write_text(text, "utf-8")
    with pytest.raises(HarnessError, match=r"backend: cannot start 'no-such-program' in .*: No such file"):
        stacks.open(load(project.file)).restart()


def test_children_of_a_service_end_with_it(project: Project, stacks: Stacks) -> None:
    stack = stacks.open(project)
    stack.restart()
    child = psutil.Process(int(stack.service("backend").get("/child").body))
    stack.end_round()
    _, alive = psutil.wait_procs([child], timeout=10)
    assert alive == []


def test_the_work_of_children_counts(project: Project, stacks: Stacks) -> None:
    stack = stacks.open(project)
    stack.restart()
    process = stack.service("backend").process
    alone = process.peak_memory()
    stack.service("backend").get("/child")
    assert alone is not None
    end = time.monotonic() + 30
    while (process.peak_memory() or 0) < alone + 2**20:
        assert time.monotonic() < end
        time.sleep(0.01)


def test_no_two_services_get_one_port(project: Project, stacks: Stacks) -> None:
    ports = [stacks.open(project)._values["backend.port"] for _ in range(50)]
    assert len(set(ports)) == 50


def test_a_log_that_cannot_be_written_does_not_stop_the_service(project: Project, stacks: Stacks) -> None:
    stack = stacks.open(with_settings(project, MARKS="1"))
    stack.logs = Path("/dev/null/nowhere")
    assert "listening" in stack.restart()["backend"].marks


def test_logs_are_kept(project: Project, stacks: Stacks, tmp_path: Path) -> None:
    stack = stacks.open(with_settings(project, MARKS="1"))
    stack.restart()
    stack.close()
    assert '"mark": "listening"' in (tmp_path / "before-backend.log").read_text("utf-8")


def test_a_service_that_hangs_up_when_asked_for_its_engine_is_one_sentence(project: Project, stacks: Stacks) -> None:
    text = project.file.read_text("utf-8").replace('ready = "/ready"', 'ready = "/ready"\nengine = "/die"')
    project.file.write_text(text, "utf-8")
    stack = stacks.open(load(project.file))
    stack.restart()
    with pytest.raises(HarnessError, match=r"backend exited with code 7|backend: http://.*/die does not answer: "):
        stack.engines()


def test_another_instance_runs_beside_with_its_own_settings(project: Project, stacks: Stacks) -> None:
    stack = stacks.open(with_settings(project, DELAY="0"))
    stack.restart()
    first = stack.service("backend")
    with stack.another("backend", {"WORK": 0, "EXTRA": True}, settled=True) as (other, startup):
        told = json.loads(other.get("/environment").body)
        assert (told["WORK"], told["EXTRA"], told["DELAY"]) == ("0", "true", "0")
        assert told["TOKEN"] == json.loads(first.get("/environment").body)["TOKEN"]
        assert startup.ready > 0
        with stack.another("backend", {}, settled=False) as (third, _):
            assert len({first.port, other.port, third.port}) == 3
        pid = other.process.pid
    assert not psutil.pid_exists(pid)
    assert first.get("/work").status == 200
    with pytest.raises(HarnessError, match="no running service 'backend-2'"):
        stack.service("backend-2")


def test_another_instance_finds_no_data_of_an_earlier_one(project: Project, stacks: Stacks) -> None:
    stack = stacks.open(project)
    stack.restart()
    for _ in range(2):
        with stack.another("backend", {"WHERE": "{data}"}, settled=False) as (other, _startup):
            folder = Path(json.loads(other.get("/environment").body)["WHERE"])
            assert list(folder.iterdir()) == []
            (folder / "left").touch()


def test_another_instance_that_does_not_come_up_is_told_and_gone(project: Project, stacks: Stacks) -> None:
    stack = stacks.open(project)
    stack.restart()
    with (
        pytest.raises(HarnessError, match="backend-2 exited with code 3"),
        stack.another("backend", {"FAULT": "exit"}, settled=True),
    ):
        pass
    stack.check_alive()
    with (
        pytest.raises(ZeroDivisionError),
        stack.another("backend", {}, settled=True) as (other, _),
    ):
        1 / 0  # noqa: B018
    assert not psutil.pid_exists(other.process.pid)
