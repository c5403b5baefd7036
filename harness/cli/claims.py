"""``harness claims``: what somebody wrote, held against what was measured."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from string import ascii_uppercase
from typing import TYPE_CHECKING

import click

from harness.baselines import policy_of
from harness.claims.check import exit_code, judge_claim
from harness.claims.file import read_claims
from harness.claims.session import Session, session_of
from harness.cli.options import config_option, project_of
from harness.cli.show import screen
from harness.configuration.find import nearest
from harness.errors import ExitCode, HarnessError
from harness.files.atomic import write_atomically
from harness.files.runfile import read_run
from harness.files.sessions import LATEST, find_session
from harness.judge.policy import Policy
from harness.model import SIDES, is_self_test

if TYPE_CHECKING:
    from harness.configuration.load import Project


@click.group("claims")
def command() -> None:
    """Check sentences with numbers in them: supported, refuted, or not measured."""


@command.command("check")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--session", "names", multiple=True, default=(LATEST,), show_default=True,
    help="A session: a folder, its name, or latest. Several: each metric from the first that has it.",
)  # fmt: skip
@click.option("--output", type=click.Path(path_type=Path), help="Write the table as Markdown to this file as well.")
@click.option("--gate/--no-gate", default=True, help="Whether verdicts decide the exit code (default: they do).")
@click.option("--strict", is_flag=True, help="A claim that the evidence does not decide fails too (exit code 11).")
@config_option
def check(
    file: Path, names: tuple[str, ...], *, output: Path | None, gate: bool, strict: bool, config: Path | None
) -> int:
    """Check the claims in FILE (TOML) against measured sessions.

    Exit codes: 0 none is refuted · 10 a claim is refuted · 11 undecided (--strict) · 13 what a claim speaks of was not
    measured.
    """
    from harness.report import claims_markdown, claims_terminal  # large: what is wrong with the file is told before
    from harness.report.claims import build_view

    claims = read_claims(file)
    project = project_of(config) if config is not None or nearest(Path.cwd()) is not None else None
    sessions = _sessions(project, names)
    judged = [judge_claim(claim, sessions) for claim in claims.claim]
    view = build_view(claims, judged, sessions, _again(file, sessions, output))
    width, color = screen()
    click.echo(claims_terminal.render(view, width, color=color), color=color)
    if output is not None:
        write_atomically(output, claims_markdown.render(view).encode())
        click.echo(output)
    return int(exit_code(judged, strict=strict)) if gate else 0


def _sessions(project: "Project | None", names: Sequence[str]) -> list[Session]:
    if len(names) > len(ascii_uppercase):
        raise HarnessError(f"--session: found {len(names)}, allowed are {len(ascii_uppercase)}", ExitCode.USAGE)
    folders = dict.fromkeys(_folder(project, name) for name in names)
    return [_session(project, label, folder) for label, folder in zip(ascii_uppercase, folders, strict=False)]


def _folder(project: "Project | None", name: str) -> Path:
    """A folder with both run files, wherever it is (that needs no project); else a session of this project."""
    path = Path(name)
    if name != LATEST and all((path / f"{side}.json").is_file() for side in SIDES):
        return path.resolve()
    return find_session((project or project_of(None)).reports / "out", name)


def _session(project: "Project | None", label: str, folder: Path) -> Session:
    before, after = (read_run(folder / f"{side}.json") for side in SIDES)
    if is_self_test(before) or is_self_test(after):
        message = f"{folder}: a self-test, slowed down on purpose: no claim can be checked against it"
        raise HarnessError(message, ExitCode.BASELINE)
    policy = Policy() if project is None else policy_of(project, (before, after))
    return session_of(label, before, after, policy)


def _again(file: Path, sessions: Sequence[Session], output: Path | None) -> str:
    """The command that makes the same page, without a path of this machine that was only looked up."""
    words = ["harness", "claims", "check", str(file)]
    for session in sessions:
        words += ["--session", session.after.session]
    words += ["--output", str(output)] if output else []
    return shlex.join(words)
