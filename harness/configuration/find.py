"""Find the configuration, without what it takes to check one: two files can be compared where there is none."""

import tomllib
from pathlib import Path
from typing import Any

from harness.errors import ExitCode, HarnessError


def find(start: Path) -> Path:
    """The nearest ``harness.toml``, or ``pyproject.toml`` with a ``[tool.harness]`` table, from ``start`` upwards.

    Raises HarnessError (4) when there is none, or when it cannot be known as a file cannot be read.
    """
    file = nearest(start)
    if file is None:
        message = f"no configuration: neither harness.toml nor pyproject.toml with [tool.harness] in {start} or above"
        raise HarnessError(message, ExitCode.USAGE)
    return file


def nearest(start: Path) -> Path | None:
    """The same, or None when there is none: one that cannot be read is not taken for none."""
    for folder in (start, *start.parents):
        if (folder / "harness.toml").is_file():
            return folder / "harness.toml"
        pyproject = folder / "pyproject.toml"
        if pyproject.is_file() and "harness" in read_toml(pyproject).get("tool", {}):
            return pyproject
    return None


def read_toml(file: Path) -> dict[str, Any]:
    """What stands in ``file``. Raises HarnessError (4)."""
    try:
        with file.open("rb") as stream:
            return tomllib.load(stream)
    except OSError as error:
        raise HarnessError(f"{file}: cannot be read: {error.strerror}", ExitCode.USAGE) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise HarnessError(f"{file}: not valid TOML: {error}", ExitCode.USAGE) from None
