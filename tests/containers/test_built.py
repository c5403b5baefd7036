"""Images that are built or pulled: each session has its own, and whatever the engine does, it ends with one line."""

import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import docker
import pytest

from harness.containers import images, sweep
from harness.containers.container import Specification
from harness.containers.images import Image, built, present
from harness.containers.labels import Owner, image_tag, of_tag
from harness.containers.session import EngineSession
from harness.containers.sweep import leftovers, remove, sweep_dead
from harness.errors import HarnessError
from tests.containers.daemons import forwarding_tcp, socket_path

SESSION = "0123456789abcdef" * 2


@pytest.fixture
def context(tmp_path: Path) -> Path:
    """What nobody has built before."""
    folder = tmp_path / "context"
    folder.mkdir()
    (folder / "Dockerfile").write_text(
        f'FROM scratch\nCOPY told /told\nLABEL before-after.tests={os.urandom(8).hex()}\nCMD ["nothing"]\n'
    )
    (folder / "told").write_text("as it was")
    return folder


def make(context: Path, tag: str) -> Image:
    return built(context, "Dockerfile", {}, tag, "the service", lambda _: None)


def exists(client: Any, name: str) -> bool:
    with suppress(docker.errors.ImageNotFound):
        return bool(client.images.get(name).id)
    return False


def test_a_tag_says_whose_an_image_is() -> None:
    name, _, mark = image_tag("backend-before", SESSION).rpartition(":")
    assert name == "before-after.session/backend-before"
    assert of_tag(mark) == (SESSION, Owner.here())
    assert len(mark) <= 128
    assert of_tag("latest") == ("", None)
    assert of_tag(f"{SESSION}_nobody") == (SESSION, None)


def test_each_session_keeps_its_own_image_until_its_end(docker_engine: Any, context: Path) -> None:
    with EngineSession.opened() as first:
        mine = make(context, first.image_tag("service"))
        with EngineSession.opened() as second:
            same = make(context, second.image_tag("service"))
            assert same.id == mine.id  # the same files are the same image
            (context / "told").write_text("as it is now")
            other = make(context, second.image_tag("service-after"))
            assert other.id != mine.id
            assert exists(docker_engine, mine.id)
        assert exists(docker_engine, mine.id)
        assert not exists(docker_engine, other.id)
    assert not exists(docker_engine, mine.id)


