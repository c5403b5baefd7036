"""Claims and their verdicts, laid out for every format: the words and numbers, and none of their escaping."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from harness.claims.check import ClaimVerdict, Finding, Judged, State, causes, counts
from harness.claims.file import Check, ClaimsFile
from harness.claims.session import Session
from harness.judge.comparison import Comparison, Estimate
from harness.judge.wording import plural
from harness.model import Metric, Run, Side
from harness.report import wording
from harness.report.escape import shorten
from harness.report.rows import line

_STATES: dict[State, str] = {
    "holds": "holds", "fails": "fails", "undecided": "not decided", "absent": wording.NOT_MEASURED,
}  # fmt: skip
NOTHING = "–"
DEFINITIONS = {
    ClaimVerdict.SUPPORTED: "the whole confidence interval lies inside what is claimed; of several checks, of each",
    ClaimVerdict.REFUTED: "the whole interval of a check lies outside what is claimed",
    ClaimVerdict.NOT_MEASURED: "nothing here measures it, or what was measured does not decide it: the row says which",
}


@dataclass(frozen=True, slots=True)
class Line:
    """What was claimed of one metric, and what was measured."""

    name: str
    claimed: str
    before: str
    after: str
    change: str
    n: str
    """Rounds, level of the interval, session."""
    state: State
    told: str
    """Why it does not hold, if it does not."""

    @property
    def held(self) -> str:
        """Whether this check holds, in words."""
        return ": ".join(filter(None, [_STATES[self.state], self.told]))


@dataclass(frozen=True, slots=True)
class ClaimRow:
    """One claim."""

    verdict: ClaimVerdict
    statement: str
    reading: str
    lines: tuple[Line, ...]
    costs: tuple[str, ...]
    reason: str
    """Why it is not measured here."""


@dataclass(frozen=True, slots=True)
class ClaimsView:
    """Everything a reader of claims is told."""

    title: str
    source: str
    summary: str
    sections: tuple[tuple[str, tuple[ClaimRow, ...]], ...]
    """Of each section of the report that makes the claims, in its order."""
    sessions: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    """Of each session its label and facts."""
    notes: tuple[str, ...]
    command: str


def build_view(claims: ClaimsFile, judged: Sequence[Judged], sessions: Sequence[Session], command: str) -> ClaimsView:
    """Lay out ``judged``, which are the claims of ``claims`` in order; ``command`` is what makes the page again."""
    several = len(sessions) > 1
    sections = groupby(judged, key=lambda one: one.claim.where)
    numbers = " · ".join(f"{n} {verdict}" for verdict, n in counts(judged).items())
    why = ", ".join(f"{n} {cause}" for cause, n in causes(judged).items())
    return ClaimsView(
        title=claims.title,
        source=claims.source,
        summary=f"{numbers}{f' ({why})' if why else ''}, of {plural(len(judged), 'claim')}",
        sections=tuple((where, tuple(_row(one, several=several) for one in found)) for where, found in sections),
        sessions=tuple((session.label, _facts(session)) for session in sessions),
        notes=tuple(_notes(sessions)),
        command=command,
    )


def _notes(sessions: Sequence[Session]) -> Iterator[str]:
    """Every note once; of several sessions, those that it belongs to."""
    labels: dict[str, dict[str, None]] = {}
    for session in sessions:
        for note in (*session.before.notes, *session.after.notes):
            labels.setdefault(line(note), {})[session.label] = None
    for note, found in labels.items():
        yield f"{', '.join(found)}: {note}" if len(sessions) > 1 else note


def _row(judged: Judged, *, several: bool) -> ClaimRow:
    claim = judged.claim
    return ClaimRow(
        verdict=judged.verdict,
        statement=claim.statement,
        reading=claim.reading,
        lines=_together([(f.check, _line(f, several=several)) for f in judged.findings]),
        costs=tuple(_cost(finding) for finding in judged.costs),
        reason=claim.why_not,
    )


def _together(lines: Iterable[tuple[Check | None, Line]]) -> tuple[Line, ...]:
    """Lines that say the same of several metrics of one pattern become one."""
    alike: dict[tuple[Check | None, Line], list[str]] = {}
    for check, one in lines:
        alike.setdefault((check, replace(one, name="")), []).append(one.name)
    return tuple(replace(one, name=_names(check, names)) for (check, one), names in alike.items())


def _names(check: Check | None, names: Sequence[str]) -> str:
    if len(names) == 1 or check is None:
        return ", ".join(names)
    return f"{check.metric} ({len(names)} metrics)"


def _line(finding: Finding, *, several: bool) -> Line:
    comparison, check = finding.comparison, finding.check
    assert check is not None, "a cost is no line"
    told = line(finding.reason)
    if comparison is None:
        nothing = wording.NOT_MEASURED
        return Line(
            shorten(finding.name), claimed(check, None), nothing, nothing, NOTHING, NOTHING, finding.state, told
        )
    effect = None if finding.own else comparison.effect
    n = [str(finding.rounds), _level(finding, effect), *([finding.session] if several else [])]
    return Line(
        name=shorten(finding.name),
        claimed=claimed(check, comparison.metric),
        before=_amount(comparison, finding.own, "before"),
        after=_amount(comparison, finding.own, "after"),
        change=_change(comparison),
        n=", ".join(part for part in n if part),
        state=finding.state,
        told=told,
    )


def claimed(check: Check, metric: Metric | None) -> str:
    """What ``check`` asks for: ``−40 % ± 5 %``, ``lower``, ``after 0``; values in the unit of ``metric``."""
    if check.change is not None:
        return f"{check.change.replace('-', '−')} ± {check.tolerance}"
    if check.direction is not None:
        return check.direction
    return ", ".join(f"{side} {_value(getattr(check, side), metric)}" for side in check.sides)


def _value(found: float | str, metric: Metric | None) -> str:
    if not isinstance(found, str):
        return f"{found:.15g}" if metric is None else wording.amount(found, metric)
    text = found
    if metric is not None:
        text = re.sub(r"\d+(\.\d+)?", lambda number: wording.amount(float(number[0]), metric), text)
    return text.replace("<=", "≤").replace(">=", "≥")


def _amount(comparison: Comparison, own: Mapping[Side, Estimate] | None, side: Side) -> str:
    summary = comparison.before if side == "before" else comparison.after
    if summary is None:
        return wording.NOT_MEASURED
    text = wording.amount(summary.median, comparison.metric)
    estimate = own.get(side) if own else None
    if estimate is None or estimate.level == 1:
        return text
    low, high = (wording.amount(end, comparison.metric) for end in (estimate.low, estimate.high))
    return f"{text} [{low}, {high}]"


def _change(comparison: Comparison) -> str:
    if comparison.effect is None:
        return NOTHING
    return wording.estimate(comparison.effect, comparison.metric, comparison.scale)


def _level(finding: Finding, effect: Estimate | None) -> str:
    estimates = [*(finding.own or {}).values(), *([effect] if effect else [])]
    return wording.level(min(estimate.level for estimate in estimates)) if estimates else ""


def _cost(finding: Finding) -> str:
    comparison, name = finding.comparison, shorten(finding.name)
    if comparison is None:
        return f"{name}: {wording.NOT_MEASURED}"
    values = f"{_amount(comparison, None, 'before')} → {_amount(comparison, None, 'after')}"
    told = wording.verdict(comparison.verdict, minor=comparison.minor)
    change = f"{_change(comparison)}, " if comparison.effect else ""
    return f"{name}: {values} ({change}{told}, n {finding.rounds})"


def _facts(session: Session) -> tuple[tuple[str, str], ...]:
    run: Run = session.after
    volatile = run.environment.volatile
    told = {"commit": volatile.get("commit", ""), "load at start": volatile.get("load at start", "")}
    facts = {
        "session": run.session,
        "started": run.started,
        "variants": f"{session.before.variant.origin} → {run.variant.origin}",
        "rounds": str(run.rounds),
        "seed": str(run.seed),
        "state": run.state,
        "selection": run.selection,
        **told,
        **run.environment.stable,
    }
    return tuple((name, shorten(line(value), 200)) for name, value in facts.items() if value)
