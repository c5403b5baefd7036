"""From claims and sessions to verdicts: pure, from the intervals that the comparisons already have."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal

from harness.claims.file import Check, Claim, Span
from harness.errors import SEVERITY, ExitCode
from harness.judge.bounds import own_interval
from harness.judge.compare import EXPLORATORY, compare_runs
from harness.judge.comparison import Comparison, Estimate, Verdict
from harness.judge.controls import without_controls
from harness.judge.looks import reached
from harness.judge.policy import Policy
from harness.judge.required import ANY
from harness.judge.wording import plural
from harness.model import SIDES, Run, Sample, Side
from harness.patterns import matches
from harness.statistics.counts import never_varies

Key = tuple[str, str]
"""Scenario and metric."""
State = Literal["holds", "fails", "undecided", "absent"]
"""``undecided``: measured, and the evidence does not tell. ``absent``: there is nothing to judge."""

_CALLED = (Verdict.IMPROVED, Verdict.REGRESSED)
_NOTHING_JUDGED = (Verdict.MISSING, Verdict.INCOMPARABLE, Verdict.INVALID)


class ClaimVerdict(StrEnum):
    """What may be said of a claim."""

    SUPPORTED = "supported"
    REFUTED = "refuted"
    NOT_MEASURED = "not measured"


@dataclass(frozen=True, slots=True)
class Session:
    """Both runs of one session, compared."""

    label: str
    """What rows call it: A, B, and so on."""
    before: Run
    after: Run
    comparisons: Mapping[Key, Comparison]

    def sample(self, key: Key, side: Side) -> Sample | None:
        """The values of one variant in the rounds that count."""
        runs = (self.before, self.after)
        found = (s for s in runs[SIDES.index(side)].samples if (s.scenario, s.metric.name) == key and s.values)
        sample = next(found, None)
        return None if sample is None else reached(key[0], runs).counting(sample)

    def level(self, scenario: str) -> float:
        """The two-sided level of one variant's own interval; looking several times takes its share."""
        return reached(scenario, (self.before, self.after)).level(EXPLORATORY)


@dataclass(frozen=True, slots=True)
class Finding:
    """One metric, held against one check; as a cost against none."""

    name: str
    """``scenario:metric``; of what was not found, the pattern."""
    state: State
    reason: str = ""
    check: Check | None = None
    session: str = ""
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


def session_of(label: str, before: Run, after: Run, policy: Policy) -> Session:
    """Compare both runs as every report does, control arms aside."""
    runs = without_controls(before), without_controls(after)
    comparisons = compare_runs(*runs, policy)
    return Session(label, *runs, {(c.scenario, c.metric.name): c for c in comparisons if c.metric.name != ANY})


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
    lacking = [f"{name}:{metric}" for name in _unmeasured(scenario, sessions) if name not in measured]
    absent = lacking if keys or lacking else [pattern]
    return [
        *(_finding(key, check, _best(key, sessions)) for key in keys),
        *(Finding(name, "absent", _why_absent(name, sessions), check) for name in absent),
    ]


def _unmeasured(pattern: str, sessions: Sequence[Session]) -> list[str]:
    """The scenarios meant by ``pattern`` that a session knows of, though it may have no value of them."""
    runs = [run for session in sessions for run in (session.before, session.after)]
    known = [f.scenario for run in runs for f in run.failures] + [u.scenario for run in runs for u in run.unmeasured]
    known += [name for run in runs for name in run.left_out]
    return [name for name in dict.fromkeys(known) if matches(name, pattern)]


def _against(check: Check, than: str, sessions: Sequence[Session]) -> Finding:
    """One metric of ``after`` held against another one of the same run."""
    name = f"{check.metric} than {than}"
    for session in sessions:
        first, second = (_of_after(session, metric) for metric in (than, check.metric))
        if first is not None and second is not None:
            comparison = _within(session.after, first, second)
            return Finding(name, *_judge(check, comparison, {}), check, session.label, comparison)
    return Finding(name, "absent", _why_absent(check.metric, sessions), check)


def _of_after(session: Session, name: str) -> Sample | None:
    return next((session.sample(key, "after") for key in session.comparisons if ":".join(key) == name), None)


def _within(run: Run, first: Sample, second: Sample) -> Comparison:
    """The change from one sample of ``run`` to another, by the usual comparison: the first plays ``before``."""
    # Under one name, or they would not be compared; what else differs in their definitions makes them incomparable.
    played = replace(first, scenario=second.scenario, metric=replace(first.metric, name=second.metric.name))
    compared = compare_runs(
        replace(run, samples=(played,)), replace(run, samples=(second,)), Policy(error_budget=EXPLORATORY)
    )
    return compared[0]


def _best(key: Key, sessions: Sequence[Session]) -> Session:
    having = [session for session in sessions if key in session.comparisons]
    judged = (session for session in having if session.comparisons[key].verdict not in _NOTHING_JUDGED)
    return next(judged, having[0])


