"""Print a judgement to the terminal that there is."""

import os
import shutil
import sys

import click

from harness.judgement import Judgement, to_terminal


def show(judgement: Judgement) -> None:
    """The table, as wide and as colourful as standard output allows (NO_COLOR and FORCE_COLOR are honoured)."""
    width, color = screen()
    click.echo(to_terminal(judgement, width=width, color=color), color=color)


def screen() -> tuple[int, bool]:
    """How many columns standard output has, and whether it shows colours."""
    color = bool(os.environ.get("FORCE_COLOR")) or sys.stdout.isatty()
    if os.environ.get("NO_COLOR"):
        color = False
    return shutil.get_terminal_size((100, 24)).columns, color
