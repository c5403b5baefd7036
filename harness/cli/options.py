"""Options and arguments that several commands share."""

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from harness.configuration.load import Project, find, load
from harness.files.baselines import load_baseline
from harness.files.benchmark_json import load as load_run
from harness.model import Run, Side

_Function = TypeVar("_Function", bound=Callable[..., Any])


def config_option(function: _Function) -> _Function:
    """``--config FILE``."""
    option = click.option(
        "--config", type=click.Path(path_type=Path), help="harness.toml or pyproject.toml; default: the nearest one."
    )
    return option(function)


def project_of(config: Path | None) -> Project:
    """The configuration that a command works with."""
    return load(config if config is not None else find(Path.cwd()))


def run_pytest(arguments: Sequence[str]) -> NoReturn:
    """Become pytest: its exit code is ours, and a signal sent to us reaches it."""
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "pytest", "-p", "harness.plugin", *arguments])  # noqa: S606 - no shell is wanted


def run_of(text: str, side: Side, baselines: Path | None) -> Run:
    """A run by file (ours or pytest-benchmark's) or by a baseline's name in the folder ``baselines``, on ``side``."""
    path = Path(text)
    if path.exists() or baselines is None or path.suffix == ".json" or len(path.parts) > 1:
        run = load_run(path)
    else:
        run = load_baseline(baselines, text)
    return replace(run, variant=replace(run.variant, name=side))
