"""What tests that need Docker share. Where no engine answers they are skipped, or fail if one was promised."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import docker
import pytest
import requests
from docker.models.containers import Container

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "fixtures" / "reference" / "docker" / "build.py"


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[docker.DockerClient]:
    """A client of the engine that answers; HARNESS_TEST_DOCKER=required makes its absence a failure."""
    try:
        client = docker.from_env(timeout=60)
        client.ping()
    except (docker.errors.DockerException, requests.RequestException) as error:
        reason = f"no Docker engine answers: {error}"
        if os.environ.get("HARNESS_TEST_DOCKER") == "required":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    yield client
    client.close()


@pytest.fixture(scope="session")
def images(docker_engine: docker.DockerClient) -> dict[str, str]:
    """The images of the reference system, built if anything changed: name -> tag."""
    done = subprocess.run([sys.executable, BUILD], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return {name: f"before-after/{name}:local" for name in ("base", "backend", "llm", "clickhouse")}


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
