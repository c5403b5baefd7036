"""What happens to one container that runs: what it is taken for, and what is known of it."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from harness.containers import cgroup, container
from harness.containers.cgroup import is_of
from harness.containers.container import ServiceContainer, Specification
from harness.containers.session import EngineSession
from harness.errors import HarnessError

SLEEPS = "import time; time.sleep(600)"
CHILD_EATS = """
import os, time
if os.fork() == 0:
    with open("/proc/self/oom_score_adj", "w") as score:
        score.write("1000")
    kept = [bytearray(2**20) for _ in range(10**6)]
time.sleep(600)
"""
Starting = Callable[[str], tuple[ServiceContainer, threading.Event]]


@pytest.fixture
def service(images: dict[str, str], tmp_path: Path) -> Iterator[Starting]:
    """Starts a container with a program; the event is set when there is trouble."""
    with ExitStack() as cleanup:
        session = cleanup.enter_context(EngineSession.opened())
        network = cleanup.enter_context(session.network())

        def start(program: str) -> tuple[ServiceContainer, threading.Event]:
            what = Specification(
                name="backend",
                stack="after",
                image=session.client.images.get(images["base"]).id,
                reference=images["base"],
                port=8000,
                command=("python3", "-c", program),
                environment={},
                memory="32m",
                pids=10,
                cpus=None,
                cpuset=None,
                capabilities=(),
                user="",
                init=True,
            )
            trouble = threading.Event()
            started = session.start(what, network, tmp_path / "log", trouble.set)
            cleanup.callback(started.stop, 0)
            return started, trouble

        yield start


def ends_with(service: ServiceContainer, trouble: threading.Event, cause: str) -> None:
    assert trouble.wait(20)
    with pytest.raises(HarnessError, match=cause):
        service.check_alive()


def test_a_pause_that_is_over_is_a_pause(service: Starting) -> None:
    running, trouble = service(SLEEPS)
    running._wrapped.pause()
    running._wrapped.unpause()
    ends_with(running, trouble, "backend was paused by somebody after")


def test_a_child_that_runs_out_of_memory_is_trouble(service: Starting) -> None:
    running, trouble = service(CHILD_EATS)
    ends_with(running, trouble, r"backend ran out of memory in one of its processes \(limit 32m\) after")


def test_what_runs_on_this_machine_is_known_by_its_control_group(service: Starting) -> None:
    running, _ = service(SLEEPS)
    assert running.here
    assert running.cpu_seconds() is not None
    assert {"started", "process"} <= running.moments.keys()
    assert not is_of(os.getpid(), running.id)


def test_of_a_process_that_is_somebody_elses_nothing_is_told(
    service: Starting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(container, "is_of", lambda _pid, _container: False)
    running, _ = service(SLEEPS)
    assert (running.cpu_seconds(), running.peak_memory()) == (None, None)
    assert "process" not in running.moments


def test_an_engine_that_does_not_tell_a_start_has_none(service: Starting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "nanoseconds", lambda _: None)
    running, _ = service(SLEEPS)
    assert running.moments.keys() == {"process"}


def test_a_users_proxy_is_none_of_a_services(
    service: Starting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxies = {"default": {"httpProxy": "http://proxy.invalid:1", "noProxy": "x"}}
    (tmp_path / "config.json").write_text(json.dumps({"proxies": proxies}))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    running, _ = service(SLEEPS)
    assert "proxy.invalid" not in str(running._wrapped.attrs["Config"]["Env"])


def test_settings_of_testcontainers_for_other_projects_do_not_count(docker_engine: Any, tmp_path: Path) -> None:
    (tmp_path / ".testcontainers.properties").write_text("tc.host=tcp://127.0.0.1:1\n")
    code = (
        "from harness.containers.session import EngineSession\n"
        "with EngineSession.opened() as session, session.network() as network:\n"
        "    print(session.client.networks.get(network.id).name == network.name)\n"
    )
    surroundings = {"HOME": str(tmp_path), "DOCKER_HOST": f"unix://{docker_engine.api._custom_adapter.socket_path}"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | surroundings,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == "True\n", done.stderr


def test_a_number_may_be_anybodys(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "cgroup").write_text("0::/system.slice/docker-abc.scope\n")
    assert is_of(7, "abc", tmp_path)
    assert not is_of(7, "abd", tmp_path)
    assert not is_of(8, "abc", tmp_path)
    assert cgroup.control_group(8, tmp_path) == cgroup.ControlGroup(None, None)
