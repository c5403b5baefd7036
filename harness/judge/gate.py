"""The policy that turns verdicts into an exit code."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.errors import SEVERITY, ExitCode
from harness.judge.comparison import BoundState, Comparison, Verdict
from harness.judge.policy import Policy
from harness.judge.wording import describe_bound, describe_change, one_line, plural
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

_WITHOUT_LIMIT: Mapping[Verdict, BoundState] = {Verdict.REGRESSED: "broken", Verdict.INCONCLUSIVE: "undecided"}
"""What a verdict alone says of a metric that has no limit."""


@dataclass(frozen=True, slots=True)
class Gate:
    """What the gate decided."""

    exit_code: ExitCode
    compared: int
    """Gated comparisons that were judged: improved, regressed, unchanged, inconclusive, or by a budget alone."""
    expected: int
    """Gated comparisons there should have been: "compared N of M"."""
    headline: str
    """One sentence for people: counts, worst first."""
    reasons: tuple[str, ...] = ()
    """Why the exit code is not 0, one line a reason, worst first."""


def decide(comparisons: Sequence[Comparison], before: Run, after: Run, policy: Policy) -> Gate:
    """Turn the comparisons of two runs into an exit code; the worst reason wins.

    What each comparison costs is told by ``cost``. Having compared nothing is 13, and so is a run that was cut short:
    what it lacks could have regressed. A failure of a scenario in either run is 12. Metrics that are not gated decide
    nothing, but required ones that are missing.
    """
    gated = [comparison for comparison in comparisons if counts(comparison)]
    compared = sum(judged(comparison) for comparison in gated)
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
        code = cost(comparison, policy)
        if code is not ExitCode.OK:
            yield code, objection(comparison)


def objection(comparison: Comparison) -> str:
    """What is wrong with a comparison, in one line."""
    name = one_line(f"{comparison.scenario}:{comparison.metric.name}")
    kept = (describe_bound(bound, comparison.metric) for bound in comparison.bounds if bound.state != "kept")
    return "; ".join([f"{comparison.verdict}: {name} {_detail(comparison)}", *kept])


def counts(comparison: Comparison) -> bool:
    """Whether the gate looks at this comparison."""
    return comparison.metric.gated or (comparison.metric.required and comparison.verdict is Verdict.MISSING)


def judged(comparison: Comparison) -> bool:
    """Whether it ended in a judgement: of the change, or of ``after`` alone where there is nothing before it."""
    return (comparison.verdict in _JUDGED and not comparison.report_only) or _on_budget_alone(comparison)


def cost(comparison: Comparison, policy: Policy) -> ExitCode:
    """The exit code that one comparison asks for.

    Missing (unless the policy allows it), incomparable and invalid are 13, and so is too little to call any change
    whatever its size, unless the limits of the metric are shown to hold. A broken bound is 10, and so is a regression
    of a metric without a limit; with one, the limit alone decides. What stays undecided is 11 under ``policy.strict``,
    also what is seen too coarsely.
    """
    if not judged(comparison) and not comparison.report_only:
        return ExitCode.OK if _excused(comparison, policy) else ExitCode.BASELINE
    states = {bound.state for bound in comparison.bounds}
    limits = {bound.state for bound in comparison.bounds if bound.name != "budget"}
    too_few = comparison.verdict is Verdict.INCONCLUSIVE and not comparison.enough
    if too_few and "broken" not in states and (not limits or "undecided" in limits):
        return ExitCode.BASELINE
    if not limits:
        ignored = comparison.minor and policy.ignore_minor
        states.add("kept" if ignored else _WITHOUT_LIMIT.get(comparison.verdict, "kept"))
    if "broken" in states:
        return ExitCode.REGRESSED
    return ExitCode.INCONCLUSIVE if "undecided" in states and policy.strict else ExitCode.OK


def _on_budget_alone(comparison: Comparison) -> bool:
    """Whether only ``after`` was measured, and has a budget: that needs no baseline."""
    return comparison.verdict is Verdict.MISSING and comparison.before is None and bool(comparison.bounds)


def _excused(comparison: Comparison, policy: Policy) -> bool:
    return (
        comparison.verdict is Verdict.MISSING
        and not comparison.metric.required
        and policy.may_be_missing(comparison.scenario, comparison.metric.name)
    )


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
