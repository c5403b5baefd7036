"""The numbers behind the pictures: medians of start-up marks, and one representative call a variant."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.model import Mark, Run, Side, Trace
from harness.report.escape import shorten

STARTUP = "startup"
ATTEMPTS = "attempts"


@dataclass(frozen=True, slots=True)
class Spread:
    """Median and quartiles of a mark's time over the rounds, in seconds after the start of its trace."""

    median: float
    q1: float
    q3: float
    n: int


@dataclass(frozen=True, slots=True)
class Phase:
    """One mark of a start-up in both variants; None where no round reached it."""

    name: str
    before: Spread | None
    after: Spread | None

    def on(self, side: Side) -> Spread | None:
        """The spread of one variant."""
        return self.before if side == "before" else self.after


@dataclass(frozen=True, slots=True)
class Startup:
    """The start-up phases of one scenario, in the order in which they happen."""

    scenario: str
    phases: tuple[Phase, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """The marks of one measured call: of the round whose total time is the median one."""

    side: Side
    round: int
    rounds: int
    """How many rounds it was chosen from."""
    marks: tuple[Mark, ...]

    @property
    def total(self) -> float:
        """Seconds from the start to the last mark."""
        return self.marks[-1].at


@dataclass(frozen=True, slots=True)
class Timeline:
    """The attempts of one scenario: one call for each variant that was measured."""

    scenario: str
    calls: tuple[Call, ...]


def startups(before: Run, after: Run) -> tuple[Startup, ...]:
    """One waterfall for each scenario with start-up traces, in order of name."""
    return tuple(
        Startup(shorten(scenario), _phases(_of(before, STARTUP, scenario), _of(after, STARTUP, scenario)))
        for scenario in _scenarios((before, after), STARTUP)
    )


def timelines(before: Run, after: Run) -> tuple[Timeline, ...]:
    """One timeline for each scenario with traces of attempts, in order of name."""
    return tuple(
        Timeline(shorten(scenario), tuple(call for run in (before, after) if (call := _call(run, scenario))))
        for scenario in _scenarios((before, after), ATTEMPTS)
    )


def _scenarios(runs: Iterable[Run], name: str) -> list[str]:
    return sorted({trace.scenario for run in runs for trace in run.traces if trace.name == name and trace.marks})


def _of(run: Run, name: str, scenario: str) -> list[Trace]:
    return [trace for trace in run.traces if trace.name == name and trace.scenario == scenario and trace.marks]


def _phases(before: Sequence[Trace], after: Sequence[Trace]) -> tuple[Phase, ...]:
    names = dict.fromkeys(mark.name for trace in (*before, *after) for mark in trace.marks)
    phases = [Phase(shorten(name, 40), _spread(before, name), _spread(after, name)) for name in names]
    return tuple(sorted(phases, key=lambda phase: max(s.median for s in (phase.before, phase.after) if s)))


def _spread(traces: Iterable[Trace], name: str) -> Spread | None:
    times = [mark.at for trace in traces for mark in trace.marks if mark.name == name]
    if not times:
        return None
    q1, median, q3 = statistics.quantiles(times, n=4, method="inclusive") if len(times) > 1 else times * 3
    return Spread(median, q1, q3, len(times))


def _call(run: Run, scenario: str) -> Call | None:
    traces = sorted(_of(run, ATTEMPTS, scenario), key=lambda trace: (max(m.at for m in trace.marks), trace.round))
    if not traces:
        return None
    chosen = traces[(len(traces) - 1) // 2]
    marks = tuple(sorted((Mark(shorten(m.name, 40), m.at) for m in chosen.marks), key=lambda mark: mark.at))
    return Call(run.variant.name, chosen.round, len(traces), marks)
