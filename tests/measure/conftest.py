"""Real processes for the tests of measuring, each ended with the test."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from harness.configuration.load import Project, load
from harness.measure.local_stack import LocalStack
from harness.measure.variants import configured
from harness.measure.watchdog import Watchdog

TINY = Path(__file__).parent.parent / "tiny"


@pytest.fixture
def watchdog() -> Iterator[Watchdog]:
    with Watchdog() as dog:
        yield dog


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A project of a user's own: one service, two variants, two scenarios."""
    folder = tmp_path / "tiny"
    shutil.copytree(TINY, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.fixture
def project(tiny: Path) -> Project:
    return load(tiny / "harness.toml")


class Stacks:
    """Makes stacks and closes them."""

    def __init__(self, folder: Path, watchdog: Watchdog, cleanup: ExitStack) -> None:
        self.folder, self.watchdog, self.cleanup = folder, watchdog, cleanup

    def open(self, project: Project, origin: str = "before") -> LocalStack:
        variant = configured(project, origin)
        stack = LocalStack(
            project, "before", variant, folder=self.folder, secret="correct horse", watchdog=self.watchdog
        )
        self.cleanup.callback(stack.close)
        stack.open()
        return stack


@pytest.fixture
def stacks(tmp_path: Path, watchdog: Watchdog) -> Iterator[Stacks]:
    with ExitStack() as cleanup:
        yield Stacks(tmp_path, watchdog, cleanup)
