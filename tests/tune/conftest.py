"""The reference system in a project of its own, and `harness tune` on it as a user runs it."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import environment, processes_of

ROOT = Path(__file__).parents[2]
Tune = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def tune(tmp_path: Path) -> Tune:
    """Run ``harness tune ARGUMENTS``; nothing may be left running."""
    (tmp_path / "harness.toml").write_text(f'system = "{ROOT}/fixtures/reference/system.toml"\n', "utf-8")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "harness", "tune", *arguments],
            cwd=tmp_path,
            env=environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert processes_of(tmp_path) == []
        return done

    return run
