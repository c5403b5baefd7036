"""``harness history``: all runs in ClickHouse, and how each metric moved over them."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click

from harness.cli.options import config_option, project_of
from harness.configuration.load import Project
from harness.errors import SEVERITY, ExitCode, HarnessError
from harness.files.baselines import list_baselines
from harness.files.runfile import read_hashed
from harness.files.sessions import find_session
from harness.files.strict_json import shown
from harness.files.trends import trends_to_json
from harness.history import keep
from harness.history.changes import detector
from harness.history.client import Broken, Database, connected, move_aside
from harness.history.location import Folder, Location, location_of
from harness.history.schema import prepare
from harness.history.trends import MOST_RUNS, trends
from harness.report.svg import standalone
from harness.report.trend import sheet, trend_text

URL = "HARNESS_HISTORY_URL"
"""Stands above the configuration's ``history.url``: an address with a password does not belong into a file."""


@click.group("history")
def command() -> None:
    """Keep all runs in ClickHouse - a folder in reports, or a server - and look for steps over time."""


@command.command("add")
@click.argument("sessions", nargs=-1, metavar="[SESSION]...")
@config_option
def add(sessions: tuple[str, ...], config: Path | None) -> int:
    """Add SESSIONs; without one, every session that the history does not have yet."""
    project = project_of(config)
    out = project.reports / "out"
    names = [find_session(out, session).name for session in sessions]

    def files(database: Database) -> Iterable[Path]:
        if not names:
            return keep.pending_files(database, out)
        return [path for name in names for path in keep.session_files(out, name)]

    try:
        with _opened(_location(project)) as database:
            return _keep(database, files(database))
    except Broken as broken:
        return _anew(project, broken)


@command.command("rebuild")
@config_option
def rebuild(config: Path | None) -> int:
    """Put in again whatever is not as the run files say: of all sessions and baselines. Other runs stay."""
    project = project_of(config)
    try:
        with _opened(_location(project)) as database:
            return _keep(database, keep.all_files(project.reports))
    except Broken as broken:
        return _anew(project, broken)


@command.command("check")
@config_option
def check(config: Path | None) -> int:
    """Compare count and hash of each run in the history with its file; exit code 15 when they differ."""
    project = project_of(config)
    count, problems, errors = 0, [], []
    with _opened(_location(project)) as database:
        for found in keep.check(database, keep.all_files(project.reports)):
            count += 1
            if isinstance(found, HarnessError):
                errors.append(found)
            elif found is not None:
                problems.append(found)
    for line in [*problems, *map(str, errors)]:
        click.echo(line, err=True)
    click.echo(f"{count - len(problems) - len(errors)} of {count} run files are in the history as they are")
    return int(ExitCode.INTEGRITY if problems else _worst(errors))


@command.command("show")
@click.argument("pattern", default="*")
@click.option("--variant", default="after", show_default=True, help="Whose runs: the name of a variant.")
@click.option(
    "--runs", type=click.IntRange(1, MOST_RUNS), default=MOST_RUNS, show_default=True, help="The newest runs only."
)
@click.option("--format", "form", type=click.Choice(["terminal", "svg", "json"]), default="terminal", show_default=True)
@config_option
def show(pattern: str, variant: str, runs: int, form: str, config: Path | None) -> int:
    """Show how each metric moved over the runs, and where it made a step. PATTERN is of scenario:metric.

    Change points are for people to look at: no exit code depends on them.
    """
    project = project_of(config)
    detect = detector()
    baselines = _baselines(project.reports / "baselines")
    with _opened(_location(project)) as database:
        found = trends(database, pattern, variant, baselines, detect, runs)
        damaged = keep.damaged(database)
    if form == "svg":
        click.echo(standalone(sheet(found)), nl=False)
    elif form == "json":
        click.echo(trends_to_json(found))
    else:
        for line in (line for trend in found for line in trend_text(trend)):
            click.echo(line)
    for line in _remarks(len(found), pattern, variant, damaged, detects=detect is not None):
        click.echo(line, err=True)
    return 0


def _remarks(count: int, pattern: str, variant: str, damaged: tuple[str, ...], *, detects: bool) -> Iterator[str]:
    if not count:
        yield f'nothing matches "{shown(pattern)}" of variant "{shown(variant)}"'
    if not detects:
        yield "no change points: they need ruptures, the extra [changepoints], and Python < 3.14"
    if damaged:
        yield f"warning: values are gone of {', '.join(damaged)}: run `harness history rebuild`"


def _location(project: Project) -> Location:
    return location_of(project.reports, os.environ.get(URL) or project.configuration.history.url)


@contextmanager
def _opened(location: Location) -> Iterator[Database]:
    with connected(location) as database:
        prepare(database)
        yield database


def _keep(database: Database, paths: Iterable[Path]) -> int:
    """Put the files in; tell what became of them."""
    counts: Counter[str] = Counter()
    errors = []
    for result in keep.keep(database, paths):
        if isinstance(result, HarnessError):
            errors.append(result)
            click.echo(f"left out: {result}", err=True)
        else:
            counts[result.outcome] += 1
    told = ", ".join(f"{count} run{'s' * (count > 1)} {outcome}" for outcome, count in counts.items() if count)
    click.echo(f"history: {told or 'nothing new'}")
    return int(_worst(errors))


def _anew(project: Project, broken: Broken) -> int:
    """Move a store that the engine cannot read out of the way, whole, and build a new one."""
    location = _location(project)
    assert isinstance(location, Folder)
    aside = move_aside(location, datetime.now(UTC))
    click.echo(f"{broken}: moved aside to {shown(aside)}, rebuilt:", err=True)
    with _opened(location) as database:
        return _keep(database, keep.all_files(project.reports))


def _baselines(folder: Path) -> dict[str, str]:
    """The names of the baselines by the hash of their run; what cannot be read marks nothing."""
    names: dict[str, str] = {}
    for name in list_baselines(folder):
        try:
            names[read_hashed(folder / f"{name}.json")[1]] = name
        except HarnessError as error:
            click.echo(f"warning: {error}", err=True)
    return names


def _worst(errors: Iterable[HarnessError]) -> ExitCode:
    codes = {error.code for error in errors}
    return next((code for code in SEVERITY if code in codes), ExitCode.OK)
