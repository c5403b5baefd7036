"""The view model: everything a report says, ready-formatted. Renderers only lay it out and escape it."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from harness.errors import ExitCode
from harness.judge.comparison import Comparison, Estimate, Scale, Summary, Verdict
from harness.judge.gate import Gate, counts
from harness.judge.wording import describe_bound, describe_rule
from harness.masking import mask, redact
from harness.model import SIDES, Metric, Run, Sample, Side, Trend
from harness.report import wording
from harness.report.escape import shorten
from harness.report.pictures import Startup, Timeline, startups, timelines

_NAMED = 2
"""So many metrics that share a warning are all named."""
_FEWEST_RUNS = 4
"""Fewer runs are no history worth a picture."""
_MOST_TRENDS = 12
"""So many metrics of the history are shown; all of them are in ``harness history show``."""


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
    values: tuple[float, ...]


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


@dataclass(frozen=True, slots=True)
class Difference:
    """A setting (``where`` is its service) or fact of the environment in both variants."""

    where: str
    name: str
    before: str
    after: str

    @property
    def differs(self) -> bool:
        """Whether the two sides show different text."""
        return self.before != self.after


@dataclass(frozen=True, slots=True)
class FailureLine:
    """A scenario that could not be measured, or whose answer was wrong."""

    side: Side
    scenario: str
    round: int
    message: str


@dataclass(frozen=True, slots=True)
class ReportView:
    """A whole report. Its text is not escaped yet: every renderer does that for its own sink."""

    title: str
    headline: str
    """Counts of the gated verdicts, worst first."""
    others: str
    """How many comparisons that decide nothing stand below them; empty when none do."""
    counts: tuple[tuple[Verdict, int], ...]
    exit_code: ExitCode
    controls: str
    """What the control arms say of the session; empty where there is no one session."""
    gate: str
    gate_reasons: tuple[str, ...]
    notes: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    rows: tuple[Row, ...]
    settings: tuple[Difference, ...]
    environment: tuple[Difference, ...]
    failures: tuple[FailureLine, ...]
    startups: tuple[Startup, ...]
    timelines: tuple[Timeline, ...]
    trends: tuple[Trend, ...]
    """Gated metrics over the runs of a history: those that made a step first."""


def build_view(
    before: Run,
    after: Run,
    comparisons: Sequence[Comparison],
    gate: Gate,
    controls: str = "",
    history: Sequence[Trend] = (),
) -> ReportView:
    """Everything that a report of these comparisons says: gated rows first, each kind sorted worst first."""
    rows = tuple(_row(comparison, before, after) for comparison in sorted(comparisons, key=_order))
    numbers = _counts(row for row in rows if row.gated)
    others = sum(not row.gated for row in rows)
    origins = [shorten(run.variant.origin) for run in (before, after)]
    return ReportView(
        title=" → ".join(origins),
        headline=" · ".join([f"{n} {verdict}" for verdict, n in numbers] or ["nothing gated was compared"]),
        others=f"{others} more shown, not gated" if others else "",
        counts=numbers,
        exit_code=gate.exit_code,
        controls=_line(controls),
        gate=_gate(gate),
        gate_reasons=tuple(map(_line, gate.reasons)),
        notes=_notes(before, after),
        facts=_facts(before, after, comparisons),
        rows=rows,
        settings=_settings(before, after),
        environment=_environment(before, after),
        failures=tuple(
            FailureLine(run.variant.name, shorten(f.scenario), f.round, _line(f.message))
            for run in (before, after)
            for f in run.failures
        ),
        startups=startups(before, after),
        timelines=timelines(before, after),
        trends=_trends(rows, history),
    )


def common_warnings(rows: Iterable[Row]) -> Collection[str]:
    """The warnings of so many rows that naming each of them would drown the rest."""
    times = Counter(warning for row in rows for warning in row.warnings)
    return {warning for warning, count in times.items() if count > _NAMED}


def shared_warnings(rows: Iterable[Row]) -> Iterator[tuple[str, str]]:
    """Every warning once, after the rows it is about: all of a few, else the first and how many more."""
    labels: dict[str, list[str]] = {}
    for row in rows:
        for warning in row.warnings:
            labels.setdefault(warning, []).append(row.label)
    for warning, about in labels.items():
        few = len(about) <= _NAMED
        yield ", ".join(about) if few else f"{about[0]} … and {len(about) - 1} more metrics", warning


def _line(text: str) -> str:
    """A sentence that may quote the system under test."""
    return shorten(redact(text), 600)


_RANK = {verdict: rank for rank, verdict in enumerate(wording.SYMBOLS)}


def _trends(rows: Sequence[Row], history: Sequence[Trend]) -> tuple[Trend, ...]:
    """What of the history is shown: of gated rows, steps first, else in the order of the rows."""
    places = {(row.scenario, row.name): place for place, row in enumerate(rows) if row.gated}
    shown = [t for t in history if (t.scenario, t.metric.name) in places and len(t.points) >= _FEWEST_RUNS]
    shown.sort(key=lambda trend: (not trend.steps, places[trend.scenario, trend.metric.name]))
    return tuple(shown[:_MOST_TRENDS])


def _order(comparison: Comparison) -> tuple[bool, int, str, str]:
    return (not counts(comparison), _RANK[comparison.verdict], comparison.scenario, comparison.metric.name)


def _counts(rows: Iterable[Row]) -> tuple[tuple[Verdict, int], ...]:
    numbers = Counter(row.verdict for row in rows)
    return tuple((verdict, numbers[verdict]) for verdict in wording.SYMBOLS if numbers[verdict])


def _gate(gate: Gate) -> str:
    name = gate.exit_code.name.lower().replace("_", " ")
    compared, headline = f"compared {gate.compared} of {gate.expected}", _line(gate.headline)
    tail = headline if compared in headline else f"{headline} · {compared}"
    return f"exit {int(gate.exit_code)} ({name}). Gated: {tail}"


def _row(comparison: Comparison, before: Run, after: Run) -> Row:
    metric, effect, scale = comparison.metric, comparison.effect, comparison.scale
    floor, smallest_effect = wording.rule(metric)
    detectable = comparison.detectable
    return Row(
        verdict=comparison.verdict,
        minor=comparison.minor,
        scenario=shorten(comparison.scenario),
        name=shorten(metric.name),
        about=_line(metric.about),
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
        warnings=tuple(map(_line, (*comparison.warnings, *_not_kept(comparison)))),
        reason=_line(comparison.reason),
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
        about=_line(prediction.about),
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


def _notes(before: Run, after: Run) -> tuple[str, ...]:
    notes = [f"The run {run.variant.name} was interrupted: it is incomplete." for run in (before, after) if _cut(run)]
    if _same_variant(before, after):
        notes.append("A/A: both sides are the same variant, so every change called here is a false alarm.")
    notes += _left_out(before, after)
    if before.session != after.session:
        notes.append("The runs come from two sessions: they were not measured side by side.")
    for note in dict.fromkeys((*before.notes, *after.notes)):
        sides = [run.variant.name for run in (before, after) if note in run.notes]
        notes.append(_line(note if len(sides) == len(SIDES) else f"{sides[0]} only: {note}"))
    return tuple(notes)


def _left_out(before: Run, after: Run) -> list[str]:
    """How many rounds were repeated, and why."""
    dropped = dict.fromkeys((*before.dropped, *after.dropped))
    if not dropped:
        return []
    causes = _line("; ".join(f"round {round_.round}: {round_.why}" for round_ in dropped))
    return [f"Rounds that do not count and were measured again: {len(dropped)} ({causes})."]


def _cut(run: Run) -> bool:
    return run.state == "interrupted"


def _same_variant(before: Run, after: Run) -> bool:
    return before.variant.origin == after.variant.origin and before.session == after.session


def _facts(before: Run, after: Run, comparisons: Sequence[Comparison]) -> tuple[tuple[str, str], ...]:
    levels = sorted({c.effect.level for c in comparisons if c.effect and c.effect.level < 1})
    facts = {
        "before": (before.variant.origin,),
        "after": (after.variant.origin,),
        "session": (before.session, after.session),
        "started": (before.started, after.started),
        "rounds": (str(before.rounds), str(after.rounds)),
        "seed": (str(before.seed), str(after.seed)),
        "state": (before.state, after.state),
        "intervals": tuple(wording.level(x) for x in dict.fromkeys((*levels[:1], *levels[-1:]))) or ("–",),
    }
    return tuple((label, shorten(" / ".join(dict.fromkeys(values)), 260)) for label, values in facts.items())


def _settings(before: Run, after: Run) -> tuple[Difference, ...]:
    """The settings that differ. Values are compared as they are and shown masked, so a changed secret shows as such."""
    found = []
    for service in sorted({*before.variant.settings, *after.variant.settings}):
        old, new = (run.variant.settings.get(service, {}) for run in (before, after))
        old_shown, new_shown = mask(old), mask(new)
        for name in sorted({*old, *new}):
            if old.get(name) != new.get(name):
                texts = (shorten(shown.get(name, "(not set)")) for shown in (old_shown, new_shown))
                found.append(Difference(shorten(service), shorten(name), *texts))
    return tuple(found)


def _environment(before: Run, after: Run) -> tuple[Difference, ...]:
    found = []
    for where in ("stable", "volatile"):
        old, new = (mask(getattr(run.environment, where)) for run in (before, after))
        for name in dict.fromkeys((*old, *new)):
            texts = (shorten(shown.get(name, "(unknown)")) for shown in (old, new))
            found.append(Difference(where, shorten(name), *texts))
    return tuple(found)
