"""One measuring session: a folder, a journal, two stacks, their rounds - and run files at the end, however it ends."""

import contextlib
import hashlib
import json
import secrets
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from harness.configuration.load import Project
from harness.configuration.placeholders import fill
from harness.configuration.schema import MetricOverride
from harness.errors import ExitCode, HarnessError
from harness.files.assemble import runs_from, start_of
from harness.files.journal import Journal, JournalContents, read_journal
from harness.files.records import (
    End,
    Failed,
    ImageTold,
    Looked,
    Noted,
    Resumed,
    RoundDone,
    RoundDropped,
    SessionStart,
    Value,
)
from harness.files.runfile import write_run
from harness.files.sessions import new_session_folder
from harness.masking import redact
from harness.measure.environment import environment
from harness.measure.recorder import Recorder
from harness.measure.rounds import Progress, Rounds, Stopping
from harness.measure.scenario import Scenario
from harness.measure.signals import interruptible, uninterrupted
from harness.measure.slowdown import Slowdown
from harness.measure.stacks import Stacks, made
from harness.measure.startup import IN_DOCKER, RESOLUTION
from harness.measure.unmatched import unmatched
from harness.measure.variants import Kind, notes_of_sources, used_of
from harness.measure.watchdog import Watchdog
from harness.model import INJECTED, SIDES, Failure, Run, Side, State
from harness.patterns import escaped

JOURNAL = "journal.jsonl"
LOGS = "logs"


@dataclass(frozen=True, slots=True)
class Request:
    """What to measure."""

    project: Project
    scenarios: Sequence[Scenario]
    origins: Mapping[Side, str]
    """Which variant of the configuration, or ``git:REF``, stands on each side; the same on both for an A/A run."""
    undecided: Callable[[Run, Run, int], Collection[str]]
    """After so many rounds: the scenarios whose verdict more rounds could still change. Pure."""
    looks: tuple[int, ...]
    """The looks of the scenarios that have no number of rounds of their own."""
    stack: Kind = "local"
    """How the services run."""
    controls: bool = True
    """Whether the control arms are measured too."""
    slowdown: Slowdown | None = None
    """For a self-test: slows `after` down."""
    seed: int | None = None
    """None: drawn, and written down."""
    resume: Path | None = None
    """The folder of a session that was cut short, to be finished."""
    skipped: Mapping[str, str] = field(default_factory=dict)
    """Scenario that was asked for and is not measured -> why."""
    selection: str = ""
    """What was selected of all scenarios; empty: all of them."""
    left_out: tuple[str, ...] = ()
    """Scenarios whose tag asks for a longer session."""

    def markers(self) -> Mapping[str, MetricOverride]:
        """Pattern of ``scenario:metric`` -> what the marker of its scenario decides of it."""
        return {
            f"{escaped(scenario.id)}:{metric}": override
            for scenario in self.scenarios
            for metric, override in scenario.limits.items()
        }

    def overrides(self) -> Mapping[str, MetricOverride]:
        """The same, then what the project decides."""
        own = dict(self.markers())
        return own | {p: o for p, o in self.project.configuration.metrics.items() if p not in own}

    def bounded(self) -> tuple[str, ...]:
        """The patterns that have to apply to something: of a selection those of its own markers."""
        stated = self.markers() if self.selection else self.overrides()
        return tuple(pattern for pattern, override in stated.items() if override.binds)


@dataclass(slots=True)
class Measured:
    """What a session left."""

    folder: Path
    before: Run
    after: Run
    errors: Mapping[str, Exception] = field(default_factory=dict)
    """Scenario -> the first exception that it raised."""


@dataclass(frozen=True, slots=True)
class _Beginning:
    """Where a session starts from: nothing, or the journal of one that was cut short."""

    folder: Path
    journal: Journal
    seed: int
    first_round: int = 0
    rounds_done: int = 0
    looked: Looked | None = None


