"""``harness compare``: two runs from files, and the gate if it is asked for."""

from pathlib import Path

import click

from harness.cli.options import config_option, run_of
from harness.cli.show import show
from harness.configuration.load import find, load
from harness.configuration.schema import GatePolicy
from harness.errors import HarnessError
from harness.judgement import judge, policy_from, verdict_line
from harness.report import html, markdown


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

    Runs of one session are compared pair by pair. Runs of different sessions are not: the machine may have changed
    between them, so only effects beyond that are called (docs/method.md).
    """
    policy, baselines = _policy_and_baselines(config)
    runs = run_of(before, "before", baselines), run_of(after, "after", baselines)
    judgement = judge(*runs, policy_from(policy, strict=strict))
    if form == "terminal":
        show(judgement)
        click.echo(verdict_line(judgement))
    else:
        click.echo(markdown.render(judgement.view) if form == "markdown" else html.render(judgement.view))
    return int(judgement.gate.exit_code) if gate else 0


def _policy_and_baselines(config: Path | None) -> tuple[GatePolicy, Path | None]:
    """The project's, or the defaults where there is no project: two files can be compared anywhere."""
    try:
        file = config if config is not None else find(Path.cwd())
    except HarnessError:
        return GatePolicy(), None
    project = load(file)
    return project.configuration.gate, project.reports / "baselines"
