"""``harness report``: write the report of a session again, also of one that was killed."""

from pathlib import Path

import click

from harness.baselines import policy_of
from harness.cli.options import config_option, project_of
from harness.cli.show import show
from harness.files.sessions import find_session
from harness.judgement import judge, write_reports
from harness.measure.session import finish


@click.command("report")
@click.argument("session", default="latest")
@config_option
def command(session: str, config: Path | None) -> int:
    """Write report.md and report.html of SESSION (a folder, its name, or latest) again and print the table.

    The run files are built anew from the journal, so a session that was killed gets its report too.
    """
    project = project_of(config)
    folder = find_session(project.reports / "out", session)
    before, after = finish(folder)
    judgement = judge(before, after, policy_of(project, (before, after)))
    show(judgement)
    for path in write_reports(judgement, folder):
        click.echo(path)
    return 0
