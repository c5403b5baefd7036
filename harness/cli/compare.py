"""``harness compare``: two runs from files, and the gate if it is asked for."""

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.baselines import choose, policy_of, run_of
from harness.cli.options import config_option, project_of
from harness.cli.show import show
from harness.configuration.find import nearest
from harness.judge.policy import Policy
from harness.judgement import judge, verdict_line

if TYPE_CHECKING:
    from harness.configuration.load import Project


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
    if project is None:
        runs = run_of(before, "before", None), run_of(after, "after", None)
        policy = Policy(strict=strict)
    else:
        runs = choose(project, before).run, run_of(after, "after", project.reports / "baselines")
        policy = policy_of(project, runs, strict=strict)
    judgement = judge(*runs, policy)
    if form == "terminal":
        show(judgement)
        click.echo(verdict_line([judgement]))
    else:
        renderer = importlib.import_module(f"harness.report.{form}")
        click.echo(renderer.render(judgement.view))
    return int(judgement.gate.exit_code) if gate else 0


def _project(config: Path | None) -> "Project | None":
    """None where there is no project: two files can be compared anywhere."""
    file = config if config is not None else nearest(Path.cwd())
    return None if file is None else project_of(file)
