"""A real Docker engine, and what the tests make there: all of it carries a session of its own and is removed."""

import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from typing import Any
from uuid import uuid4

import docker
import pytest
from docker.models.containers import Container

from harness.containers import sweep
from harness.containers.labels import Owner


@pytest.fixture(scope="session")
def empty_image(docker_engine: Any) -> Iterator[str]:
    """The id of an image with one file: for containers that run nothing of their own."""
    text = f'FROM scratch\nLABEL before-after.tests={uuid4().hex}\nCMD ["nothing"]\n'  # nobody else's, who removes it
    dockerfile = io.BytesIO(text.encode())
    image, _ = docker_engine.images.build(fileobj=dockerfile, rm=True)
    yield image.id
    docker_engine.images.remove(image.id, force=True)


Program = Callable[[], tuple[subprocess.Popen[str], Owner]]


@pytest.fixture
def program() -> Iterator[Program]:
    """Starts processes that could be a harness, and tells how they name themselves."""
    with ExitStack() as cleanup:

        def start() -> tuple[subprocess.Popen[str], Owner]:
            code = "from harness.containers.labels import Owner; print(Owner.here(), flush=True); input()"
            process = subprocess.Popen(
                [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            cleanup.callback(process.communicate)
            cleanup.callback(process.kill)
            assert process.stdout is not None
            owner = Owner.parse(process.stdout.readline().strip())
            assert owner is not None
            return process, owner

        yield start


@pytest.fixture
def living(program: Program) -> Owner:
    return program()[1]


@pytest.fixture
def dead(program: Program) -> Owner:
    process, owner = program()
    process.kill()
    process.wait()
    return owner


class Things:
    """Makes containers, networks and volumes with given labels and removes them at the end."""

    def __init__(self, client: Any, image: str, cleanup: ExitStack) -> None:
        self.client, self.image, self._cleanup = client, image, cleanup
        self.session = os.urandom(16).hex()

    def labels(self, owner: Owner | str) -> dict[str, str]:
        return {sweep.SESSION: self.session, sweep.OWNER: str(owner)}

    def container(self, owner: Owner | str | None, **options: Any) -> Any:
        """A container that is only created. No owner: somebody else's."""
        labels = {} if owner is None else self.labels(owner)
        container = self.client.containers.create(self.image, **{"labels": labels, **options})
        self._cleanup.callback(gently, container.remove, force=True, v=True)
        return container

    def running(self, owner: Owner | str | None, **options: Any) -> Any:
        """A container in which a program of this machine sleeps."""
        folders = {path: {"bind": path, "mode": "ro"} for path in ("/usr", "/bin", "/lib", "/lib64") if exists(path)}
        container = self.container(owner, command=["/bin/sleep", "600"], volumes=folders, **options)
        container.start()
        return container

    def network(self, owner: Owner | str) -> Any:
        network = self.client.networks.create(f"before-after-test-{os.urandom(4).hex()}", labels=self.labels(owner))
        self._cleanup.callback(gently, network.remove)
        return network

    def volume(self, owner: Owner | str) -> Any:
        volume = self.client.volumes.create(f"before-after-test-{os.urandom(4).hex()}", labels=self.labels(owner))
        self._cleanup.callback(gently, volume.remove, force=True)
        return volume

    def all_of(self, owner: Owner | str) -> list[Any]:
        return [self.container(owner), self.network(owner), self.volume(owner)]


@pytest.fixture
def session_things(docker_engine: Any, empty_image: str) -> Iterator[Things]:
    """Things with the labels of a real session: for what removes one session, by its token."""
    with ExitStack() as cleanup:
        yield Things(docker_engine, empty_image, cleanup)


@pytest.fixture
def things(session_things: Things, monkeypatch: pytest.MonkeyPatch) -> Things:
    """Things under labels of this test's own, which the sweep looks for as well: whatever a test removes of all
    sessions, those that run on this engine meanwhile are not among them."""
    test = os.urandom(4).hex()
    monkeypatch.setattr(sweep, "SESSION", f"before-after-test-{test}.session")
    monkeypatch.setattr(sweep, "OWNER", f"before-after-test-{test}.owner")
    return session_things


def gently(removal: Callable[..., object], **options: object) -> None:
    """Remove what may be gone already."""
    from docker.errors import NotFound

    try:
        removal(**options)
    except NotFound:
        return


def exists(path: str) -> bool:
    return os.path.lexists(path)


def is_there(thing: Any) -> bool:
    """Whether the engine still has the container, network or volume."""
    from docker.errors import NotFound

    try:
        thing.reload()
    except NotFound:
        return False
    return True


Starter = Callable[..., Container]


@pytest.fixture
def start(docker_engine: docker.DockerClient) -> Iterator[Starter]:
    """Create a container that is gone after the test; with ``run=False`` it is not started yet."""
    started: list[Container] = []

    def create(image: str, *, run: bool = True, **options: object) -> Container:
        marked = {"before-after.test": uuid4().hex}
        container = docker_engine.containers.create(image, labels=marked, **options)
        started.append(container)
        if run:
            container.start()
        return container

    yield create
    for container in started:
        with suppress(docker.errors.NotFound):  # the test has removed it
            container.remove(force=True, v=True)
