"""Why there is no Docker engine, in one line; what there is, when there is one."""

import ctypes
import gc
import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import docker
import pytest
import urllib3

from harness.containers.engine import EngineLost, asked, connect, engine_of, images_here, is_local
from harness.errors import ExitCode, HarnessError
from tests.containers.daemons import answering, forwarding_tcp, full, refusing, silent

MISSING = "unix:///nonexistent/docker.sock"
HOSTILE = {"message": "out of\n\x1b[2Jluck ::error:: \u202e password=hunter2 " + "x" * 5000}


def failure(host: str, monkeypatch: pytest.MonkeyPatch, within: float = 0.5) -> str:
    monkeypatch.setenv("DOCKER_HOST", host)
    with pytest.raises(HarnessError) as caught:
        connect(within)
    assert caught.value.code == ExitCode.ENVIRONMENT
    text = str(caught.value)
    assert text.isprintable()
    assert len(text) < 600
    return text


Daemon = Callable[[], AbstractContextManager[str]]


@pytest.mark.parametrize(
    ("daemon", "says"),
    [
        (lambda: nullcontext(MISSING), f"no Docker engine: {MISSING} does not exist; is Docker installed and started?"),
        (refusing, "no Docker engine: nothing answers at {host}; is it started?"),
        (silent, "the Docker engine at {host} does not answer within 0.5 s"),
        (full, "the Docker engine at {host} does not answer within 0.5 s"),
        (lambda: answering({"": {"message": "no room"}}, 500), "the Docker engine at {host} answers 500: no room"),
        (lambda: answering({"": b"<html>login</html>"}), "the Docker engine at {host} cannot be asked: "),
        (lambda: answering({"": {"unknown": 1}}), "the Docker engine at {host} cannot be asked: "),
        (lambda: nullcontext("tcp://127.0.0.1:1"), "the Docker engine at {host} cannot be reached: Connection refused"),
        (lambda: nullcontext("tcp://host.invalid:1"), "the Docker host {host} cannot be reached: "),
        (lambda: nullcontext("nonsense://x"), "the Docker engine at {host} cannot be asked: Invalid bind address"),
        (lambda: nullcontext("ssh://me@host.invalid"), "the Docker engine at ssh://•••@host.invalid cannot be"),
    ],
    ids=["missing", "refusing", "hanging", "full", "500", "html", "json", "tcp", "unknown", "nonsense", "ssh"],
)
def test_the_reasons_are_told_apart(daemon: Daemon, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with daemon() as host:
        assert failure(host, monkeypatch).startswith(says.format(host=host))


def test_a_hanging_engine_costs_what_was_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    with silent() as host:
        start = time.monotonic()
        failure(host, monkeypatch, within=1.0)
        assert 0.9 < time.monotonic() - start < 3.0


def test_what_the_engine_says_is_made_harmless(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering({"": HOSTILE}, 500) as host:
        text = failure(host, monkeypatch)
    assert r"out of \x1b[2Jluck" in text
    assert r"\u202e" in text
    assert "hunter2" not in text


@contextmanager
def another_user() -> Iterator[None]:
    """Files are opened as nobody; root alone can become that, everybody else is somebody already."""
    libc = ctypes.CDLL(None)
    before = libc.setfsuid(65534)
    try:
        yield
    finally:
        libc.setfsuid(before)


def test_a_socket_of_others_is_no_permission(monkeypatch: pytest.MonkeyPatch) -> None:
    with silent() as host:
        path = Path(host.removeprefix("unix://"))
        path.parent.chmod(0o711)
        path.chmod(0o000 if os.getuid() else 0o600)
        monkeypatch.setenv("DOCKER_HOST", host)
        with pytest.raises(HarnessError) as caught, another_user():
            connect(0.5)
    assert str(caught.value) == f"no permission for Docker's socket {host}: is this user in the group docker?"


def test_without_the_libraries_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "docker", None)
    assert "install the extra [docker]" in failure(MISSING, monkeypatch)


def test_the_context_is_honoured_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "contexts" / "meta" / hashlib.sha256(b"far").hexdigest()
    folder.mkdir(parents=True)
    (tmp_path / "config.json").write_text('{"currentContext": "far"}')
    meta = {"Name": "far", "Metadata": {}, "Endpoints": {"docker": {"Host": MISSING, "SkipTLSVerify": False}}}
    (folder / "meta.json").write_text(json.dumps(meta))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    assert failure("", monkeypatch).startswith(f"no Docker engine: {MISSING} does not exist")
    (folder / "meta.json").write_text("{")
    assert "corrupted meta file" in failure("", monkeypatch)


def test_a_failed_call_says_what_was_asked_and_what_was_answered(docker_engine: Any) -> None:
    with pytest.raises(HarnessError) as caught, asked("for the container of the backend"):
        docker_engine.api.inspect_container("before-after-nonexistent")
    assert str(caught.value) == (
        "Docker: for the container of the backend: No such container: before-after-nonexistent"
    )
    assert caught.value.code == ExitCode.ENVIRONMENT


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # docker-py's, where it cannot connect
def test_an_engine_that_falls_silent_or_dies_later_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering({"/version": {"ApiVersion": "1.41"}}) as host:
        monkeypatch.setenv("DOCKER_HOST", host)
        client = connect(0.5)
    with closing(client):
        assert "no connection to the engine: No such file" in _failed_list(client)
    with silent() as host, closing(docker.DockerClient(host, version="1.41", timeout=0.3)) as client:
        assert _failed_list(client) == "Docker: for all: the engine does not answer"
    gc.collect()


def _failed_list(client: Any) -> str:
    with pytest.raises(EngineLost) as caught, asked("for all"):
        client.api.containers()
    return str(caught.value)


@pytest.mark.parametrize(
    ("error", "lost"),
    [
        (docker.errors.APIError("500", explanation=""), False),
        (docker.errors.InvalidArgument("no such limit"), False),
        (docker.errors.NullResource("image or container not provided"), False),
        (PermissionError(13, "Permission denied", "Dockerfile"), False),
        (urllib3.exceptions.ReadTimeoutError(None, "/", "read timed out"), True),
        (ConnectionResetError(104, "Connection reset by peer"), True),
    ],
)
def test_an_engine_is_lost_when_it_does_not_answer_and_not_when_it_refuses(error: Exception, *, lost: bool) -> None:
    with pytest.raises(HarnessError) as caught, asked("for all"):
        raise error
    assert isinstance(caught.value, EngineLost) == lost


def test_mistakes_of_our_own_are_not_taken_for_the_engine() -> None:
    with pytest.raises(KeyError), asked("for nothing"):
        raise KeyError("x")


def test_the_real_engine_says_what_it_is(docker_engine: Any) -> None:
    engine = engine_of(docker_engine)
    info = docker_engine.info()
    assert (engine.version, engine.storage, engine.cores) == (info["ServerVersion"], info["Driver"], info["NCPU"])
    assert engine.api == docker_engine.version()["ApiVersion"]
    assert engine.cgroup in ("1", "2")
    assert engine.memory > 2**28


@pytest.mark.parametrize(
    ("info", "rootless", "cannot", "memory"),
    [
        (
            {"SecurityOptions": ["name=seccomp,profile=default", "name=rootless"], "MemoryLimit": False, "MemTotal": 7},
            True,
            ("memory",),
            7,
        ),
        ({"CpuCfsQuota": False, "PidsLimit": False, "MemoryLimit": True}, False, ("cpus", "processes"), 0),
        (["nonsense"], False, (), 0),
        ({"SecurityOptions": None, "MemTotal": "much", "ServerVersion": {"\x1b": 1}}, False, (), 0),
    ],
    ids=["rootless", "without-limits", "a-list", "other-types"],
)
def test_any_answer_describes_an_engine(
    info: object, *, rootless: bool, cannot: tuple[str, ...], memory: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with answering({"/version": {"ApiVersion": "1.41"}, "/info": info}) as host:
        monkeypatch.setenv("DOCKER_HOST", host)
        with closing(connect(2)) as client:
            engine = engine_of(client)
    assert (engine.rootless, engine.cannot, engine.memory) == (rootless, cannot, memory)
    assert engine.version.isprintable()


def test_images_are_here_or_not(docker_engine: Any, empty_image: str) -> None:
    names = [empty_image, "before-after-tests/nonexistent:1", "Not a Name", empty_image]
    assert images_here(docker_engine, names) == {
        empty_image: True,
        "before-after-tests/nonexistent:1": False,
        "Not a Name": False,
    }


def test_an_engine_that_cannot_tell_has_not_said_that_an_image_is_missing() -> None:
    with answering({"": {"message": "disk on fire"}}, 500) as bad:  # noqa: SIM117 - three at once are not read
        with (
            closing(docker.DockerClient(bad, version="1.41", timeout=2)) as client,
            pytest.raises(HarnessError) as caught,
        ):
            images_here(client, ["x"])
    assert str(caught.value) == "Docker: whether it has the image x: disk on fire"


def test_an_engine_behind_tcp_is_not_of_this_machine_alone(docker_engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_local(docker_engine)
    with forwarding_tcp(docker_engine.api._custom_adapter.socket_path) as host:
        monkeypatch.setenv("DOCKER_HOST", host)
        with closing(connect(5)) as client:
            assert not is_local(client)
