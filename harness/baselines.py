"""Choosing what to compare a session with: a baseline by name, a run by file, the latest baseline before a commit."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness import git
from harness.errors import ExitCode, HarnessError
from harness.files.baselines import LATEST, list_baselines, load_baseline
from harness.files.benchmark_json import load as load_run
from harness.files.runfile import read_run
from harness.files.sessions import list_sessions
from harness.judge.obstacles import same_session
from harness.judge.policy import Policy
from harness.judge.spread import Spread, spreads
from harness.judgement import policy_from
from harness.model import SIDES, Run, Side

if TYPE_CHECKING:
    from harness.configuration.load import Project

_COMMIT = re.compile(r"([0-9a-f]{7,40})( with changes)?")
_SESSIONS = 50
"""So many of the newest sessions are read to learn how much sessions differ."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """A run to compare with, and what it is called."""

    name: str
    run: Run


def choose(project: "Project", text: str) -> Baseline:
    """The baseline that ``text`` means: a name, a file, or ``latest``.

    ``latest`` is the newest baseline whose commit is HEAD or an ancestor of it.
    Raises HarnessError (13) when there is none or it is broken; another one is never used instead.
    """
    if text == LATEST:
        return _latest(project)
    return Baseline(text, run_of(text, "before", project.reports / "baselines"))


def run_of(text: str, side: Side, baselines: Path | None) -> Run:
    """A run by a baseline's name in the folder ``baselines`` or by file (ours or pytest-benchmark's), on ``side``.

    A name comes first: a file that happens to be called so in the working folder is not what was kept under it.
    """
    path = Path(text)
    if baselines is not None and text in list_baselines(baselines):
        run = load_baseline(baselines, text)
    elif path.exists() or baselines is None or path.suffix == ".json" or path.name != text:
        run = load_run(path)
    else:
        run = load_baseline(baselines, text)
    return replace(run, variant=replace(run.variant, name=side))


def spreads_for(project: "Project", before: Run, after: Run) -> Mapping[tuple[str, str], Spread]:
    """How much each metric varies between sessions where ``after`` was measured, as far as other sessions tell.

    Nothing for runs of one session. The session of ``after`` itself is left out, so that a change cannot hide behind
    itself; and so are files that cannot be read.
    """
    if same_session(before, after):
        return {}
    return spreads((run for run in _known_runs(project) if run.session != after.session), after.environment)


def policy_of(project: "Project", runs: tuple[Run, Run], *, strict: bool = False, ci: bool = False) -> Policy:
    """The policy of ``project`` for comparing ``runs``."""
    configuration = project.configuration
    found = spreads_for(project, *runs)
    return policy_from(configuration.gate, configuration.metrics, strict=strict, ci=ci, spreads=found)


def _known_runs(project: "Project") -> Iterator[Run]:
    out, kept = project.reports / "out", project.reports / "baselines"
    paths = [kept / f"{name}.json" for name in list_baselines(kept)]
    paths += [out / name / f"{side}.json" for name in sorted(list_sessions(out))[-_SESSIONS:] for side in SIDES]
    for path in paths:
        try:
            yield read_run(path)
        except HarnessError:
            continue


def _latest(project: "Project") -> Baseline:
    folder = project.reports / "baselines"
    names = list_baselines(folder)
    found = sorted((Baseline(name, load_baseline(folder, name)) for name in names), key=lambda b: b.run.started)
    for baseline in reversed(found):
        known = _COMMIT.fullmatch(baseline.run.environment.volatile.get("commit", ""))
        ancestor = git.is_ancestor(project.folder, known[1]) if known else False
        if ancestor is None:
            message = (
                f"baseline latest: this clone is shallow and does not reach {known[1] if known else ''}, the commit of "
                f"{baseline.name}; fetch the history first (git fetch --unshallow), or name a baseline"
            )
            raise HarnessError(message, ExitCode.BASELINE)
        if ancestor:
            run = baseline.run
            return Baseline(baseline.name, replace(run, variant=replace(run.variant, name="before")))
    there = f"of {len(names)} ({', '.join(names)}) none was" if names else "there is none yet, so none was"
    raise HarnessError(
        f"baseline latest: {there} measured at HEAD or a commit before it; keep one: harness baseline save NAME",
        ExitCode.BASELINE,
    )
