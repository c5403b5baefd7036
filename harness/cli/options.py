"""Options and arguments that several commands share."""

import importlib
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from harness.configuration.find import find

if TYPE_CHECKING:
    from harness.configuration.load import Project

_Function = TypeVar("_Function", bound=Callable[..., Any])


def config_option(function: _Function) -> _Function:
    """``--config FILE``."""
    option = click.option(
        "--config", type=click.Path(path_type=Path), help="harness.toml or pyproject.toml; default: the nearest one."
    )
    return option(function)


def project_of(config: Path | None) -> "Project":
    """The configuration that a command works with."""
    loading = importlib.import_module("harness.configuration.load")  # takes long: only where it is needed
    project: Project = loading.load(config if config is not None else find(Path.cwd()))
    return project


def run_pytest(arguments: Sequence[str]) -> NoReturn:
    """Become pytest: its exit code is ours, and a signal sent to us reaches it."""
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "pytest", "-p", "harness.plugin", *arguments])  # noqa: S606 - no shell is wanted
