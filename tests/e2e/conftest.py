"""The program as a user runs it: a process of its own, on a project of the user's own."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

TINY = Path(__file__).parent.parent / "tiny"
Harness = Callable[..., subprocess.CompletedProcess[str]]


def environment() -> dict[str, str]:
    """What a shell would give: without the variables that the running pytest has set."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV", "CI"))}


def processes_of(folder: Path) -> list[psutil.Process]:
    """Running processes that work in ``folder`` or name it."""
    found = []
    for process in psutil.process_iter():
        try:
            if str(folder) in " ".join(process.cmdline()) or process.cwd().startswith(str(folder)):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return found


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Path]:
    """A project of a user's own, in a folder of its own; whatever still runs there at the end is killed."""
    folder = tmp_path / "tiny"
    shutil.copytree(TINY, folder, ignore=shutil.ignore_patterns("__pycache__"))
    yield folder
    for process in processes_of(folder):
        process.kill()


@pytest.fixture
def harness(tiny: Path) -> Harness:
    """Run ``harness ARGUMENTS`` in the tiny project."""

    def run(*arguments: str, program: str = "harness") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", program, *arguments],
            cwd=tiny,
            env=environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return run
