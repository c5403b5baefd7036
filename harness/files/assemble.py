"""From the records of a journal to the two runs of its session. Pure."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from harness.errors import ExitCode, HarnessError
from harness.files.journal import JournalContents
from harness.files.records import (
    End,
    EngineTold,
    Failed,
    ImageTold,
    MetricDefined,
    Noted,
    Predicted,
    Record,
    Resumed,
    RoundDone,
    RoundDropped,
    SessionStart,
    Traced,
    Value,
)
from harness.model import ERRORS, SIDES, Dropped, Environment, Failure, Metric, Run, Sample, State, Unmeasured, Variant


def runs_from(contents: JournalContents) -> tuple[Run, Run]:
    """The runs before and after.

    Values keep the order of the journal. A run is complete only if the session said so at its end. A metric without
    values has no sample; values whose metric has no readable definition are a failure: they must not vanish unseen.
    Raises HarnessError (13) when the journal does not start with a readable session start.
    """
    start = start_of(contents)
    records, overcome = _without_overcome(contents.records)
    records, disturbed = _without_failures_of_dropped(records)
    noted = dict.fromkeys(record.text for record in records if isinstance(record, Noted))
    selected = [f"Not everything was measured, but a selection: {start.selection}."] if start.selection else []
    notes = (
        *start.notes,
        *selected,
        *_left_out(start.left_out),
        *_damage(contents.bad_lines),
        *overcome,
        *disturbed,
        *noted,
    )
    before, after = (_run(variant, start, records, notes) for variant in start.variants)
    return before, after


def start_of(contents: JournalContents) -> SessionStart:
    """The session start of a journal. Raises HarnessError (13) when there is none."""
    match contents.records:
        case (SessionStart() as start, *_) if tuple(variant.name for variant in start.variants) == SIDES:
            return start
        case _:
            raise HarnessError("journal: found no readable session start on its first line", ExitCode.BASELINE)


def _without_overcome(records: Sequence[Record]) -> tuple[list[Record], list[str]]:
    """What ended a session that was resumed later has been overcome: it becomes a note."""
    kept: list[Record] = []
    notes: list[str] = []
    for record in records:
        if isinstance(record, Resumed):
            ends = [r for r in kept if isinstance(r, Failed) and r.failure.round < 0]
            notes += [f"Ended early: {end.failure.message}" for end in ends]
            notes.append(f"Resumed at {record.at}.")
            kept = [r for r in kept if r not in ends]
        kept.append(record)
    return kept, notes


def _without_failures_of_dropped(records: Sequence[Record]) -> tuple[list[Record], list[str]]:
    """A round that does not count has no failures either: what the machine's sleep broke becomes a note."""
    dropped = {record.round for record in records if isinstance(record, RoundDropped)}
    kept: list[Record] = []
    notes: list[str] = []
    for record in records:
        if isinstance(record, Failed) and record.failure.round in dropped:
            failure = record.failure
            notes.append(
                f"Failed in round {failure.round}, which does not count: {failure.scenario}: {failure.message}"
            )
        else:
            kept.append(record)
    return kept, notes


def _left_out(scenarios: Sequence[str]) -> list[str]:
    """What nobody would miss otherwise: where its tag leaves a scenario out, nothing is expected of it."""
    if not scenarios:
        return []
    shown = ", ".join(scenarios[:5]) + (", …" if len(scenarios) > 5 else "")
    return [f"Left to longer sessions by their tags (--tag), not measured here: {len(scenarios)} ({shown})."]


def _damage(bad_lines: Sequence[int]) -> list[str]:
    if not bad_lines:
        return []
    shown = ", ".join(map(str, bad_lines[:10])) + (", …" if len(bad_lines) > 10 else "")
    return [f"The journal has {len(bad_lines)} torn or damaged lines ({shown}); what they held is missing."]


