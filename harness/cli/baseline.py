"""``harness baseline``: runs kept under a name, as files to be committed."""

from pathlib import Path

import click

from harness.cli.options import config_option, project_of
from harness.files import baselines
from harness.files.runfile import read_run
from harness.files.sessions import find_session


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
