"""``harness tune``: search settings, measure the best."""

import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from harness.cli.options import config_option, project_of
from harness.configuration.load import Project
from harness.tune import cache as cache_ttl
from harness.tune import pool as pool_size
from harness.tune import retry as retry_policy
from harness.tune.cache_model import Access
from harness.tune.measuring import Plan
from harness.tune.present import Tuning, to_terminal
from harness.tune.save import folder_of, save

_Function = TypeVar("_Function", bound=Callable[..., Any])
_MEAN = click.FloatRange(0, 3600, min_open=True)
_SCALE = click.FloatRange(0, 1, min_open=True)


@click.group("tune")
def command() -> None:
    """Search settings: a model predicts all candidates, the best few are measured.

    What is tuned is said by [tune] of the system: docs/tune.md.
    """


def _measuring(rounds: int) -> Callable[[_Function], _Function]:
    """The options that say how to measure."""

    def decorated(function: _Function) -> _Function:
        for option in (
            click.option("--seed", type=click.IntRange(0), help="Seed of what is drawn; default: drawn, written down."),
            click.option(
                "--rounds", type=click.IntRange(1, 1000), default=rounds, show_default=True, help="Rounds of measuring."
            ),
            click.option(
                "--confirm",
                type=click.IntRange(0, 20),
                default=3,
                show_default=True,
                help="How many candidates to measure beside both variants; 0: measure nothing.",
            ),
        ):
            function = option(function)
        return config_option(function)

    return decorated


@command.command("retry")
@click.option(
    "--mix",
    metavar="FAULTS",
    help="What the provider does, such as 500=0.2,slow:45=0.05,hang=0.05,outage:10s=0.02; default: the system's mix.",
)
@click.option(
    "--calls", type=click.IntRange(1, 1000), default=25, show_default=True, help="Calls to each candidate in a round."
)
@click.option(
    "--scale", type=_SCALE, default=0.02, show_default=True, help="By which waits are shortened while measuring."
)
@_measuring(rounds=8)
def retry(mix: str | None, calls: int, scale: float, config: Path | None, **how: Any) -> int:
    """Attempts, waits and time limit of a retry policy under a stated mix of faults.

    Time that a call takes, against the share of calls that are answered, against attempts of a call: what is best in
    one without being worse in the others. `before` and `after` stand beside it.
    """
    asked = retry_policy.Asked(mix, calls, scale)
    return _tune("retry", config, lambda project, plan: retry_policy.tune(project, asked, plan), **how)


@command.command("pool")
@click.option("--callers", type=click.IntRange(1, 200), default=10, show_default=True, help="Who share the pool.")
@click.option("--service", type=_MEAN, default=0.2, show_default=True, help="Mean seconds that a query takes.")
@click.option("--think", type=_MEAN, default=0.2, show_default=True, help="Mean seconds between a caller's queries.")
@click.option("--seconds", type=_MEAN, default=8.0, show_default=True, help="How long each candidate is measured.")
@_measuring(rounds=5)
def pool(callers: int, service: float, think: float, seconds: float, config: Path | None, **how: Any) -> int:
    """Size of a connection pool: the wait for a connection and the throughput, against the number of connections."""
    asked = pool_size.Asked(callers, service, think, seconds)
    return _tune("pool", config, lambda project, plan: pool_size.tune(project, asked, plan), **how)


@command.command("cache")
@click.option("--rate", type=_MEAN, default=0.5, show_default=True, help="Requests a second, of all keys.")
@click.option("--keys", type=click.IntRange(1, 100_000), default=50, show_default=True, help="How many keys there are.")
@click.option("--skew", type=click.FloatRange(0, 5), default=1.0, show_default=True, help="Shares fall as 1/rank^skew.")
@click.option(
    "--seconds", type=click.FloatRange(1, 1e6), default=1000.0, show_default=True, help="Measured, before shortening."
)
@click.option("--scale", type=_SCALE, default=0.01, show_default=True, help="By which times are shortened.")
@_measuring(rounds=5)
def cache(rate: float, keys: int, skew: float, seconds: float, scale: float, config: Path | None, **how: Any) -> int:
    """Time to live of a cache: the share of hits, against the age of the answers."""
    asked = cache_ttl.Asked(Access(rate, keys, skew), seconds, scale)
    return _tune("cache", config, lambda project, plan: cache_ttl.tune(project, asked, plan), **how)


def _tune(
    name: str,
    config: Path | None,
    search: Callable[[Project, Plan], Tuning],
    *,
    confirm: int,
    rounds: int,
    seed: int | None,
) -> int:
    """Search and measure, save, and tell."""
    project = project_of(config)
    folder = folder_of(project.reports, name)
    drawn = random.SystemRandom().randrange(2**31)
    try:
        tuning = search(project, Plan(confirm, rounds, drawn if seed is None else seed, folder / "logs", _progress))
    finally:
        _progress("")
    files = save(tuning, folder)
    click.echo(to_terminal(tuning))
    click.echo()
    for path in files:
        click.echo(str(path))
    return 0


def _progress(doing: str) -> None:
    if sys.stderr.isatty():
        click.echo(f"\r\x1b[K{doing}", err=True, nl=False)