def test_an_image_of_a_dead_harness_is_swept_and_no_other(
    docker_engine: Any, context: Path, dead: Owner, living: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = f"before-after-test-{os.urandom(4).hex()}"
    monkeypatch.setattr(sweep, "IMAGES", repository)
    monkeypatch.setattr(sweep, "SESSION", f"{repository}.session")

    def tag(session: str, owner: Owner) -> str:
        return f"{repository}/service:{session}_{str(owner).replace('/', '_')}"

    left, used = tag(SESSION, dead), tag(SESSION[::-1], living)
    ids = {make(context, one).id for one in (left, used)}
    try:
        assert len(ids) == 1
        assert [str(thing) for thing in leftovers(docker_engine)] == [f"image {repository}/service"]
        assert len(sweep_dead(docker_engine)) == 1
        assert (exists(docker_engine, left), exists(docker_engine, used)) == (False, True)
        assert [thing.id for thing in remove(docker_engine, SESSION[::-1])] == [used]
        assert not exists(docker_engine, ids.pop())
    finally:
        for one in (left, used):
            with suppress(docker.errors.ImageNotFound):
                docker_engine.images.remove(one)


def test_an_image_below_that_has_moved_makes_another_image(docker_engine: Any, context: Path) -> None:
    name = f"before-after-test/{os.urandom(4).hex()}"
    above = context.with_name("above")
    above.mkdir()
    (above / "Dockerfile").write_text(f"FROM {name}:below\nCOPY own /own\n")
    (above / "own").write_text("always the same")
    below, seen = [], []
    try:
        for text in ("one", "two", "two"):
            (context / "told").write_text(text)
            below.append(make(context, f"{name}:below").id)
            seen.append(make(above, f"{name}:above").id)
        assert seen[0] != seen[1] == seen[2]
    finally:
        for image in (*seen, *below):
            with suppress(docker.errors.ImageNotFound):
                docker_engine.images.remove(image, force=True)


def nothing_of(image: str) -> Specification:
    return Specification(
        name="backend",
        stack="after",
        image=image,
        reference="the image",
        port=8000,
        command=None,
        environment={},
        memory="64m",
        pids=10,
        cpus=None,
        cpuset=None,
        capabilities=(),
        user="",
        init=False,
    )


def failed_start(image: str, log: Path, session: EngineSession, network: Any) -> str:
    with pytest.raises(HarnessError) as caught:
        session.start(nothing_of(image), network, log, lambda: None)
    return str(caught.value)


@pytest.mark.usefixtures("docker_engine")
def test_an_image_that_has_vanished_is_not_pulled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pulled: list[str] = []
    monkeypatch.setattr(docker.models.images.ImageCollection, "pull", lambda _, name: pulled.append(name))
    with EngineSession.opened() as session, session.network() as network:
        told = failed_start("sha256:" + "0" * 64, tmp_path / "log", session, network)
    assert "backend: start a container of the image: No such image" in told
    assert pulled == []


def test_other_projects_settings_of_testcontainers_do_not_count(
    empty_image: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with EngineSession.opened() as session, session.network() as network:
        monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")  # as its tc.host does: it sets the variable
        told = failed_start(empty_image, tmp_path / "log", session, network)
    assert '"nothing"' in told  # the program of that image: it has arrived at the engine


def test_an_engine_elsewhere_is_refused(docker_engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with forwarding_tcp(docker_engine.api._custom_adapter.socket_path) as host:
        monkeypatch.setenv("DOCKER_HOST", host)
        with pytest.raises(HarnessError, match="reached over the network") as caught, EngineSession.opened():
            pass
    assert caught.value.code == 12


# An engine that is no good


class Engine:
    """Says its version, has no image, and answers a pull or a build as it is told."""

    def __init__(self, listener: socket.socket, answer: bytes | None) -> None:
        self._listener, self._answer, self._open = listener, answer, list[socket.socket]()

    def serve(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                self._open.append(near)
                threading.Thread(target=self._talk, args=(near,), daemon=True).start()

    def _talk(self, near: socket.socket) -> None:
        with suppress(OSError):
            while request := near.recv(65536):
                if b"/version" in request.partition(b"\r\n")[0]:
                    near.sendall(_json(b"200 OK", {"ApiVersion": "1.41"}))
                elif request.startswith(b"GET"):
                    near.sendall(_json(b"404 Not Found", {"message": "No such image"}))
                elif request.startswith(b"POST") and self._answer is not None:
                    near.sendall(self._answer)
                    near.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        for near in self._open:
            near.close()


def _json(status: bytes, answer: object) -> bytes:
    body = json.dumps(answer).encode()
    return b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)


def _stream(*steps: object, whole: bool = True) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    lines = [json.dumps(step).encode() + b"\r\n" for step in steps]
    return head + b"".join(b"%x\r\n%s\r\n" % (len(line), line) for line in lines) + (b"0\r\n\r\n" if whole else b"")


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    with socket_path() as path, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
        started: list[Engine] = []

        def start(answer: bytes | None) -> docker.DockerClient:
            started.append(Engine(listener, answer))
            threading.Thread(target=started[0].serve, daemon=True).start()
            return docker.from_env(timeout=5)

        yield start
        started[0].close()


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (_stream({"status": "Pulling"}, {"error": "no space left on device"}), r"\(no space left on device\)"),
        (_stream({"status": "Pulling"}, whole=False), r"\(.*(connection|broken|read)"),
        (None, r"\(the engine says nothing for 0.3 s\)"),
    ],
    ids=["full", "lost", "silent"],
)
def test_a_pull_that_fails_says_why(
    answer: bytes | None, says: str, engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "SILENCE", 0.3 if answer is None else 5.0)
    told = rf"the image some/image:1 is not here and cannot be pulled {says}"
    with closing(engine(answer)) as client, pytest.raises(HarnessError, match=told):
        present(client, "some/image:1", lambda _: None)


def test_a_build_has_bounds(context: Path, engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "LONGEST", 0.3)
    with closing(engine(None)), pytest.raises(HarnessError, match=r"the engine is not done after 0\.3 s"):
        make(context, "x:y")


def test_what_a_build_prints_is_made_harmless(context: Path, engine: Any) -> None:
    answer = _stream(
        {"stream": "\x1b[2J::error::x\n"}, {"stream": "::warning::y\npassword=hunter2"}, {"error": "failed\x07"}
    )
    with closing(engine(answer)), pytest.raises(HarnessError) as caught:
        make(context, "x:y")
    text = str(caught.value)
    assert text.replace("\n", "").isprintable()
    assert "hunter2" not in text
    assert "\\x1b[2J::error::x" in text
    assert "\n    \\::warning::y" in text
