"""The nouns that every part shares. Frozen values; no clock, no file, no statistics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Better = Literal["lower", "higher"]
Kind = Literal["noisy", "count", "rate"]
Side = Literal["before", "after"]

SIDES: tuple[Side, Side] = ("before", "after")

PLACEBO, SPIKE_IN = "control/placebo", "control/spike_in"
"""The scenarios whose answer is known: `before` beside a second `before`, as it is and with a known slowdown."""
ERRORS = "errors/"
"""How the names of those scenarios begin that nobody wrote: what a service logs and answers, counted by kind."""
SPIKE_SIZE = 0.20
"""The slowdown of the spike-in, as a share of the median of the placebo's requests of the same round."""
INJECTED = "Self-test, not a measurement: "
"""How the note of a run begins that was slowed down on purpose. Such a run never becomes a baseline, nor part
of the history."""


@dataclass(frozen=True, slots=True)
class Metric:
    """What is measured, in which unit, and which change matters."""

    name: str
    unit: str
    """Base unit: ``s``, ``B``, ``1`` (a plain number), or any other symbol, printed as it is."""
    better: Better = "lower"
    kind: Kind = "noisy"
    """``noisy``: positive and never twice the same, as a time. ``count``: whole numbers >= 0, such as attempts.
    ``rate``: each value is one trial, 1 (it happened) or 0."""
    floor: float = 0.01
    """Changes below this never alarm. Relative (0.01 is 1 %); for a rate absolute (0.01 is one percentage point)."""
    smallest_effect: float = 0.05
    """The smallest change that matters and has to be caught; relative, for a rate absolute."""
    gated: bool = True
    """False: shown, but never decides the exit code."""
    about: str = ""
    """One sentence for the reader of a report."""
    limit: float | None = None
    """The largest worsening that the gate tolerates. Relative (0.05 is 5 %); for a rate absolute."""
    absolute_limit: float | None = None
    """The same in the base unit: 0.01 tolerates 10 ms more. Where both are given, both have to hold."""
    budget: float | None = None
    """What the median (of a rate: the share) of ``after`` alone may be, in the base unit; at least that, when higher is
    better."""
    required: bool = False
    """True: nothing excuses its absence, whether it is gated or not."""
    quantile: float | None = None
    """None: the values of a pair are compared, and the typical ratio counts. 0.95: the 95th percentile of everything
    measured is compared; for noisy metrics with many values in a round."""


@dataclass(frozen=True, slots=True)
class Source:
    """The commit that a service's source was taken from."""

    ref: str
    """What it was asked for as, such as ``main``."""
    commit: str
    """Its hash, in full."""
    tree: str
    """The hash of all its files: two commits with the same one have the same files."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One version of the system under test."""

    name: Side
    origin: str
    """What the user asked for: the name of a variant in the configuration, or ``git:`` and a ref. Both sides of an A/A
    run have the same."""
    settings: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Service -> environment variable -> value, as the service was started with it; secrets are masked."""
    sources: Mapping[str, Source] = field(default_factory=dict)
    """Service -> the commit it ran from. One that is not here ran from the working tree, or from what is installed."""


@dataclass(frozen=True, slots=True)
class Sample:
    """All values of one metric of one variant in one scenario, in the order measured.

    ``values[i]`` was measured in round ``rounds[i]``, pair ``pairs[i]``. The values of both variants with the same
    round and pair were measured next to each other and form a pair; in a round both variants ran in fresh processes, so
    the round is the unit of analysis.
    """

    scenario: str
    metric: Metric
    values: Sequence[float]
    """A tuple, or an array of doubles where they are many: a quarter of the memory. Nobody changes either."""
    rounds: tuple[int, ...]
    pairs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model says a metric should be: every value lies in [low, high] if the model and the system agree."""

    scenario: str
    metric: str
    low: float
    high: float
    about: str
    """How it was predicted, in one sentence."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened, ``at`` seconds after the start of its trace."""

    name: str
    at: float


@dataclass(frozen=True, slots=True)
class Trace:
    """Marks of one happening in one round, such as a start-up or the attempts of a call."""

    scenario: str
    name: str
    """``startup`` is drawn as a waterfall, ``attempts`` as a timeline."""
    round: int
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class Failure:
    """A scenario that could not be measured, or whose answer was wrong; the system under test may have worded it."""

    scenario: str
    round: int
    message: str


@dataclass(frozen=True, slots=True)
class Environment:
    """Where a run was measured."""

    stable: Mapping[str, str] = field(default_factory=dict)
    """Has to agree for two runs to be comparable: machine, processor, Python, kind of stack, engine."""
    volatile: Mapping[str, str] = field(default_factory=dict)
    """May differ: time of day, load, commit."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """A round whose values do not count, because the machine did not let it run: it slept or was throttled."""

    round: int
    why: str


@dataclass(frozen=True, slots=True)
class Unmeasured:
    """A scenario that should have been measured and was not."""

    scenario: str
    why: str


State = Literal["complete", "interrupted"]


@dataclass(frozen=True, slots=True)
class Run:
    """Everything measured of one variant in one session. A baseline is a run kept under a name."""

    session: str
    """Runs of one session were measured interleaved and can be compared pair by pair."""
    variant: Variant
    started: str
    """UTC, ISO 8601."""
    seed: int
    rounds: int
    state: State
    samples: tuple[Sample, ...]
    predictions: tuple[Prediction, ...] = ()
    traces: tuple[Trace, ...] = ()
    failures: tuple[Failure, ...] = ()
    environment: Environment = field(default_factory=Environment)
    looks: tuple[int, ...] = ()
    """The numbers of rounds after which the session was to be looked at and could stop; the last is the most rounds
    planned. Empty: one look at the end."""
    own_rounds: Mapping[str, int] = field(default_factory=dict)
    """Scenarios with their own number of rounds, which are looked at once: after those."""
    seconds_per_round: float | None = None
    """The median time that a round took, with the restarts of both variants and the control arms; None: not known."""
    dropped: tuple[Dropped, ...] = ()
    """Rounds left out of the samples, and why."""
    unmeasured: tuple[Unmeasured, ...] = ()
    """Scenarios that were asked for and gave no value: skipped, not run, or silent."""
    selection: str = ""
    """What was selected of all scenarios, such as ``-k retry``. Empty: all of them."""
    left_out: tuple[str, ...] = ()
    """Scenarios whose tag asks for a longer session: nothing was expected of them."""
    notes: tuple[str, ...] = ()
    """Facts that every report has to name, such as the scale of shortened waits."""


def is_self_test(run: Run) -> bool:
    """Whether the run was slowed down on purpose."""
    return any(note.startswith(INJECTED) for note in run.notes)


@dataclass(frozen=True, slots=True)
class TrendPoint:
    """One metric of one run in the history."""

    started: str
    """UTC, ISO 8601."""
    session: str
    commit: str
    """Empty when it is not known."""
    value: float
    """The median of the run's values; for a rate their share."""
    n: int
    baseline: str = ""
    """The name under which this run is kept, if it is."""


@dataclass(frozen=True, slots=True)
class Trend:
    """One metric of one variant over time, in one environment."""

    scenario: str
    metric: Metric
    variant: str
    points: tuple[TrendPoint, ...]
    """Oldest first."""
    steps: tuple[int, ...] = ()
    """Change points: positions in ``points`` at which another level begins."""
    elsewhere: int = 0
    """Runs left out because they were measured in another environment."""
