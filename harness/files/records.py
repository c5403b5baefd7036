"""What a journal is made of: one record per line, written the moment it is known."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.model import Environment, Failure, Metric, Prediction, Side, State, Trace, Variant

SCHEMA = 1
"""Version of the records, stated by the first one. History: 1 - first version."""


@dataclass(frozen=True, slots=True)
class SessionStart:
    """The first record: everything that is known before anything is measured."""

    session: str
    started: str
    """UTC, ISO 8601."""
    seed: int
    variants: tuple[Variant, Variant]
    """Before, after."""
    environment: Environment
    notes: tuple[str, ...]
    plan: Mapping[str, int]
    """Scenario -> planned rounds."""
    identity: str
    """Hash of everything that has to agree for a session to be resumed."""
    looks: tuple[int, ...] = ()
    """The numbers of rounds after which the session is looked at; the last is the most rounds planned."""
    skipped: Mapping[str, str] = field(default_factory=dict)
    """Scenario that was asked for and will not be measured -> why."""
    selection: str = ""
    """What was selected of all scenarios; empty: all of them."""
    left_out: tuple[str, ...] = ()
    """Scenarios whose tag asks for a longer session."""
    schema: int = SCHEMA


@dataclass(frozen=True, slots=True)
class EngineTold:
    """What a service of one variant says that it runs on."""

    side: Side
    service: str
    engine: str


@dataclass(frozen=True, slots=True)
class ImageTold:
    """The image that a service of one variant runs, by name and digest."""

    side: Side
    service: str
    image: str


@dataclass(frozen=True, slots=True)
class MetricDefined:
    """A metric that ``scenario`` measures; comes before its values. May be repeated, unchanged."""

    scenario: str
    metric: Metric


@dataclass(frozen=True, slots=True)
class Value:
    """One value, in the base unit of its metric. Finite."""

    side: Side
    scenario: str
    metric: str
    round: int
    pair: int
    value: float


@dataclass(frozen=True, slots=True)
class Predicted:
    """What a model says about a metric of one variant."""

    side: Side
    prediction: Prediction


@dataclass(frozen=True, slots=True)
class Traced:
    """A trace of one variant."""

    side: Side
    trace: Trace


@dataclass(frozen=True, slots=True)
class Failed:
    """A failure of one variant, or of the session as a whole (``side`` None)."""

    side: Side | None
    failure: Failure


@dataclass(frozen=True, slots=True)
class RoundDone:
    """Everything of this round has been recorded."""

    round: int
    seconds: float = 0.0
    """What it took, with the restarts of both variants and the control arms. 0: not told."""


@dataclass(frozen=True, slots=True)
class RoundDropped:
    """A round whose values do not count, and why."""

    round: int
    why: str


@dataclass(frozen=True, slots=True)
class Looked:
    """After this many rounds that count it was decided which scenarios go on."""

    rounds: int
    going_on: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Noted:
    """A fact learned while measuring that every report has to name."""

    text: str


@dataclass(frozen=True, slots=True)
class Resumed:
    """A later process goes on, with a new round."""

    at: str
    """UTC, ISO 8601."""


@dataclass(frozen=True, slots=True)
class End:
    """The session ended by itself. A journal without it was killed."""

    state: State


Record = (
    SessionStart
    | EngineTold
    | ImageTold
    | MetricDefined
    | Value
    | Predicted
    | Traced
    | Failed
    | RoundDone
    | RoundDropped
    | Looked
    | Noted
    | Resumed
    | End
)

TYPES: Mapping[str, type[Record]] = {
    "session_start": SessionStart,
    "engine_told": EngineTold,
    "image_told": ImageTold,
    "metric_defined": MetricDefined,
    "value": Value,
    "predicted": Predicted,
    "traced": Traced,
    "failed": Failed,
    "round_done": RoundDone,
    "round_dropped": RoundDropped,
    "looked": Looked,
    "noted": Noted,
    "resumed": Resumed,
    "end": End,
}
"""The tag ``type`` of a record in JSON."""