def _why_absent(pattern: str, sessions: Sequence[Session]) -> str:
    """What is known of a metric that no session has."""
    scenario, _, metric = pattern.partition(":")
    for session in sessions:
        if names := [key[1] for key in session.comparisons if matches(key[0], scenario)]:
            return f"{scenario} has no metric {metric}; it has {', '.join(dict.fromkeys(names))}"
        runs = (session.before, session.after)
        told = [f"failed: {f.message}" for run in runs for f in run.failures if matches(f.scenario, scenario)]
        told += [u.why for run in runs for u in run.unmeasured if matches(u.scenario, scenario)]
        told += ["its tag leaves it to a longer session" for name in session.after.left_out if matches(name, scenario)]
        if told:
            return told[0]
    return f"no session has the scenario {scenario}"


def _finding(key: Key, check: Check | None, session: Session) -> Finding:
    comparison = session.comparisons[key]
    own = {side: _own(session, key, side) for side in check.sides} if check else {}
    state, reason = _judge(check, comparison, own)
    measured = {side: estimate for side, estimate in own.items() if estimate is not None}
    return Finding(":".join(key), state, reason, check, session.label, comparison, measured or None)


def _own(session: Session, key: Key, side: Side) -> Estimate | None:
    """The median of one variant, or its share, inside its interval; a count that is always the same is exact."""
    sample, comparison = session.sample(key, side), session.comparisons[key]
    summary = comparison.before if side == "before" else comparison.after
    if sample is None or summary is None or comparison.verdict is Verdict.INVALID:
        return None
    if sample.metric.kind == "count" and never_varies(sample.values) and len(set(sample.rounds)) > 1:
        return Estimate(summary.median, summary.median, summary.median, 1.0)
    level = session.level(key[0])
    return Estimate(summary.median, *own_interval(sample, level), 1 - level)


def _judge(
    check: Check | None, comparison: Comparison, own: Mapping[Literal["before", "after"], Estimate | None]
) -> tuple[State, str]:
    if check is None:
        return ("absent", comparison.reason) if comparison.verdict in _NOTHING_JUDGED else ("holds", "")
    if own:
        return _of_values(check, comparison, own)
    if comparison.verdict in _NOTHING_JUDGED:
        return "absent", comparison.reason
    if comparison.effect is None:
        return "undecided", comparison.reason or _few(comparison)
    if check.change is not None:
        return _of_change(check, comparison, comparison.effect)
    return _of_direction(check, comparison, comparison.effect)


def _of_values(
    check: Check, comparison: Comparison, own: Mapping[Literal["before", "after"], Estimate | None]
) -> tuple[State, str]:
    found: list[tuple[State, str]] = []
    for side, claimed in check.sides.items():
        estimate = own[side]
        if estimate is None:
            found.append(("absent", comparison.reason or f"not measured in {side}"))
            continue
        state = _held(claimed, estimate)
        found.append((state, {"fails": f"{side} is not as claimed", "undecided": _few(comparison)}.get(state, "")))
    return min(found, key=lambda one: ("fails", "absent", "undecided", "holds").index(one[0]))


def _held(claimed: Span, found: Estimate) -> State:
    """Inside, outside, or across an edge of what is claimed."""
    if claimed.low <= found.low and found.high <= claimed.high:
        return "holds"
    return "fails" if found.high < claimed.low or claimed.high < found.low else "undecided"


def _of_change(check: Check, comparison: Comparison, effect: Estimate) -> tuple[State, str]:
    if (comparison.scale == "absolute") != check.in_points:
        of = (
            "a share changes by points" if comparison.metric.kind == "rate" else "from 0 there is no change in per cent"
        )
        return "undecided", of if comparison.scale == "absolute" else "only a share changes by points"
    state = _held(check.claimed, effect)
    if state == "fails":
        return state, _beside(check.claimed, comparison, effect)
    return state, _few(comparison) if state == "undecided" else ""


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


def _of_direction(check: Check, comparison: Comparison, effect: Estimate) -> tuple[State, str]:
    """By the verdict: a change is called beyond the floor, and "unchanged" is shown, not assumed."""
    called, unchanged = comparison.verdict in _CALLED, comparison.verdict is Verdict.UNCHANGED
    if not called and not unchanged:
        return "undecided", _few(comparison)
    if check.direction == "unchanged":
        small = unchanged or comparison.minor
        return ("holds", "") if small else ("fails", "it changes")
    if unchanged:
        return "fails", "no change that matters"
    right = (effect.value < 0) == (check.direction == "lower")
    return ("holds", "") if right else ("fails", "the change goes the other way")


def _few(comparison: Comparison) -> str:
    """Why it is not decided: the interval lies across an edge of what is claimed, or of what matters."""
    rounds = comparison.units or max((s.n for s in (comparison.before, comparison.after) if s), default=0)
    return f"{plural(rounds, 'round')} {'does' if rounds == 1 else 'do'} not decide it"