def measure(request: Request, tell: Callable[[Progress], None]) -> tuple[Measured, BaseException | None]:
    """Measure; returns what was measured and what cut it short: None, KeyboardInterrupt (also for SIGTERM and SIGHUP)
    or a HarnessError. Everything that was measured is in the run files in each case."""
    with contextlib.ExitStack() as cleanup:
        watchdog = cleanup.enter_context(Watchdog())
        data = Path(tempfile.mkdtemp(prefix="harness-"))
        watchdog.folder(str(data))
        stacks = cleanup.enter_context(
            made(
                request.project,
                request.origins,
                request.stack,
                controls=request.controls,
                data=data,
                watchdog=watchdog,
                tell=lambda doing: tell(Progress(0, 0, 0, len(request.scenarios), doing, 0.0, None)),
            )
        )
        beginning = _begin(request, stacks)
        for stack in stacks.all:
            stack.logs = beginning.folder / LOGS
        journal = cleanup.enter_context(beginning.journal)
        rounds = _rounds(request, stacks, beginning, tell)
        cut_short: BaseException | None = None
        with interruptible():
            try:
                with stacks.running(), _told_at_once(tell):
                    rounds.run(beginning.first_round, beginning.rounds_done, beginning.looked)
            except (KeyboardInterrupt, HarnessError) as error:
                cut_short = error
            with uninterrupted():  # whoever cannot wait for the rest finds the run files all the same
                if cut_short is None:
                    _note_unmatched(request, journal, beginning.folder)
                _end(journal, cut_short)
                before, after = finish(beginning.folder)
    return Measured(beginning.folder, before, after, rounds.errors), cut_short


@contextlib.contextmanager
def _told_at_once(tell: Callable[[Progress], None]) -> Iterator[None]:
    """Say why measuring ends before everything is stopped, which may take a while."""
    try:
        yield
    except HarnessError as error:
        tell(Progress(0, 0, 0, 0, str(error), 0.0, None, failed=True))
        raise


def finish(folder: Path) -> tuple[Run, Run]:
    """Build the run files of a session from its journal; also for a session that was killed."""
    runs = runs_from(read_journal(folder / JOURNAL))
    for run in runs:
        write_run(run, folder / f"{run.variant.name}.json")
    return runs


def _rounds(request: Request, stacks: Stacks, beginning: _Beginning, tell: Callable[[Progress], None]) -> Rounds:
    def still_open(done: int) -> Collection[str]:
        return request.undecided(*runs_from(read_journal(beginning.folder / JOURNAL)), done)

    return Rounds(
        stacks.sides,
        request.scenarios,
        Recorder(beginning.journal, request.overrides()),
        beginning.seed,
        tell,
        Stopping(still_open, request.project.configuration.rounds.time_limit),
        arms=stacks.arms,
        slowdown=request.slowdown,
    )


def _note_unmatched(request: Request, journal: Journal, folder: Path) -> None:
    values = [record for record in read_journal(folder / JOURNAL).records if isinstance(record, Value)]
    measured = {f"{value.scenario}:{value.metric}" for value in values}
    everything = not request.selection
    configuration, left_out = request.project.configuration, (*request.skipped, *request.left_out)
    for note in unmatched(configuration, request.markers(), measured, left_out, everything=everything):
        journal.write(Noted(note))


def _end(journal: Journal, cut_short: BaseException | None) -> None:
    state: State = "complete" if cut_short is None else "interrupted"
    if isinstance(cut_short, HarnessError):
        journal.write(Failed(None, Failure("session", -1, redact(str(cut_short))[:2000])))
    journal.write(End(state))
    journal.sync()


