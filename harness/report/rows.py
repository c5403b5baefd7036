"""The rows of a report: one comparison each, ready-formatted, with the values for its pictures."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.judge.comparison import Comparison, Estimate, Scale, Summary, Verdict
from harness.judge.gate import counts
from harness.judge.wording import describe_bound, describe_rule
from harness.masking import redact
from harness.model import Metric, Run, Sample, Side
from harness.report import wording
from harness.report.escape import shorten


@dataclass(frozen=True, slots=True)
class Expected:
    """A prediction for one variant, held against what was measured."""

    side: Side
    range: str
    measured: str
    agrees: bool | None
    """None when nothing was measured."""
    inside: str
    """How many of the values lie in the range; for a share, which is one number, its interval."""
    about: str


@dataclass(frozen=True, slots=True)
class Sided:
    """What one variant measured for a row: its median or share, the spread around it, and the values in order."""

    median: str
    spread: str
    n: int
    values: Sequence[float]


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison. The strings are for people; ``metric``, ``effect``, ``scale`` and the values are for pictures."""

    verdict: Verdict
    minor: bool
    scenario: str
    name: str
    about: str
    gated: bool
    """Whether the gate looks at it."""
    before: Sided
    after: Sided
    change: str
    """Change inside its interval, or a dash."""
    meaning: str
    floor: str
    smallest_effect: str
    bounds: str
    """Limits and budget, empty when none is set."""
    units: str
    p_value: str
    detectable: str
    level: str
    method: str
    expected: tuple[Expected, ...]
    warnings: tuple[str, ...]
    reason: str
    metric: Metric
    effect: Estimate | None
    scale: Scale

    @property
    def symbol(self) -> str:
        """A sign for the verdict, never shown without the word."""
        return wording.SYMBOLS[self.verdict]

    @property
    def word(self) -> str:
        """The verdict as it is said: ``regressed``, ``regressed (minor)``."""
        return wording.verdict(self.verdict, minor=self.minor)

    @property
    def label(self) -> str:
        """Scenario and metric."""
        return f"{self.scenario} · {self.name}"

    @property
    def rule(self) -> str:
        """The sizes that decided, floor and smallest effect that matters, in the unit of the change: ``±1/±5`` (of an
        exact count any difference decides); and the bounds that the project has set."""
        sizes = "/".join(size.partition(" ")[0] for size in (self.floor, self.smallest_effect))
        if self.effect is not None and self.effect.level == 1:
            sizes = "exact"
        return f"{sizes}, {self.bounds}" if self.bounds else sizes

    @property
    def on_axis(self) -> bool:
        """Whether the change is one of per cent or percentage points, which the common axis shows."""
        return self.effect is not None and (self.scale == "relative" or self.metric.kind == "rate")

    @property
    def sentence(self) -> str:
        """The result in one sentence."""
        sentence = self.meaning if self.effect is None else f"{self.change}: {self.meaning}"
        return f"{sentence}: {self.reason}" if self.reason else sentence


def row_of(comparison: Comparison, before: Run, after: Run) -> Row:
    """The row of a comparison of these runs."""
    metric, effect, scale = comparison.metric, comparison.effect, comparison.scale
    floor, smallest_effect = wording.rule(metric)
    detectable = comparison.detectable
    return Row(
        verdict=comparison.verdict,
        minor=comparison.minor,
        scenario=shorten(comparison.scenario),
        name=shorten(metric.name),
        about=line(metric.about),
        gated=counts(comparison),
        before=_sided(comparison, before),
        after=_sided(comparison, after),
        change=wording.estimate(effect, metric, scale) if effect else "–",
        meaning=shorten(wording.meaning(comparison), 200),
        floor=floor,
        smallest_effect=smallest_effect,
        bounds=shorten(describe_rule(metric)),
        units=str(comparison.units) if comparison.units else "–",
        p_value=wording.probability(comparison.p_value),
        detectable="–" if detectable is None else wording.change(detectable, metric, scale),
        level=wording.level(effect.level) if effect else "–",
        method=shorten(comparison.method),
        expected=tuple(e for run in (before, after) if (e := _expected(comparison, run))),
        warnings=tuple(map(line, (*comparison.warnings, *_not_kept(comparison)))),
        reason=line(comparison.reason),
        metric=metric,
        effect=effect,
        scale=scale,
    )


def _not_kept(comparison: Comparison) -> Iterator[str]:
    return (describe_bound(bound, comparison.metric) for bound in comparison.bounds if bound.state != "kept")


def _sided(comparison: Comparison, run: Run) -> Sided:
    summary = comparison.before if run.variant.name == "before" else comparison.after
    sample = _sample(run, comparison)
    values = sample.values if sample else ()
    if summary is None:
        return Sided(wording.NOT_MEASURED, "–", len(values), values)
    low, median, high = (wording.amount(x, comparison.metric) for x in (summary.q1, summary.median, summary.q3))
    return Sided(median, f"{low} to {high}", summary.n, values)


def _sample(run: Run, comparison: Comparison) -> Sample | None:
    key = (comparison.scenario, comparison.metric.name)
    return next((s for s in run.samples if (s.scenario, s.metric.name) == key), None)


def _expected(comparison: Comparison, run: Run) -> Expected | None:
    key, metric = (comparison.scenario, comparison.metric.name), comparison.metric
    prediction = next((p for p in run.predictions if (p.scenario, p.metric) == key), None)
    if prediction is None:
        return None
    side = run.variant.name
    low, high = prediction.low, prediction.high
    summary = comparison.before if side == "before" else comparison.after
    sample = _sample(run, comparison)
    values = sample.values if sample else ()
    texts = dict.fromkeys((wording.amount(low, metric), wording.amount(high, metric)))
    return Expected(
        side=side,
        range=" to ".join(texts),
        measured=wording.amount(summary.median, metric) if summary else wording.NOT_MEASURED,
        agrees=_agrees(low, high, metric, summary) if summary else None,
        inside=_inside(low, high, metric, summary, values),
        about=line(prediction.about),
    )


def _inside(low: float, high: float, metric: Metric, summary: Summary | None, values: Sequence[float]) -> str:
    if metric.kind == "rate":
        return (
            f"95 % sure: {wording.amount(summary.q1, metric)} to {wording.amount(summary.q3, metric)}"
            if summary
            else "–"
        )
    return f"{sum(low <= value <= high for value in values)} of {len(values)} values"


def _agrees(low: float, high: float, metric: Metric, summary: Summary) -> bool:
    """Whether the median lies in the range; of a share only an interval is known, so whether that meets the range."""
    if metric.kind == "rate":
        return summary.q1 <= high and low <= summary.q3
    return low <= summary.median <= high


def line(text: str) -> str:
    """A sentence that may quote the system under test."""
    return shorten(redact(text), 600)
