"""``harness compare``: two runs from files, and the gate if it is asked for."""

import importlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.baselines import choose, policy_of, run_of
from harness.both import both, halves
from harness.cli.options import config_option, project_of
from harness.cli.show import show
from harness.configuration.find import nearest
from harness.judge.policy import Policy
from harness.judgement import judge, verdict_line
from harness.model import Run

if TYPE_CHECKING:
    from harness.configuration.load import Project

_LARGE = 8 * 2**20
"""Bytes of AFTER, which a second process reads, from which on that pays."""


@click.command("compare")
@click.argument("before")
@click.argument("after")
@click.option("--gate/--no-gate", default=False, help="Whether verdicts decide the exit code (default: they do not).")
@click.option("--strict", is_flag=True, help="An inconclusive gated metric fails too (exit code 11).")
@click.option(
    "--format", "form", type=click.Choice(["terminal", "markdown", "html"]), default="terminal", show_default=True
)
@config_option
def command(before: str, after: str, *, gate: bool, strict: bool, form: str, config: Path | None) -> int:
    """Compare BEFORE with AFTER: run files, names of baselines, or pytest-benchmark JSON that holds its data.

    BEFORE may be `latest`: the newest baseline measured at HEAD or a commit before it.

    Runs of one session are compared pair by pair. Runs of different sessions are not: the machine may have changed
    between them, so only effects beyond that are called (docs/method.md).
    """
    project = _project(config)
    large = _size(after) >= _LARGE
    read = _at_once if large else _one_by_one
    if project is None:
        runs = read(lambda: run_of(before, "before", None), lambda: run_of(after, "after", None))
        policy = Policy(strict=strict)
    else:
        kept = project.reports / "baselines"
        runs = read(lambda: choose(project, before).run, lambda: run_of(after, "after", kept))
        policy = policy_of(project, runs, strict=strict)
    judgement = judge(*runs, policy, each=halves if large else map)
    if form == "terminal":
        show(judgement)
        click.echo(verdict_line([judgement]))
    else:
        renderer = importlib.import_module(f"harness.report.{form}")
        click.echo(renderer.render(judgement.view))
    return int(judgement.gate.exit_code) if gate else 0


def _one_by_one(first: Callable[[], Run], second: Callable[[], Run]) -> tuple[Run, Run]:
    return first(), second()


def _at_once(first: Callable[[], Run], second: Callable[[], Run]) -> tuple[Run, Run]:
    before, after = both(first, second)
    return before, _alike(before, after)


def _alike(before: Run, after: Run) -> Run:
    """``after``, its rounds and pairs the same objects as those of ``before`` if equal: they are compared at once then.

    Files that one process reads share them; what comes from another process is a copy.
    """
    known = {numbers: numbers for numbers in _distinct(before)}
    same = {id(numbers): known.get(numbers, numbers) for numbers in _distinct(after)}
    samples = (replace(s, rounds=same[id(s.rounds)], pairs=same[id(s.pairs)]) for s in after.samples)
    return replace(after, samples=tuple(samples))


def _distinct(run: Run) -> list[tuple[int, ...]]:
    """The rounds and pairs of all samples, each object once."""
    return list({id(numbers): numbers for s in run.samples for numbers in (s.rounds, s.pairs)}.values())


def _size(file: str) -> int:
    """In bytes; 0 for what is no file, such as the name of a baseline."""
    try:
        return Path(file).stat().st_size
    except (OSError, ValueError):
        return 0


def _project(config: Path | None) -> "Project | None":
    """None where there is no project: two files can be compared anywhere."""
    file = config if config is not None else nearest(Path.cwd())
    return None if file is None else project_of(file)
