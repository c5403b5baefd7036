"""From claims and sessions to verdicts: pure, from the intervals that the comparisons already have."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from harness.claims.file import Check, Claim, Span
from harness.claims.session import (
    NOTHING_JUDGED,
    Key,
    Session,
    best,
    of_after,
    own_of,
    rounds_of,
    unmeasured,
    why_absent,
    within,
)
from harness.errors import SEVERITY, ExitCode
from harness.judge.comparison import Comparison, Estimate, Verdict
from harness.judge.wording import plural
from harness.model import SIDES, Side
from harness.patterns import matches

State = Literal["holds", "fails", "undecided", "absent"]
"""``undecided``: measured, and the evidence does not tell. ``absent``: there is nothing to judge."""

_CALLED = (Verdict.IMPROVED, Verdict.REGRESSED)


class ClaimVerdict(StrEnum):
    """What may be said of a claim."""

    SUPPORTED = "supported"
    REFUTED = "refuted"
    NOT_MEASURED = "not measured"


@dataclass(frozen=True, slots=True)
class Finding:
    """One metric, held against one check; as a cost against none."""

    name: str
    """``scenario:metric``; of what was not found, the pattern."""
    state: State
    reason: str = ""
    check: Check | None = None
    session: str = ""
    rounds: int = 0
    comparison: Comparison | None = None
    own: Mapping[Side, Estimate] | None = None
    """What either variant measured by itself, where that is what was claimed."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A claim and what became of it."""

    claim: Claim
    verdict: ClaimVerdict
    findings: tuple[Finding, ...]
    costs: tuple[Finding, ...]


def judge_claim(claim: Claim, sessions: Sequence[Session]) -> Judged:
    """A claim is supported if all its checks hold, refuted if one fails, and else not measured."""
    findings = tuple(finding for check in claim.checks for finding in _findings(check.metric, check, sessions))
    costs = tuple(finding for pattern in claim.cost for finding in _findings(pattern, None, sessions))
    states = {finding.state for finding in findings}
    if "fails" in states:
        verdict = ClaimVerdict.REFUTED
    elif states == {"holds"}:
        verdict = ClaimVerdict.SUPPORTED
    else:
        verdict = ClaimVerdict.NOT_MEASURED
    return Judged(claim, verdict, findings, costs)


def exit_code(judged: Sequence[Judged], *, strict: bool) -> ExitCode:
    """10: a claim is refuted. 13: what one speaks of was not measured. 11, if ``strict``: the evidence does not tell.

    A claim that says itself why it is not measured costs nothing; none but such is 13, as nothing was checked.
    """
    states = {finding.state for one in judged for finding in one.findings}
    found = {ExitCode.OK}
    found |= {ExitCode.REGRESSED} if "fails" in states else set()
    found |= {ExitCode.BASELINE} if "absent" in states or not states else set()
    found |= {ExitCode.INCONCLUSIVE} if strict and "undecided" in states else set()
    return next(code for code in SEVERITY if code in found)


def counts(judged: Sequence[Judged]) -> dict[ClaimVerdict, int]:
    """How many claims have each verdict, all three named."""
    found = Counter(one.verdict for one in judged)
    return {verdict: found[verdict] for verdict in ClaimVerdict}


def causes(judged: Sequence[Judged]) -> dict[str, int]:
    """Why claims are not measured, and how many for each reason that there is."""
    found = Counter(_cause(one) for one in judged if one.verdict is ClaimVerdict.NOT_MEASURED)
    return dict(sorted(found.items()))


def _cause(judged: Judged) -> str:
    if judged.claim.why_not:
        return "cannot be here"
    return "missing" if any(finding.state == "absent" for finding in judged.findings) else "not decided"


def _findings(pattern: str, check: Check | None, sessions: Sequence[Session]) -> list[Finding]:
    """One for every metric that ``pattern`` means, of the first session that has it on both sides, or else at all; and
    one for every scenario that it means and no session could measure."""
    if check is not None and check.than is not None:
        return [_against(check, check.than, sessions)]
    keys = dict.fromkeys(key for session in sessions for key in session.comparisons if matches(":".join(key), pattern))
    measured = {key[0] for key in keys}
    scenario, _, metric = pattern.partition(":")
    lacking = [f"{name}:{metric}" for name in unmeasured(scenario, sessions) if name not in measured]
    absent = lacking if keys or lacking else [pattern]
    return [
        *(_finding(key, check, best(key, sessions)) for key in keys),
        *(Finding(name, "absent", why_absent(name, sessions), check) for name in absent),
    ]


