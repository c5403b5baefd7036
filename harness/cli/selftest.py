"""``harness selftest``: would this project's gate notice a slowdown, and does it keep quiet without one?"""

import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from harness.baselines import policy_of
from harness.cli.options import config_option, project_of
from harness.configuration.load import Project
from harness.errors import ExitCode
from harness.files.runfile import read_run
from harness.files.sessions import find_session
from harness.judge.comparison import Bound, Comparison, Verdict
from harness.judge.gate import counts
from harness.judge.wording import describe_bound
from harness.judgement import judge
from harness.measure.signals import interruptible
from harness.measure.slowdown import Slowdown
from harness.measure.watchdog import Watchdog
from harness.report.escape import terminal

_VERDICT = re.compile(r"(?m)^HARNESS-VERDICT (\{.*\})$")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one of the two measurements ended with."""

    session: str
    exit_code: int
    gated: Mapping[str, Comparison]
    """``scenario:metric`` -> comparison, of what the gate looks at."""
    lengthened: frozenset[str]
    """``scenario:metric`` of every timed block that was lengthened."""


@dataclass(frozen=True, slots=True)
class Check:
    """One of the two proofs."""

    holds: bool
    text: str
    against: tuple[str, ...] = ()
    """What speaks against it, a line each."""


def keeps_quiet(outcome: Outcome) -> Check:
    """Nothing has changed: nothing that the gate looks at may be called, and no scenario may fail. Pure."""
    called = [name for name, c in outcome.gated.items() if c.verdict in (Verdict.IMPROVED, Verdict.REGRESSED)]
    quiet = outcome.exit_code in (ExitCode.OK, ExitCode.INCONCLUSIVE) and bool(outcome.gated) and not called
    return Check(quiet, f"{len(called)} of {len(outcome.gated)} called a change", _named(called, outcome))


def finds(outcome: Outcome) -> Check:
    """Every timed block was lengthened: the gate has to fail, on each of them that it looks at. Pure.

    A quantile that the session sees too coarsely decides nothing at the gate, so nothing can be proven of it either.
    """
    timed = [name for name in outcome.gated if name in outcome.lengthened]
    coarse = [name for name in timed if outcome.gated[name].report_only]
    slowed = [name for name in timed if name not in coarse]
    missed = [name for name in slowed if not _refused(outcome.gated[name])]
    holds = outcome.exit_code == ExitCode.REGRESSED and bool(slowed) and not missed
    if not timed:
        return Check(holds, "no gated metric is timed by turn.timed, so nothing could be slowed down")
    text = f"{len(slowed) - len(missed)} of {len(slowed)} called regressed"
    text += " beyond any limit" if any(_limits(outcome.gated[name]) for name in slowed) else ""
    text += f", {len(coarse)} too coarse to be gated" if coarse else ""
    left_out = (f"left out: {name} {outcome.gated[name].reason}".rstrip() for name in coarse)
    return Check(holds, text, (*_named(missed, outcome), *left_out))


def _refused(comparison: Comparison) -> bool:
    """Whether the gate fails by it: a regression, and where a limit tolerates some, more than that."""
    limits = _limits(comparison)
    return comparison.verdict is Verdict.REGRESSED and (not limits or any(bound.state == "broken" for bound in limits))


def _limits(comparison: Comparison) -> list[Bound]:
    return [bound for bound in comparison.bounds if bound.name != "budget"]


def _named(names: Sequence[str], outcome: Outcome) -> tuple[str, ...]:
    return tuple(_told(name, outcome.gated[name]) for name in names)


def _told(name: str, comparison: Comparison) -> str:
    bounds = [describe_bound(bound, comparison.metric) for bound in _limits(comparison)]
    return "; ".join([f"{comparison.verdict}: {name} {comparison.reason}".rstrip(), *bounds])


@click.command("selftest")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("-k", "expression", metavar="EXPR", help="Only scenarios that match, as pytest's -k.")
@click.option("--rounds", type=click.IntRange(1), help="Rounds of every scenario, instead of its own number.")
@click.option(
    "--slowdown",
    metavar="PERCENT",
    default="auto",
    show_default=True,
    help="By how much every timed block is lengthened; auto: 3 x the metric's smallest effect, beyond its limits.",
)
@config_option
def command(
    paths: tuple[Path, ...], expression: str | None, rounds: int | None, slowdown: str, config: Path | None
) -> int:
    """Prove on the project's own scenarios that the gate can be trusted.

    Measures `before` against itself: no gated metric may be called improved or regressed. Then the same with every
    `turn.timed` block of `after` lengthened: each gated metric that was lengthened has to be called regressed,
    beyond its limit if it has one.
    """
    Slowdown.parse(slowdown)
    project = project_of(config)
    arguments = [str(path) for path in paths or project.scenarios]
    arguments += ["--harness-config", str(project.file), "--harness-before", "before", "--harness-after", "before"]
    arguments += ["--harness-no-controls", "-p", "no:cacheprovider"]
    arguments += ["-k", expression] if expression is not None else []
    arguments += ["--harness-rounds", str(rounds)] if rounds is not None else []
    outcomes = _measured(project, arguments), _measured(project, [*arguments, "--harness-inject", slowdown])
    checks = keeps_quiet(outcomes[0]), finds(outcomes[1])
    for name, outcome, check in zip(("before against itself", "slowed down"), outcomes, checks, strict=True):
        told = f"{name:21}  exit {outcome.exit_code:2}  {check.text}  (session {outcome.session})"
        click.echo(f"{'holds' if check.holds else 'FAILS'}  {told}")
        for line in check.against:
            click.echo(f"       {terminal(line)}")
    return int(ExitCode.OK if all(check.holds for check in checks) else ExitCode.INTEGRITY)


def _measured(project: Project, arguments: Sequence[str]) -> Outcome:
    """Have pytest measure, and read what it left. Exits with pytest's code when it measured nothing."""
    code, output = _run([sys.executable, "-m", "pytest", "-p", "harness.plugin", *arguments])
    lines = _VERDICT.findall(output)
    if not lines:
        click.echo("\n".join(map(terminal, output.splitlines())), err=True)
        click.echo("harness: self-test: nothing was measured", err=True)
        sys.exit(code or ExitCode.BASELINE)
    verdict = json.loads(lines[-1])
    folder = find_session(project.reports / "out", verdict["session"])
    before, after = read_run(folder / "before.json"), read_run(folder / "after.json")
    comparisons = judge(before, after, policy_of(project, (before, after))).comparisons
    gated = {f"{c.scenario}:{c.metric.name}": c for c in comparisons if counts(c)}
    return Outcome(folder.name, code, gated, frozenset(verdict.get("lengthened", ())))


def _run(command_line: Sequence[str]) -> tuple[int, str]:
    """Exit code and output of a process that ends with us, however we end."""
    with Watchdog() as watchdog, interruptible():
        process = subprocess.Popen(command_line, stdout=subprocess.PIPE, text=True, start_new_session=True)
        watchdog.started(process.pid)
        try:
            output, _ = process.communicate()
        finally:
            process.terminate()  # it ends its session in order
            process.wait()
            watchdog.gone(process.pid)
    return process.returncode, output
