"""Two runs in, one comparison for every metric of either out."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from harness.errors import ExitCode, HarnessError
from harness.judge import bounds, required
from harness.judge.caveats import caveats_of_evidence, caveats_of_runs, caveats_of_samples
from harness.judge.comparison import Comparison, Estimate, Verdict
from harness.judge.evidence import weigh
from harness.judge.obstacles import find_obstacle, same_session, why_missing
from harness.judge.policy import Policy
from harness.judge.required import Key
from harness.judge.samples import summarise
from harness.judge.verdict import detectable, direction, explain_inconclusive, judge
from harness.judge.wording import one_line
from harness.model import Metric, Run, Sample
from harness.statistics.counts import never_varies
from harness.statistics.multiplicity import benjamini_hochberg, bonferroni

EXPLORATORY = 0.05
"""Two-sided level of a metric that is not gated, and the share of false discoveries allowed among all of them."""

_CALLED = (Verdict.REGRESSED, Verdict.IMPROVED)
_ONE_COUNT = "one value cannot show whether a count varies; at least 2 rounds would decide"


@dataclass(frozen=True, slots=True)
class _Frame:
    """What all comparisons of two runs share."""

    runs: tuple[Run, Run]
    policy: Policy
    gated_alpha: float

    @property
    def paired(self) -> bool:
        """Whether the runs were measured interleaved."""
        return same_session(*self.runs)


def compare_runs(before: Run, after: Run, policy: Policy) -> tuple[Comparison, ...]:
    """Compare every metric that either run has, in the order of first appearance, those of ``before`` first.

    Runs of one session are compared pair by pair, others as independent samples with intervals widened by what two
    sessions may differ. All gated metrics share ``policy.error_budget``; the others are called by Benjamini-Hochberg.
    Raises HarnessError when a run holds the same metric twice.
    """
    left, right = _by_key(before, "before"), _by_key(after, "after")
    runs = before, after
    keys = required.expected(dict.fromkeys([*left, *right]), runs, policy)
    absent = required.absent(keys, runs, policy)
    metrics = [_definition(left.get(key), right.get(key)) for key in keys]
    tests = len(absent) + sum(bounds.tests(metric) for metric in metrics if metric.gated)
    frame = _Frame(runs, policy, bonferroni(policy.error_budget, tests))
    compared = _only_discoveries(tuple(_compare(frame, key, (left.get(key), right.get(key))) for key in keys))
    held = (_held(frame, comparison, left, right) for comparison in compared)
    return (*required.explain(held, runs, policy), *absent)


def _held(
    frame: _Frame, comparison: Comparison, before: Mapping[Key, Sample], after: Mapping[Key, Sample]
) -> Comparison:
    """The comparison with its bounds held against it."""
    key = (comparison.scenario, comparison.metric.name)
    level = bounds.level_of_budget(frame.gated_alpha, frame.runs[1])
    return replace(comparison, bounds=bounds.bounds_of(comparison, before.get(key), after.get(key), level))


def _by_key(run: Run, side: str) -> dict[Key, Sample]:
    samples: dict[Key, Sample] = {}
    for sample in run.samples:
        key = (sample.scenario, sample.metric.name)
        if key in samples:
            raise HarnessError(f"{side}: the run holds {one_line(':'.join(key))} twice", ExitCode.INTEGRITY)
        samples[key] = sample
    return samples


def _definition(before: Sample | None, after: Sample | None) -> Metric:
    """The metric as it is defined now."""
    sample = after or before
    assert sample is not None, "every key comes from a sample"
    return sample.metric


def _compare(frame: _Frame, key: Key, samples: tuple[Sample | None, Sample | None]) -> Comparison:
    before, after = samples
    comparison = Comparison(
        scenario=key[0],
        metric=_definition(before, after),
        verdict=Verdict.MISSING,
        before=summarise(before) if before else None,
        after=summarise(after) if after else None,
        warnings=tuple(caveats_of_runs(key[0], frame.runs)),
    )
    if before is None or after is None or not before.values or not after.values:
        return replace(comparison, reason=why_missing(key[0], frame.runs, samples))
    if obstacle := find_obstacle(frame.runs, before, after):
        return replace(comparison, verdict=obstacle.verdict, reason=obstacle.reason)
    caveats = caveats_of_samples(before, after, paired=frame.paired)
    comparison = replace(comparison, warnings=(*comparison.warnings, *caveats))
    if comparison.metric.kind == "count":
        if min(len(before.values), len(after.values)) < 2:
            return replace(comparison, verdict=Verdict.INCONCLUSIVE, units=1, method="exact count", reason=_ONE_COUNT)
        if never_varies(before.values) and never_varies(after.values):
            return _exact(comparison, before, after)
    return _weighed(frame, comparison, before, after)


def _exact(comparison: Comparison, before: Sample, after: Sample) -> Comparison:
    """Counts that never vary: any difference is certain, and the floor says nothing about it.

    The effect is relative, from a count of 0 absolute.
    """
    old, new = before.values[0], after.values[0]
    change, step = ((new - old) / old, 1 / old) if old else (new, 1.0)
    return replace(
        comparison,
        verdict=direction(change, comparison.metric) if change else Verdict.UNCHANGED,
        effect=Estimate(change, change, change, 1.0),
        scale="relative" if old else "absolute",
        units=min(len(before.values), len(after.values)),
        detectable=step,
        method="exact count",
    )


def _weighed(frame: _Frame, comparison: Comparison, before: Sample, after: Sample) -> Comparison:
    """Everything with chance in it."""
    metric = comparison.metric
    alpha = frame.gated_alpha if metric.gated else EXPLORATORY
    between = frame.policy.factor_between_sessions(comparison.scenario, metric.name, alpha)
    evidence = weigh(before, after, paired=frame.paired, alpha=alpha, between_sessions=between)
    verdict = judge(evidence, metric)
    value, low, high = (evidence.reported(change) for change in (evidence.value, *evidence.interval))
    return replace(
        comparison,
        verdict=verdict,
        effect=Estimate(value, low, high, 1 - alpha),
        scale=evidence.scale,
        units=evidence.units,
        p_value=evidence.p_value,
        detectable=detectable(evidence, metric),
        method=evidence.method if metric.gated else f"{evidence.method}, exploratory",
        warnings=(*comparison.warnings, *caveats_of_evidence(evidence, before, after)),
        reason=explain_inconclusive(evidence, metric) if verdict is Verdict.INCONCLUSIVE else "",
    )


def _only_discoveries(comparisons: tuple[Comparison, ...]) -> tuple[Comparison, ...]:
    """Take back what was called of metrics that are not gated, unless it stands among all of them."""
    family = [c for c in comparisons if not c.metric.gated and c.p_value is not None]
    rejected = benjamini_hochberg([c.p_value for c in family if c.p_value is not None], EXPLORATORY)
    chance = {id(c) for c, discovery in zip(family, rejected, strict=True) if not discovery and c.verdict in _CALLED}
    reason = f"beyond the floor by itself, but not among {len(family)} exploratory metrics (Benjamini-Hochberg)"
    return tuple(replace(c, verdict=Verdict.INCONCLUSIVE, reason=reason) if id(c) in chance else c for c in comparisons)