def _begin(request: Request, stacks: Stacks) -> _Beginning:
    variants = [stacks.sides[side].variant for side in SIDES]
    if request.resume is not None:
        return _resumed(request.resume, _identity(request, stacks))
    folder = new_session_folder(request.project.reports / "out")
    (folder / LOGS).mkdir()
    seed = secrets.randbelow(2**31) if request.seed is None else request.seed
    journal = Journal.create(folder / JOURNAL)
    start = SessionStart(
        session=folder.name,
        started=_now(),
        seed=seed,
        variants=(variants[0], variants[1]),
        environment=environment(request.project.folder, stacks.kind, stacks.facts),
        notes=(
            *_notes(request.project, stacks),
            *notes_of_sources(request.project, stacks.variants, stacks.kind),
            *_injected(request.slowdown),
        ),
        looks=request.looks,
        plan={scenario.id: scenario.rounds for scenario in request.scenarios},
        identity=_identity(request, stacks),
        skipped=request.skipped,
        selection=request.selection,
        left_out=request.left_out,
    )
    journal.write(start)
    for side, images in stacks.images.items():
        for service, image in images.items():
            journal.write(ImageTold(side, service, image))
    journal.sync()
    return _Beginning(folder, journal, seed)


def _resumed(folder: Path, identity: str) -> _Beginning:
    contents = read_journal(folder / JOURNAL)
    start = start_of(contents)
    if start.identity != identity:
        what = "variants, settings, commands, images, addresses or scenarios"
        message = f"{folder}: was measured with other {what}; it cannot be resumed with these"
        raise HarnessError(message, ExitCode.INTEGRITY)
    if _last_state(contents) == "complete":
        raise HarnessError(f"{folder}: is complete, there is nothing to resume", ExitCode.USAGE)
    journal = Journal.reopen(folder / JOURNAL)
    journal.write(Resumed(_now()))
    rounds = [record.round for record in contents.records if isinstance(record, Value | RoundDone | RoundDropped)]
    done = sum(isinstance(record, RoundDone) for record in contents.records)
    looked = [record for record in contents.records if isinstance(record, Looked)]
    return _Beginning(folder, journal, start.seed, max(rounds, default=-1) + 1, done, looked[-1] if looked else None)


def _last_state(contents: JournalContents) -> State | None:
    ends = [record.state for record in contents.records if isinstance(record, End)]
    return ends[-1] if ends else None


def _identity(request: Request, stacks: Stacks) -> str:
    """What has to be the same for a session to be resumed, as a hash."""
    scenarios = [(s.id, s.looks, s.pairs, s.warmup) for s in request.scenarios]
    sides = [asdict(stacks.sides[side].variant) for side in SIDES]
    runs = [[used_of(variant, stacks.kind), variant.urls] for variant in stacks.variants.values()]
    engine = [stacks.images, stacks.facts]
    how = [request.stack, request.controls, *_injected(request.slowdown)]
    text = json.dumps([sides, runs, engine, how, sorted(scenarios)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _injected(slowdown: Slowdown | None) -> tuple[str, ...]:
    return () if slowdown is None else (f"{INJECTED}every timed block of after was lengthened by {slowdown.size}.",)


def _notes(project: Project, stacks: Stacks) -> tuple[str, ...]:
    """The system's notes with the settings filled in, said once when both variants agree; and the resolution."""
    notes: list[str] = []
    for side in SIDES:
        variant = stacks.sides[side].variant
        services = project.system.services
        values = {
            f"{name}.{key}": "(not known)" for name in stacks.variants[side].urls for key in services[name].settings
        } | {
            f"{service}.{name}": value
            for service, settings in variant.settings.items()
            for name, value in settings.items()
        }
        notes += [fill(note, values, f"{project.file}: notes") for note in project.system.notes]
    notes += [
        f"{side}: {name} runs already at {url}; the harness does not start it."
        for side, variant in stacks.variants.items()
        for name, url in variant.urls.items()
    ]
    return (*dict.fromkeys(notes), *stacks.notes, RESOLUTION, *([IN_DOCKER] if stacks.kind == "docker" else []))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
