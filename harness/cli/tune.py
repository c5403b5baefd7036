"""``harness tune``: search settings, measure the best."""

import sys
from pathlib import Path

import click

from harness.cli.options import config_option, project_of
from harness.tune import retry as tuning
from harness.tune.present import Tuning, to_terminal
from harness.tune.save import folder_of, save


@click.group("tune")
def command() -> None:
    """Search settings: a model predicts all candidates, the best few are measured.

    What is tuned is said by [tune] of the system: docs/tune.md.
    """


@command.command("retry")
@click.option(
    "--mix",
    metavar="FAULTS",
    help="What the provider does, such as 500=0.2,slow:45=0.05,hang=0.05,outage:10s=0.02; default: the system's mix.",
)
@click.option("--confirm", type=click.IntRange(0, 20), default=3, help="How many candidates to measure (default: 3).")
@click.option("--rounds", type=click.IntRange(1, 1000), default=8, help="Rounds of measuring (default: 8).")
@click.option("--calls", type=click.IntRange(1, 1000), default=25, help="Calls in each round (default: 25).")
@click.option(
    "--scale",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.02,
    help="By which all waits are shortened while measuring (default: 0.02).",
)
@click.option("--seed", type=int, help="Seed of faults and order; default: drawn and written down.")
@config_option
def retry(
    mix: str | None, confirm: int, rounds: int, calls: int, scale: float, seed: int | None, config: Path | None
) -> int:
    """Attempts, waits and time limit of a retry policy under a stated mix of faults.

    Time that a call takes, against the share of calls that are answered, against attempts of a call: what is best in
    one without being worse in the others. `before` and `after` stand beside it.
    """
    project = project_of(config)
    asked = tuning.Asked(mix, confirm, rounds, calls, scale, tuning.drawn_seed() if seed is None else seed)
    folder = folder_of(project.reports, "retry")
    return _finish(tuning.tune(project, asked, folder / "logs", _progress), folder)


def _finish(tuning: Tuning, folder: Path) -> int:
    files = save(tuning, folder)
    click.echo(to_terminal(tuning))
    click.echo()
    for path in files:
        click.echo(str(path))
    return 0


def _progress(doing: str) -> None:
    if sys.stderr.isatty():
        click.echo(f"\r\x1b[K{doing}", err=True, nl=False)
