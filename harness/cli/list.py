"""``harness list``: the scenarios that ``harness run`` would measure."""

from pathlib import Path
from typing import NoReturn

import click

from harness.cli.options import config_option, project_of, run_pytest


@click.command("list")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@config_option
def command(paths: tuple[Path, ...], config: Path | None) -> NoReturn:
    """List the scenarios: name, rounds, turns a round, and what each is about."""
    project = project_of(config)
    arguments = [str(path) for path in paths or project.scenarios]
    arguments += [
        "--harness-config",
        str(project.file),
        "--harness-list",
        "--collect-only",
        "-qq",
    ]
    run_pytest(arguments)
