"""A real Docker engine and the reference system's images, for every test that asks for them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from harness.containers.engine import connect
from harness.errors import HarnessError

ROOT = Path(__file__).parents[1]
BUILD = ROOT / "fixtures" / "reference" / "docker" / "build.py"
REQUIRED = os.environ.get("HARNESS_TEST_DOCKER") == "required"


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[Any]:
    """A client of the engine; skips where none answers, fails when HARNESS_TEST_DOCKER=required."""
    try:
        client = connect()
    except HarnessError as error:
        if REQUIRED:
            pytest.fail(f"HARNESS_TEST_DOCKER=required, but {error}")
        pytest.skip(str(error))
    with closing(client):
        yield client


@pytest.fixture(scope="session")
def images(docker_engine: Any) -> dict[str, str]:
    """The images of the reference system, built if anything changed: name -> tag."""
    done = subprocess.run([sys.executable, BUILD], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return {name: f"before-after/{name}:local" for name in ("base", "backend", "llm", "clickhouse")}
