"""The view model: everything a report says, ready-formatted. Renderers only lay it out and escape it."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from harness.errors import ExitCode
from harness.judge.comparison import Comparison, Verdict
from harness.judge.gate import Gate, counts
from harness.masking import mask
from harness.model import SIDES, Run, Side, Trend
from harness.report import wording
from harness.report.escape import shorten
from harness.report.pictures import Startup, Timeline, startups, timelines
from harness.report.rows import Row, line, row_of

_NAMED = 2
"""So many metrics that share a warning are all named."""
_FEWEST_RUNS = 4
"""Fewer runs are no history worth a picture."""
_MOST_TRENDS = 12
"""So many metrics of the history are shown; all of them are in ``harness history show``."""


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
    rows = tuple(row_of(comparison, before, after) for comparison in sorted(comparisons, key=_order))
    numbers = _counts(row for row in rows if row.gated)
    others = sum(not row.gated for row in rows)
    origins = [shorten(run.variant.origin) for run in (before, after)]
    return ReportView(
        title=" → ".join(origins),
        headline=" · ".join([f"{n} {verdict}" for verdict, n in numbers] or ["nothing gated was compared"]),
        others=f"{others} more shown, not gated" if others else "",
        counts=numbers,
        exit_code=gate.exit_code,
        controls=line(controls),
        gate=_gate(gate),
        gate_reasons=tuple(map(line, gate.reasons)),
        notes=_notes(before, after),
        facts=_facts(before, after, comparisons),
        rows=rows,
        settings=_settings(before, after),
        environment=_environment(before, after),
        failures=tuple(
            FailureLine(run.variant.name, shorten(f.scenario), f.round, line(f.message))
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
    compared, headline = f"compared {gate.compared} of {gate.expected}", line(gate.headline)
    tail = headline if compared in headline else f"{headline} · {compared}"
    return f"exit {int(gate.exit_code)} ({name}). Gated: {tail}"


def _notes(before: Run, after: Run) -> tuple[str, ...]:
    notes = [f"The run {run.variant.name} was interrupted: it is incomplete." for run in (before, after) if _cut(run)]
    if _same_variant(before, after):
        notes.append("A/A: both sides are the same variant, so every change called here is a false alarm.")
    notes += _left_out(before, after)
    if before.session != after.session:
        notes.append("The runs come from two sessions: they were not measured side by side.")
    for note in dict.fromkeys((*before.notes, *after.notes)):
        sides = [run.variant.name for run in (before, after) if note in run.notes]
        notes.append(line(note if len(sides) == len(SIDES) else f"{sides[0]} only: {note}"))
    return tuple(notes)


def _left_out(before: Run, after: Run) -> list[str]:
    """How many rounds were repeated, and why."""
    dropped = dict.fromkeys((*before.dropped, *after.dropped))
    if not dropped:
        return []
    causes = line("; ".join(f"round {round_.round}: {round_.why}" for round_ in dropped))
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
        known = [run.variant.settings.get(service) for run in (before, after)]
        absent = ["(not known)" if settings is None else "(not set)" for settings in known]
        old, new = (settings or {} for settings in known)
        shown = list(zip((mask(old), mask(new)), absent, strict=True))
        for name in sorted({*old, *new}):
            if old.get(name) != new.get(name):
                texts = (shorten(settings.get(name, instead)) for settings, instead in shown)
                found.append(Difference(shorten(service), shorten(name), *texts))
    return (*_sources(before, after), *found)


def _sources(before: Run, after: Run) -> Iterator[Difference]:
    """The commits that differ, of services whose source was taken from one."""
    for service in sorted({*before.variant.sources, *after.variant.sources}):
        sources = [run.variant.sources.get(service) for run in (before, after)]
        texts = [f"{s.ref:.40} ({s.commit[:12]})" if s is not None else "(working tree)" for s in sources]
        if sources[0] != sources[1]:
            yield Difference(shorten(service), "source", *map(shorten, texts))


def _environment(before: Run, after: Run) -> tuple[Difference, ...]:
    found = []
    for where in ("stable", "volatile"):
        old, new = (mask(getattr(run.environment, where)) for run in (before, after))
        for name in dict.fromkeys((*old, *new)):
            texts = (shorten(shown.get(name, "(unknown)")) for shown in (old, new))
            found.append(Difference(where, shorten(name), *texts))
    return tuple(found)