def _against(check: Check, than: str, sessions: Sequence[Session]) -> Finding:
    """One metric of ``after`` held against another one of the same run."""
    name = f"{check.metric} than {than}"
    found: list[Finding] = []
    for session in sessions:
        first, second = (of_after(session, metric) for metric in (than, check.metric))
        if first is not None and second is not None:
            comparison = within(session.after, first, second)
            rounds = rounds_of(comparison, first, second)
            judged = _judge(check, comparison, rounds, {})
            found.append(Finding(name, *judged, check, session.label, rounds, comparison))
    if found:
        return next((one for one in found if one.comparison and one.comparison.enough), found[0])
    lacking = (metric for metric in (check.metric, than) if not any(of_after(one, metric) for one in sessions))
    reasons = (why_absent(metric, sessions) for metric in lacking)
    return Finding(name, "absent", next(reasons, "no session has both"), check)


def _finding(key: Key, check: Check | None, session: Session) -> Finding:
    comparison = session.comparisons[key]
    own = {side: own_of(session, key, side) for side in check.sides} if check else {}
    rounds = rounds_of(comparison, *(session.sample(key, side) for side in SIDES))
    state, reason = _judge(check, comparison, rounds, own)
    measured = {side: estimate for side, estimate in own.items() if estimate is not None}
    return Finding(":".join(key), state, reason, check, session.label, rounds, comparison, measured or None)


def _judge(
    check: Check | None, comparison: Comparison, rounds: int, own: Mapping[Side, Estimate | None]
) -> tuple[State, str]:
    if check is None:
        return ("absent", comparison.reason) if comparison.verdict in NOTHING_JUDGED else ("holds", "")
    if own:
        return _of_values(check, comparison, rounds, own)
    if comparison.verdict in NOTHING_JUDGED:
        return "absent", comparison.reason
    if comparison.effect is None:
        return "undecided", comparison.reason or _few(rounds)
    if check.change is not None:
        return _of_change(check, comparison, rounds, comparison.effect)
    return _of_direction(check, comparison, rounds, comparison.effect)


def _of_values(
    check: Check, comparison: Comparison, rounds: int, own: Mapping[Side, Estimate | None]
) -> tuple[State, str]:
    found: list[tuple[State, str]] = []
    for side, claimed in check.sides.items():
        estimate = own[side]
        if estimate is None:
            found.append(("absent", comparison.reason or f"not measured in {side}"))
            continue
        state = _held(claimed, estimate)
        found.append((state, {"fails": f"{side} is not as claimed", "undecided": _few(rounds)}.get(state, "")))
    return min(found, key=lambda one: ("fails", "absent", "undecided", "holds").index(one[0]))


def _held(claimed: Span, found: Estimate) -> State:
    """Inside, outside, or across an edge of what is claimed."""
    if claimed.low <= found.low and found.high <= claimed.high:
        return "holds"
    return "fails" if found.high < claimed.low or claimed.high < found.low else "undecided"


def _of_change(check: Check, comparison: Comparison, rounds: int, effect: Estimate) -> tuple[State, str]:
    if (comparison.scale == "absolute") != check.in_points:
        of = (
            "a share changes by points" if comparison.metric.kind == "rate" else "from 0 there is no change in per cent"
        )
        return "undecided", of if comparison.scale == "absolute" else "only a share changes by points"
    state = _held(check.claimed, effect)
    if state == "fails":
        return state, _beside(check.claimed, comparison, effect)
    return state, _few(rounds) if state == "undecided" else ""


def _beside(claimed: Span, comparison: Comparison, effect: Estimate) -> str:
    """In which way a change is not the claimed one."""
    if comparison.verdict is Verdict.UNCHANGED:
        return "no change that matters"
    grows = claimed.low + claimed.high >= 0
    beyond = effect.low > claimed.high if grows else effect.high < claimed.low
    if beyond:
        return "the change is larger than claimed"
    opposite = effect.high < 0 if grows else effect.low > 0
    return "the change goes the other way" if opposite else "the change is smaller than claimed"


def _of_direction(check: Check, comparison: Comparison, rounds: int, effect: Estimate) -> tuple[State, str]:
    """By the verdict: a change is called beyond the floor, and "unchanged" is shown, not assumed."""
    called, unchanged = comparison.verdict in _CALLED, comparison.verdict is Verdict.UNCHANGED
    if not called and not unchanged:
        return "undecided", comparison.reason or _few(rounds)
    if check.direction == "unchanged":
        small = unchanged or comparison.minor
        return ("holds", "") if small else ("fails", "it changes")
    if unchanged:
        return "fails", "no change that matters"
    right = (effect.value < 0) == (check.direction == "lower")
    return ("holds", "") if right else ("fails", "the change goes the other way")


def _few(rounds: int) -> str:
    """Why it is not decided: the interval lies across an edge of what is claimed, or of what matters."""
    return f"{plural(rounds, 'round')} {'does' if rounds == 1 else 'do'} not decide it"
