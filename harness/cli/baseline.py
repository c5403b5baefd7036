"""``harness baseline``: runs kept under a name, as files to be committed."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import click

from harness.baselines import policy_of
from harness.cli import show as terminal
from harness.cli.options import config_option, project_of
from harness.errors import SEVERITY, ExitCode, HarnessError
from harness.files import baselines
from harness.files.runfile import read_run
from harness.files.sessions import find_session
from harness.judge.comparison import Comparison, Verdict
from harness.judge.gate import cost, counts, objection
from harness.judge.policy import Policy
from harness.judgement import judge


@click.group("baseline")
def command() -> None:
    """Keep runs under a name, in reports/baselines, to compare later runs with."""


@command.command("save")
@click.argument("name")
@click.argument("session", default="latest")
@click.option("--side", type=click.Choice(["before", "after"]), default="after", show_default=True)
@click.option("--replace", is_flag=True, help="Replace a baseline of that name.")
@config_option
def save(name: str, session: str, *, side: str, replace: bool, config: Path | None) -> None:
    """Keep one side of SESSION (a folder, its name, or latest) as NAME."""
    project = project_of(config)
    folder = find_session(project.reports / "out", session)
    path = baselines.save(project.reports / "baselines", name, read_run(folder / f"{side}.json"), replace=replace)
    click.echo(path)


@command.command("update")
@click.argument("name")
@click.argument("session", default="latest")
@click.option("--side", type=click.Choice(["before", "after"]), default="after", show_default=True)
@config_option
def update(name: str, session: str, *, side: str, config: Path | None) -> None:
    """Replace the baseline NAME by one side of SESSION, unless something gated got worse or is gone.

    Prints what changes. `baseline save NAME --replace` asks nothing.
    """
    project = project_of(config)
    kept = project.reports / "baselines"
    run = read_run(find_session(project.reports / "out", session) / f"{side}.json")
    known = baselines.load_baseline(kept, name)  # by name alone: it is what will be replaced
    old = replace(known, variant=replace(known.variant, name="before"))
    new = replace(run, variant=replace(run.variant, name="after"))
    policy = policy_of(project, (old, new))
    judgement = judge(old, new, policy)
    terminal.show(judgement)
    refuse_worse(name, judgement.comparisons, policy)
    click.echo(baselines.save(kept, name, run, replace=True))


def refuse_worse(name: str, comparisons: Iterable[Comparison], policy: Policy) -> None:
    """Raise HarnessError (10, 13) when a comparison with the baseline ``name`` is none that a new one may bring along.

    What is new in it may come along, within its budget.
    """
    against = [(cost(c, policy), c) for c in comparisons if counts(c) and not _new(c)]
    refused = [(code, objection(c)) for code, c in against if code is not ExitCode.OK]
    if refused:
        code, first = min(refused, key=lambda entry: SEVERITY.index(entry[0]))
        more = f" (and {len(refused) - 1} more)" if len(refused) > 1 else ""
        raise HarnessError(f"baseline {name} not updated: {first}{more}", code)


def _new(comparison: Comparison) -> bool:
    """Whether there was nothing before it, and nothing says what it may be."""
    missing = comparison.verdict is Verdict.MISSING
    return missing and comparison.before is None and comparison.after is not None and not comparison.bounds


@command.command("list")
@config_option
def list_all(config: Path | None) -> None:
    """List the baselines."""
    folder = project_of(config).reports / "baselines"
    for name in baselines.list_baselines(folder):
        run = baselines.load_baseline(folder, name)
        click.echo(f"{name}  {run.variant.origin}  {run.started}  {run.rounds} rounds  {len(run.samples)} samples")


@command.command("show")
@click.argument("name")
@config_option
def show(name: str, config: Path | None) -> None:
    """Show what a baseline holds."""
    run = baselines.load_baseline(project_of(config).reports / "baselines", name)
    click.echo(f"{name}: session {run.session}, variant {run.variant.origin}, {run.started}, {run.rounds} rounds")
    for key, value in {**run.environment.stable, **run.environment.volatile}.items():
        click.echo(f"  {key}: {value}")
    for sample in run.samples:
        click.echo(f"  {sample.scenario}:{sample.metric.name}  {len(sample.values)} values")


@command.command("remove")
@click.argument("name")
@config_option
def remove(name: str, config: Path | None) -> None:
    """Remove a baseline."""
    baselines.remove(project_of(config).reports / "baselines", name)
