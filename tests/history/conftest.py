"""A project with a history: embedded in a folder, and on a real server of our own."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from harness.history.client import Database, connected
from harness.history.location import Location, location_of
from harness.history.schema import prepare
from tests.history.build import CONFIGURATION
from tests.services.clickhouse_process import Server, running

Harness = Callable[..., subprocess.CompletedProcess[str]]
Open = Callable[[], AbstractContextManager[Database]]
BOUND = 120.0


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "harness.toml").write_text(CONFIGURATION)
    return tmp_path


@pytest.fixture
def reports(project: Path) -> Path:
    return project / "reports"


@pytest.fixture
def harness(project: Path) -> Harness:
    """Run ``harness history ARGUMENTS`` in the project as a user does: in a process of its own."""

    def start(
        *arguments: str, environment: Mapping[str, str] | None = None, without: str = ""
    ) -> subprocess.CompletedProcess[str]:
        hidden = f"import sys; sys.modules[{without!r}] = None; from harness.cli import main; main()"
        program = ["-c", hidden] if without else ["-m", "harness"]
        return subprocess.run(
            [sys.executable, *program, "history", *arguments],
            cwd=project,
            env={name: value for name, value in os.environ.items() if not name.startswith("HARNESS")}
            | dict(environment or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=BOUND,
            check=False,
        )

    return start


@pytest.fixture(scope="session")
def clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("clickhouse")) as server:
        yield server


@pytest.fixture
def url(clickhouse: Server, request: pytest.FixtureRequest) -> str:
    """A database of the test's own on the server."""
    name = "".join(c if c.isalnum() else "_" for c in request.node.name)
    with clickhouse.client() as client:
        client.command(f"CREATE DATABASE `{name}`")
    return f"clickhouse://127.0.0.1:{clickhouse.port}/{name}"


@pytest.fixture(params=["folder", "server"])
def opened(request: pytest.FixtureRequest, reports: Path) -> Open:
    """Opens the history, embedded and on a server: every test with it runs on both."""
    where = request.getfixturevalue("url") if request.param == "server" else ""
    return opener(location_of(reports, where))


def opener(location: Location) -> Open:
    @contextmanager
    def start() -> Iterator[Database]:
        with connected(location) as database:
            prepare(database)
            yield database

    return start


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """One embedded history for all tests of a module that take it."""
    with opener(location_of(tmp_path_factory.mktemp("embedded"), ""))() as database:
        yield database
