"""The policy that turns verdicts into an exit code."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from harness.errors import SEVERITY, ExitCode
from harness.judge.comparison import Comparison, Verdict
from harness.judge.policy import Policy
from harness.judge.wording import describe_change, one_line, plural
from harness.model import SIDES, Run

_WORST_FIRST = (
    Verdict.REGRESSED,
    Verdict.MISSING,
    Verdict.INCOMPARABLE,
    Verdict.INVALID,
    Verdict.INCONCLUSIVE,
    Verdict.IMPROVED,
    Verdict.UNCHANGED,
)
_JUDGED = frozenset({Verdict.REGRESSED, Verdict.INCONCLUSIVE, Verdict.IMPROVED, Verdict.UNCHANGED})


@dataclass(frozen=True, slots=True)
class Gate:
    """What the gate decided."""

    exit_code: ExitCode
    compared: int
    """Gated comparisons that ended in a judgement (improved, regressed, unchanged, inconclusive)."""
    expected: int
    """Gated comparisons there should have been: "compared N of M"."""
    headline: str
    """One sentence for people: counts, worst first."""
    reasons: tuple[str, ...] = ()
    """Why the exit code is not 0, one line a reason, worst first."""


def decide(comparisons: Sequence[Comparison], before: Run, after: Run, policy: Policy) -> Gate:
    """Turn the comparisons of two runs into an exit code; the worst reason wins.

    A gated metric that regressed is code 10; one that is missing (unless the policy allows it), incomparable or invalid
    is 13, and so is having compared nothing, or too little to call any change whatever its size; an inconclusive one is
    11 under ``policy.strict``. A failure of a scenario in either run is 12; a run that was cut short is 13: what it
    lacks could have regressed. Metrics that are not gated decide nothing.
    """
    gated = [comparison for comparison in comparisons if comparison.metric.gated]
    compared = sum(comparison.verdict in _JUDGED for comparison in gated)
    reasons = [*_failures(before, after), *_interruptions(before, after), *_objections(gated, policy)]
    if not compared:
        reasons.append((ExitCode.BASELINE, "nothing was compared"))
    reasons.sort(key=lambda reason: SEVERITY.index(reason[0]))
    return Gate(
        exit_code=reasons[0][0] if reasons else ExitCode.OK,
        compared=compared,
        expected=len(gated),
        headline=_headline(gated, compared),
        reasons=tuple(text for _, text in reasons),
    )


def _headline(gated: Sequence[Comparison], compared: int) -> str:
    if not gated:
        return "nothing was compared"
    counts = Counter(comparison.verdict for comparison in gated)
    groups = [f"{counts[verdict]} {verdict}" for verdict in _WORST_FIRST if counts[verdict]]
    return " · ".join([*groups, f"compared {compared} of {len(gated)}"])


def _objections(gated: Iterable[Comparison], policy: Policy) -> Iterator[tuple[ExitCode, str]]:
    for comparison in gated:
        code = _code(comparison, policy)
        if code is not ExitCode.OK:
            name = one_line(f"{comparison.scenario}:{comparison.metric.name}")
            yield code, f"{comparison.verdict}: {name} {_detail(comparison)}"


def _code(comparison: Comparison, policy: Policy) -> ExitCode:
    match comparison.verdict:
        case Verdict.REGRESSED:
            return ExitCode.REGRESSED
        case Verdict.MISSING if policy.may_be_missing(comparison.scenario, comparison.metric.name):
            return ExitCode.OK
        case Verdict.MISSING | Verdict.INCOMPARABLE | Verdict.INVALID:
            return ExitCode.BASELINE
        case Verdict.INCONCLUSIVE if not comparison.enough:
            return ExitCode.BASELINE
        case Verdict.INCONCLUSIVE if policy.strict:
            return ExitCode.INCONCLUSIVE
        case Verdict.INCONCLUSIVE | Verdict.IMPROVED | Verdict.UNCHANGED:
            return ExitCode.OK


def _detail(comparison: Comparison) -> str:
    if comparison.reason or comparison.effect is None:
        return comparison.reason
    effect, kind, scale = comparison.effect, comparison.metric.kind, comparison.scale
    value, low, high = (describe_change(change, kind, scale) for change in (effect.value, effect.low, effect.high))
    return value if effect.level == 1 else f"{value} [{low}, {high}]"


def _interruptions(before: Run, after: Run) -> Iterator[tuple[ExitCode, str]]:
    """One line for every run that does not hold all that was planned."""
    for side, run in zip(SIDES, (before, after), strict=True):
        if run.state == "interrupted":
            yield ExitCode.BASELINE, f"{side} was interrupted: what it lacks was not compared"


def _failures(before: Run, after: Run) -> Iterator[tuple[ExitCode, str]]:
    """One line for every scenario that failed in a run."""
    for side, run in zip(SIDES, (before, after), strict=True):
        times = Counter(failure.scenario for failure in run.failures)
        first = {failure.scenario: failure.message for failure in reversed(run.failures)}
        for scenario, number in times.items():
            what = f"{one_line(scenario)} failed {plural(number, 'time')} in {side}"
            yield ExitCode.ENVIRONMENT, f"{what}: {one_line(first[scenario])}"
