"""``harness report``: write the report of a session again, also of one that was killed."""

from dataclasses import replace
from pathlib import Path

import click

from harness.baselines import policy_of
from harness.cli.options import config_option, project_of
from harness.cli.show import show
from harness.files.sessions import find_session
from harness.judgement import judge, write_reports
from harness.measure.session import finish
from harness.remember import recall


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
    wanted = project.configuration.history.enabled
    history, problem = recall(project, after.variant.origin) if wanted else ((), "")
    policy = policy_of(project, (before, after))
    stated = {} if after.selection else project.configuration.metrics
    bounded = tuple(
        pattern for pattern, override in stated.items() if override.binds and pattern not in policy.required
    )
    judgement = judge(before, after, replace(policy, bounded=bounded), history)
    show(judgement)
    for path in write_reports(judgement, folder):
        click.echo(path)
    if problem:
        click.echo(problem, err=True)
    return 0
