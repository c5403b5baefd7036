"""Two runs in, one comparison for every metric of either out."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from harness.errors import ExitCode, HarnessError
from harness.judge import bounds, required
from harness.judge.caveats import caveats_of_evidence, caveats_of_look, caveats_of_runs, caveats_of_samples
from harness.judge.comparison import Comparison, Estimate, Verdict
from harness.judge.evidence import EQUIVALENCE, fewest, weigh
from harness.judge.looks import Look, reached
from harness.judge.obstacles import find_obstacle, same_session, why_missing
from harness.judge.policy import Policy
from harness.judge.required import Key
from harness.judge.samples import summarise, units_of
from harness.judge.verdict import (
    detectable,
    direction,
    explain_inconclusive,
    judge,
    too_coarse,
    too_few,
    too_small_to_matter,
)
from harness.judge.wording import one_line
from harness.model import Metric, Run, Sample
from harness.statistics.counts import never_varies
from harness.statistics.multiplicity import able, benjamini_hochberg, bonferroni

EXPLORATORY = 0.05
"""Two-sided level of a metric that is not gated, and the share of false discoveries allowed among all of them."""

_CALLED = (Verdict.REGRESSED, Verdict.IMPROVED)
_QUANTILE_OF_TWO = "report only: a quantile is compared within one session only"
_FEWEST_ALIKE = 2
"""In so many rounds a count has to be the same to be taken as one that never varies."""
_TOO_COARSE = "report only: the interval is not narrower than the smallest effect that matters; "
_OF_LEARNED_SPREAD = 0.5
"""The share of the level that the test gets when how much sessions differ is itself only known with an error."""


Each = Callable[[Callable[[Key], Comparison], Iterable[Key]], Iterable[Comparison]]
"""Calls a function for each of many keys and gives what it returns in their order, as ``map`` does."""


@dataclass(frozen=True, slots=True)
class _Frame:
    """What all comparisons of two runs share."""

    runs: tuple[Run, Run]
    policy: Policy
    looks: Mapping[str, Look]
    """Scenario -> the look at which it is judged."""
    gated_alpha: float
    """Of one test at all looks together."""

    @property
    def paired(self) -> bool:
        """Whether the runs were measured interleaved."""
        return same_session(*self.runs)

    def level(self, comparison: Comparison) -> float:
        """Of the test of a change, at the look at which it is judged."""
        return self.looks[comparison.scenario].level(self.gated_alpha if comparison.metric.gated else EXPLORATORY)


def compare_runs(
    before: Run, after: Run, policy: Policy, *, at: int | None = None, each: Each = map
) -> tuple[Comparison, ...]:
    """Compare every metric that either run has, in the order of first appearance, those of ``before`` first.

    Runs of one session are compared pair by pair, others as independent samples with intervals widened by what two
    sessions may differ. All gated metrics that have rounds enough to alarm share ``policy.error_budget``; the others
    are called by Benjamini-Hochberg.
    Each scenario is judged at the last look of the session that it has reached; with ``at``, as after so many rounds.
    ``each`` says how the metrics are gone through: no comparison needs another.
    Raises HarnessError when a run holds the same metric twice or its looks are no plan.
    """
    runs = before, after
    scenarios = dict.fromkeys(sample.scenario for run in runs for sample in run.samples)
    looks = {scenario: reached(scenario, runs, at) for scenario in scenarios}
    left, right = _by_key(before, "before", looks), _by_key(after, "after", looks)
    keys = required.expected(dict.fromkeys([*left, *right]), runs, policy)
    absent = required.absent(keys, runs, policy)
    metrics = [_definition(left.get(key), right.get(key)) for key in keys]
    attainable = [0.0] * len(absent)
    for key, metric in zip(keys, metrics, strict=True):
        if metric.gated:
            attainable += [_attainable(metric, looks.get(key[0]))] * bounds.tests(metric)
    frame = _Frame(runs, policy, looks, bonferroni(policy.error_budget, able(policy.error_budget, attainable)))
    compared = _only_discoveries(tuple(each(lambda key: _compare(frame, key, (left.get(key), right.get(key))), keys)))
    held = (_held(frame, comparison, left, right) for comparison in compared)
    return (*required.explain(held, runs, policy), *absent)


def _attainable(metric: Metric, look: Look | None) -> float:
    """The smallest p-value that the change of ``metric`` can have after all planned rounds: that of n rounds which all
    say the same is 2 * 2^-n. 0 where nothing was planned, or where a budget has a test of another kind."""
    if look is None or not look.planned or metric.budget is not None:
        return 0.0
    return 2.0 ** (1 - look.planned[-1])


def _held(
    frame: _Frame, comparison: Comparison, before: Mapping[Key, Sample], after: Mapping[Key, Sample]
) -> Comparison:
    """The comparison with its bounds held against it."""
    key = (comparison.scenario, comparison.metric.name)
    look = frame.looks.get(comparison.scenario)
    level = look.level(frame.gated_alpha) if look else frame.gated_alpha
    return replace(comparison, bounds=bounds.bounds_of(comparison, before.get(key), after.get(key), level))


def _by_key(run: Run, side: str, looks: Mapping[str, Look]) -> dict[Key, Sample]:
    """The samples of a run, with the rounds that count."""
    samples: dict[Key, Sample] = {}
    for sample in run.samples:
        key = (sample.scenario, sample.metric.name)
        if key in samples:
            raise HarnessError(f"{side}: the run holds {one_line(':'.join(key))} twice", ExitCode.INTEGRITY)
        samples[key] = looks[sample.scenario].counting(sample)
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
    comparison = replace(comparison, warnings=(*comparison.warnings, *caveats, *caveats_of_look(frame.looks[key[0]])))
    if comparison.metric.kind == "count" and _never_vary(before.values, after.values):
        return _exact(frame, comparison, before, after)
    if comparison.metric.quantile is not None and not frame.paired:
        return replace(comparison, verdict=Verdict.INCONCLUSIVE, report_only=True, reason=_QUANTILE_OF_TWO)
    return _weighed(frame, comparison, before, after)


def _never_vary(before: Sequence[float], after: Sequence[float]) -> bool:
    """Whether both are constant, as far as is known. Where nothing was counted there is no ratio to weigh, either."""
    return (never_varies(before) and never_varies(after)) or not (any(before) or any(after))


def _exact(frame: _Frame, comparison: Comparison, before: Sample, after: Sample) -> Comparison:
    """Counts that never vary: any difference is certain, and the floor says nothing about it.

    That is, once so many rounds agree that chance will not have sorted them; a process repeats itself. The effect is
    relative, from a count of 0 absolute.
    """
    old, new = before.values[0], after.values[0]
    change, step = ((new - old) / old, 1 / old) if old else (new, 1.0)
    rounds = units_of(before, after, paired=frame.paired)
    needed = fewest(frame.level(comparison), paired=frame.paired) if change else _FEWEST_ALIKE
    comparison = replace(comparison, units=rounds, method="exact count")
    if rounds < needed:
        return replace(comparison, verdict=Verdict.INCONCLUSIVE, enough=False, reason=too_few(rounds, needed))
    return replace(
        comparison,
        verdict=direction(change, comparison.metric) if change else Verdict.UNCHANGED,
        effect=Estimate(change, change, change, 1.0),
        minor=bool(change and old and new) and too_small_to_matter((math.log(new / old),) * 2, comparison.metric),
        scale="relative" if old else "absolute",
        detectable=step,
    )


def _weighed(frame: _Frame, comparison: Comparison, before: Sample, after: Sample) -> Comparison:
    """Everything with chance in it."""
    metric = comparison.metric
    look = frame.looks[comparison.scenario]
    alpha = frame.level(comparison)
    spread = frame.policy.spreads.get((comparison.scenario, metric.name))
    evidence = weigh(
        before,
        after,
        paired=frame.paired,
        alpha=alpha,
        inner_alpha=look.level(EQUIVALENCE),
        between_sessions=spread.factor(alpha * _OF_LEARNED_SPREAD) if spread else frame.policy.between_sessions,
        own_share=_OF_LEARNED_SPREAD if spread else 1.0,
    )
    verdict = judge(evidence, metric)
    undecided = verdict is Verdict.INCONCLUSIVE
    report_only = undecided and metric.gated and metric.quantile is not None and too_coarse(evidence, metric)
    reason = ""
    if undecided:
        reason = _TOO_COARSE if report_only else ""
        reason += explain_inconclusive(evidence, metric, look.later, frame.runs[1].seconds_per_round)
    value, low, high = (evidence.reported(change) for change in (evidence.value, *evidence.interval))
    return replace(
        comparison,
        verdict=verdict,
        minor=verdict in _CALLED and too_small_to_matter(evidence.interval, metric),
        report_only=report_only,
        effect=Estimate(value, low, high, 1 - alpha),
        scale=evidence.scale,
        units=evidence.units,
        enough=evidence.units >= evidence.fewest,
        p_value=evidence.p_value,
        detectable=detectable(evidence, metric),
        method=", ".join(filter(None, [evidence.method, look.name, "" if metric.gated else "exploratory"])),
        warnings=(*comparison.warnings, *caveats_of_evidence(evidence, before, after, spread)),
        reason=reason,
    )


def _only_discoveries(comparisons: tuple[Comparison, ...]) -> tuple[Comparison, ...]:
    """Take back what was called of metrics that are not gated, unless it stands among all of them."""
    family = [c for c in comparisons if not c.metric.gated and c.p_value is not None]
    rejected = benjamini_hochberg([_at_one_look(c) for c in family], EXPLORATORY)
    chance = {id(c) for c, discovery in zip(family, rejected, strict=True) if not discovery and c.verdict in _CALLED}
    reason = f"beyond the floor by itself, but not among {len(family)} exploratory metrics (Benjamini-Hochberg)"
    return tuple(replace(c, verdict=Verdict.INCONCLUSIVE, reason=reason) if id(c) in chance else c for c in comparisons)


def _at_one_look(comparison: Comparison) -> float:
    """The p-value, made comparable with those of other looks: what is just called there is just called here."""
    assert comparison.p_value is not None
    assert comparison.effect is not None
    return min(1.0, comparison.p_value * EXPLORATORY / (1 - comparison.effect.level))