def _run(variant: Variant, start: SessionStart, records: Sequence[Record], notes: tuple[str, ...]) -> Run:
    side = variant.name
    dropped = {r.round: r.why for r in records if isinstance(r, RoundDropped)}
    metrics, conflicts = _definitions(records)
    series = _series(
        value for value in records if isinstance(value, Value) and value.side == side and value.round not in dropped
    )
    failures = [r.failure for r in records if isinstance(r, Failed) and r.side in (side, None)]
    undefined = [
        Failure(
            scenario,
            values.rounds[0],
            f"{len(values.values)} values of {metric}: no readable definition in the journal",
        )
        for (scenario, metric), values in series.items()
        if (scenario, metric) not in metrics
    ]
    predictions = dict.fromkeys(r.prediction for r in records if isinstance(r, Predicted) and r.side == side)
    return Run(
        session=start.session,
        variant=variant,
        started=start.started,
        seed=start.seed,
        seconds_per_round=_seconds_per_round(records),
        rounds=len({r.round for r in records if isinstance(r, RoundDone)} - dropped.keys()),
        state=_state(records),
        samples=tuple(values.sample(key[0], metrics[key]) for key, values in series.items() if key in metrics),
        predictions=tuple(predictions),
        traces=tuple(r.trace for r in records if isinstance(r, Traced) and r.side == side),
        failures=(*failures, *conflicts, *undefined),
        environment=_environment(
            start, variant, [r for r in records if isinstance(r, EngineTold | ImageTold) and r.side == side]
        ),
        looks=start.looks,
        own_rounds=_own_rounds(start, {scenario for scenario, _ in series}),
        dropped=tuple(Dropped(number, why) for number, why in dropped.items()),
        unmeasured=tuple(_unmeasured(start, {scenario for scenario, _ in series})),
        selection=start.selection,
        left_out=start.left_out,
        notes=notes,
    )


def _own_rounds(start: SessionStart, measured: Collection[str]) -> dict[str, int]:
    """Scenarios that are not judged at the session's looks, but once.

    Errors are judged at the first of several looks: later on those scenarios are missing that are decided, and with
    them what they provoked in every round before.
    """
    if not start.looks:
        return {}
    planned = {name: n for name, n in start.plan.items() if n != start.looks[-1]}
    counted = sorted(name for name in measured if name.startswith(ERRORS) and name not in start.plan)
    return planned | (dict.fromkeys(counted, start.looks[0]) if len(start.looks) > 1 else {})


def _seconds_per_round(records: Iterable[Record]) -> float | None:
    told = [record.seconds for record in records if isinstance(record, RoundDone) and record.seconds > 0]
    return median(told) if told else None


def _environment(start: SessionStart, variant: Variant, told: Sequence[EngineTold | ImageTold]) -> Environment:
    """What was found at the start, with what services say that they run on, which has to agree; and what variants
    differ in: images, and the commit where they did not run from the working tree."""
    engines = {f"engine of {record.service}": record.engine for record in told if isinstance(record, EngineTold)}
    images = {f"image of {record.service}": record.image for record in told if isinstance(record, ImageTold)}
    sources = variant.sources.values()
    commits = {
        "commit": " and ".join(dict.fromkeys(source.commit[:12] for source in sources)),
        "tree": " and ".join(dict.fromkeys(source.tree[:12] for source in sources)),
    }
    here = start.environment
    volatile = {**here.volatile, **images, **(commits if sources else {})}
    return Environment({**here.stable, **engines}, volatile)


def _unmeasured(start: SessionStart, measured: Collection[str]) -> Iterator[Unmeasured]:
    """What was skipped, and what was planned but gave no value."""
    for scenario, why in start.skipped.items():
        yield Unmeasured(scenario, why)
    for scenario in start.plan:
        if scenario not in measured:
            yield Unmeasured(scenario, "gave no value")


@dataclass(frozen=True, slots=True)
class _Values:
    """A sample in the making."""

    values: list[float]
    rounds: list[int]
    pairs: list[int]

    def sample(self, scenario: str, metric: Metric) -> Sample:
        return Sample(scenario, metric, tuple(self.values), tuple(self.rounds), tuple(self.pairs))


def _series(values: Iterable[Value]) -> Mapping[tuple[str, str], _Values]:
    series: dict[tuple[str, str], _Values] = {}
    for value in values:
        one = series.setdefault((value.scenario, value.metric), _Values([], [], []))
        one.values.append(value.value)
        one.rounds.append(value.round)
        one.pairs.append(value.pair)
    return series


def _definitions(records: Iterable[Record]) -> tuple[Mapping[tuple[str, str], Metric], list[Failure]]:
    """Metrics by scenario and name; the first definition holds, a different later one is a failure."""
    metrics: dict[tuple[str, str], Metric] = {}
    conflicts = []
    for record in records:
        if isinstance(record, MetricDefined):
            metric = metrics.setdefault((record.scenario, record.metric.name), record.metric)
            if metric != record.metric:
                conflicts.append(Failure(record.scenario, 0, f"the metric {metric.name} was defined in two ways"))
    return metrics, conflicts


def _state(records: Iterable[Record]) -> State:
    """What the last process said at its end; interrupted when it said nothing."""
    state: State = "interrupted"
    for record in records:
        if isinstance(record, End):
            state = record.state
        elif isinstance(record, Resumed):
            state = "interrupted"
    return state
