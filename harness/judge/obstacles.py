"""What keeps two samples from being judged: something is missing, incomparable or invalid."""

import math
from dataclasses import dataclass

from harness.judge.comparison import Verdict
from harness.judge.samples import all_finite, ascending, have_pairs
from harness.judge.wording import one_line
from harness.model import SIDES, Metric, Run, Sample
from harness.statistics.counts import LARGEST


@dataclass(frozen=True, slots=True)
class Obstacle:
    """A verdict without a judgement, and why."""

    verdict: Verdict
    reason: str


def same_session(before: Run, after: Run) -> bool:
    """Whether both runs were measured interleaved, so that their pairs belong together."""
    return before.session == after.session != ""


def find_obstacle(runs: tuple[Run, Run], before: Sample, after: Sample) -> Obstacle | None:
    """What keeps two samples of ``runs``, both with values, from being judged; None when nothing does."""
    different = _differences_of_environment(*runs) or _differences_of_definition(before.metric, after.metric)
    if different:
        return Obstacle(Verdict.INCOMPARABLE, different)
    for side, sample in zip(SIDES, (before, after), strict=True):
        if complaint := _complaint(sample):
            return Obstacle(Verdict.INVALID, f"{complaint} in {side}")
    if not same_session(*runs):
        return None
    if before.metric.kind == "noisy" and not have_pairs(before, after):
        return Obstacle(Verdict.MISSING, "no pair was measured in both before and after")
    if before.metric.kind != "noisy" and set(before.rounds).isdisjoint(after.rounds):
        return Obstacle(Verdict.MISSING, "no round was measured in both before and after")
    return None


def why_missing(scenario: str, runs: tuple[Run, Run], samples: tuple[Sample | None, Sample | None]) -> str:
    """In which run values are missing, and the first failure of the scenario there."""
    missing = [
        (side, run)
        for side, run, sample in zip(SIDES, runs, samples, strict=True)
        if sample is None or not sample.values
    ]
    messages = [failure.message for _, run in missing for failure in run.failures if failure.scenario == scenario]
    cause = f": {one_line(messages[0])}" if messages else ""
    return f"not measured in {' and '.join(side for side, _ in missing)}{cause}"


def _differences_of_environment(before: Run, after: Run) -> str:
    if same_session(before, after):
        return ""
    old, new = before.environment.stable, after.environment.stable
    fields = [
        f"{one_line(name, 40)}: {_fact(old.get(name))} / {_fact(new.get(name))}"
        for name in dict.fromkeys([*old, *new])
        if old.get(name) != new.get(name)
    ]
    return f"measured in different environments: {'; '.join(fields)}" if fields else ""


def _fact(value: str | None) -> str:
    return "not recorded" if value is None else one_line(value, 80)


def _differences_of_definition(before: Metric, after: Metric) -> str:
    fields = [
        f"{name}: {one_line(str(getattr(before, name)), 40)} / {one_line(str(getattr(after, name)), 40)}"
        for name in ("unit", "better", "kind", "quantile")
        if getattr(before, name) != getattr(after, name)
    ]
    return f"the metric is defined differently: {'; '.join(fields)}" if fields else ""


def _complaint(sample: Sample) -> str:
    quantile = sample.metric.quantile
    if quantile is not None and not (0 < quantile < 1 and sample.metric.kind == "noisy"):
        return f"the quantile {quantile} is not between 0 and 1 of a noisy metric"
    if sample.metric.kind == "noisy" and all_finite(sample) and ascending(sample)[0] > 0:
        return ""  # as a rule; the loop below finds what is wrong if anything is
    for value in sample.values:
        if not math.isfinite(value):
            return f"{value} is not a number"
        match sample.metric.kind:
            case "noisy" if value <= 0:
                return f"{value} is not positive"
            case "count" if value < 0 or value > LARGEST or value != int(value):
                return f"{value} is not a count"
            case "rate" if value not in {0, 1}:
                return f"{value} is neither 0 nor 1"
            case _:
                pass
    return ""
