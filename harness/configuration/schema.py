"""What a configuration may say. The models are the documentation: every key stands here with its meaning."""

import re
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    field_validator,
    model_validator,
)

from harness.kinds import COMMON


def _environment_text(value: object) -> object:
    """TOML numbers and booleans are welcome as settings; the environment holds text."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    return value


Setting = Annotated[str, BeforeValidator(_environment_text)]
SettingName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Settings = dict[SettingName, Setting]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
HttpPath = Annotated[str, Field(pattern=r"^/")]
Seconds = Annotated[float, Field(gt=0, le=3600)]


def _possible_port(address: str) -> str:
    if not 1 <= int(address.rpartition(":")[2]) <= 65535:
        raise ValueError("the port has to be from 1 to 65535")
    return address


Address = Annotated[str, Field(pattern=r"^http://[A-Za-z0-9._-]+:[0-9]{1,5}$"), AfterValidator(_possible_port)]


def _compiles(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"no regular expression: {error}") from None
    return pattern


Regex = Annotated[str, Field(max_length=1000), AfterValidator(_compiles)]


class Table(BaseModel):
    """A TOML table: unknown keys are mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Build(Table):
    """How an image is made, where it does not exist already."""

    context: str = "."
    """The folder that is sent to the engine, relative to the file that says it."""
    dockerfile: str = "Dockerfile"
    """Relative to ``context``."""
    arguments: Settings = Field(default_factory=dict)
    """Build arguments."""


class Container(Table):
    """How a service runs in Docker (``--stack docker``); exactly one of ``image`` and ``build`` says of what.

    In a container ``{host}`` is 0.0.0.0, ``{port}`` is ``port``, ``{python}`` is ``python3``, ``{data}`` is ``data``,
    and other services are reached by their names.
    """

    image: str = ""
    """By tag or, better, by digest. It is pulled when the engine does not have it; that is never part of a start-up."""
    build: Build | None = None
    port: Annotated[int, Field(ge=1, le=65535)]
    """What the service listens on inside."""
    command: tuple[str, ...] | None = None
    """Absent: what the image says."""
    data: Annotated[str, Field(pattern=r"^/")] = "/data"
    memory: Annotated[str, Field(pattern=r"^[1-9][0-9]*[kmg]$")] = "2g"
    """The container is killed when it needs more."""
    pids: Annotated[int, Field(ge=1)] = 1024
    """Processes and threads at most."""
    cpus: Annotated[float, Field(gt=0)] | None = None
    """Processor time at most, in cores; absent: no limit."""
    cpuset: Annotated[str, Field(pattern=r"^[0-9]+([-,][0-9]+)*$")] | None = None
    """The cores that it may use, such as ``0-1,3``; absent: all."""
    capabilities: tuple[Annotated[str, Field(pattern=r"^[A-Z_]+$")], ...] = ()
    """Linux capabilities that it keeps; all others are dropped."""
    user: str = ""
    """Empty: what the image says."""
    init: bool = False
    """True: a small first process passes signals on, for programs that ignore them as process 1."""

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if bool(self.image) == (self.build is not None):
            raise ValueError("exactly one of image and build has to be given")
        return self


class Service(Table):
    """One thing that runs.

    ``command`` and ``settings`` may name ``{python}``, ``{host}``, ``{port}``, ``{data}`` (a folder of its own),
    ``{secret}`` (a random password of the session) and the addresses of services: ``{clickhouse.host}``,
    ``{clickhouse.port}``, ``{clickhouse.url}``. A brace is doubled to be itself.
    """

    command: tuple[str, ...] = ()
    """How it is started as a local process."""
    container: Container | None = None
    """How it is started in Docker."""
    directory: str = "."
    """Working folder, relative to the file that says it."""
    settings: Settings = Field(default_factory=dict)
    """Environment variables of the service."""
    needs: tuple[Name, ...] = ()
    """Services that have to be ready before this one is started."""
    lifetime: Literal["round", "session"] = "round"
    """``round``: restarted in every round, its start-up is measured. ``session``: started once, for backing stores."""
    live: HttpPath | None = None
    """Answers 200 as soon as the process serves requests."""
    ready: HttpPath
    """Answers 200 once the service can do its work."""
    first_answer: HttpPath | None = None
    """A real request; its first 200 ends the start-up."""
    ready_within: Seconds = 30.0
    engine: HttpPath | None = None
    """Answers 200 with what the service runs on and its version, as text or a JSON object; runs on another one are not
    comparable across sessions."""
    settles_within: Annotated[float, Field(ge=0, le=3600)] = 0.0
    """How long to wait for the mark ``settled`` (background work done) after the first answer; 0: do not wait."""
    errors: Regex = COMMON
    """Found in a line that the service prints, it means an error, which is counted by its kind (docs/suites/errors.md);
    absent: common formats are known. Empty: no line is an error. Where it is given, the total is recorded even if it
    is 0, so that it can be bounded."""
    stop_within: Seconds = 5.0
    """Time for an orderly stop (SIGTERM) before the process is killed."""

    @model_validator(mode="after")
    def _can_be_started(self) -> Self:
        if not self.command and self.container is None:
            raise ValueError("a command or a container has to be given")
        return self


class Override(Table):
    """What a variant changes of a service."""

    settings: Settings = Field(default_factory=dict)
    command: tuple[str, ...] | None = None
    ref: str | None = None
    """A branch, tag or hash: the service runs in a clean export of that commit, in Docker of an image built from it:
    docs/variants.md."""
    image: str | None = None
    """In Docker: of this image, whatever ``container`` says."""
    url: Address | None = None
    """It runs already, here: ``http://host:port``. The harness neither starts nor stops it; there is no start-up, and
    nothing else of it can be changed or is known."""

    @model_validator(mode="after")
    def _changes_nothing_elsewhere(self) -> Self:
        changed = self.model_fields_set - {"url"}
        if self.url is not None and changed:
            raise ValueError(f"{' and '.join(sorted(changed))} cannot be given beside url: it runs already")
        return self


class Rounds(Table):
    """How much to measure."""

    looks: tuple[Annotated[int, Field(ge=1, le=10_000)], ...] = Field(default=(14, 20, 28), min_length=1)
    """After so many rounds it is looked which scenarios are decided; only the others go on. The first is the least
    number of rounds, the last the most. A scenario that says its own number has exactly one look, there. The smallest
    p-value of 14 paired rounds is 2 * 2^-14."""
    time_limit: Annotated[float, Field(gt=0, le=86_400)] = 600.0
    """Seconds of measuring that no further stretch between two looks may exceed; the first look is always reached."""

    @field_validator("looks")
    @classmethod
    def _increasing(cls, looks: tuple[int, ...]) -> tuple[int, ...]:
        if any(later <= earlier for earlier, later in pairwise(looks)):
            raise ValueError("each look has to come after more rounds than the one before it")
        return looks


class Controls(Table):
    """Comparisons whose answer is known, measured beside the others; see docs/method.md."""

    enabled: bool = True
    """Whether a third stack, a second `before`, is started for them."""


class GatePolicy(Table):
    """When a session fails; see docs/method.md."""

    error_budget: Annotated[float, Field(gt=0, lt=0.5)] = 0.01
    """Probability that a session without any change raises an alarm; split over the gated metrics."""
    between_sessions: Annotated[float, Field(ge=1, le=100)] = 2.0
    """Factor by which the same work may differ between two sessions on one machine."""
    ignore_minor: bool = False
    """True: a regression that is certainly smaller than the metric's smallest effect passes; the report shows it."""
    strict: bool = False
    """True: an inconclusive gated metric fails with its own exit code."""
    allow_missing: tuple[str, ...] = ()
    """Patterns of ``scenario:metric`` that may be missing on one side, such as ``analytics/*:cost``."""
    required: tuple[str, ...] = ()
    """Patterns of ``scenario:metric`` of which something has to be measured, such as ``retry/*:answered``."""


class MetricOverride(Table):
    """What a project decides otherwise than the scenario's author; key: a pattern of ``scenario:metric``.

    Of several patterns that match, the first that says something of a key decides it; what the scenario's marker says
    comes before all of them. A metric with a limit or a budget is gated, unless ``gated = false`` stands beside it.
    """

    floor: Annotated[float, Field(ge=0, lt=10)] | None = None
    smallest_effect: Annotated[float, Field(gt=0, lt=10)] | None = None
    gated: bool | None = None
    limit: Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)] | None = None
    """The largest worsening that the gate tolerates: 0.05 is 5 %, for a rate 5 percentage points."""
    absolute_limit: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    """The same in the base unit: 0.01 tolerates 10 ms more."""
    budget: Annotated[float, Field(allow_inf_nan=False)] | None = None
    """What ``after`` may be, in the base unit, whatever ``before`` is; at least that, when higher is better."""
    required: bool | None = None
    """True: it has to be measured."""

    @property
    def binds(self) -> bool:
        """Whether something can fail by it, so that it has to apply to something."""
        return bool(self.required) or not (self.limit is self.absolute_limit is self.budget is None)


class History(Table):
    """Where all runs are kept in ClickHouse; see docs/history.md."""

    enabled: bool = False
    """True: `harness run` adds its runs when everything is measured. The commands work in any case."""
    url: str = ""
    """``clickhouse://user@host:port/database``, or http or https; empty: embedded, in ``reports/history``. The
    environment variable HARNESS_HISTORY_URL stands above it: it is the place for an address with a password."""


class TuneSubject(Table):
    """What the commands of `harness tune` ask; see docs/tune.md."""

    service: Name
    """The service whose settings are searched."""
    path: HttpPath
    """Where it is asked: POST ``body`` as JSON."""
    body: dict[str, JsonValue] = Field(default_factory=dict)


class RetryNames(Table):
    """The settings that hold a retry policy, by their names."""

    attempts: SettingName
    """Counts attempts, the first one included."""
    base: SettingName
    factor: SettingName
    cap: SettingName
    timeout: SettingName
    jitter_low: SettingName | None = None
    """Absent, like ``jitter_high``: the jitter cannot be set, it is what ``jitter`` says."""
    jitter_high: SettingName | None = None


class TuneRetry(TuneSubject):
    """`harness tune retry`: calls that a service makes to the harness's model provider, and makes again."""

    provider: Name
    """The service that is `harness.services.llm`."""
    settings: RetryNames
    jitter: tuple[Annotated[float, Field(ge=0, le=10)], Annotated[float, Field(ge=0, le=10)]] = (0.0, 0.0)
    """Smallest and largest share of itself by which the service lengthens a wait."""
    outcome: str = "outcome"
    """The key of the answer that says what became of the call."""
    answered: str = "answered"
    """What stands there when the provider has answered; anything else has not helped the caller."""
    scale: SettingName | None = None
    """The setting by which every wait and time limit is multiplied; absent: nothing can be shortened."""
    mix: str
    """The faults of the provider, unless ``--mix`` says them."""


class TunePool(TuneSubject):
    """`harness tune pool`: queries that wait for one of few connections.

    In the texts of ``body``, ``{seconds}`` is how long the query has to take, ``{key}`` what makes it another query
    than those before it.
    """

    size: SettingName
    default: Annotated[int, Field(ge=1)]
    """The size that the service has when the setting is absent."""


class TuneCache(TuneSubject):
    """`harness tune cache`: answers that are kept for a while. In the texts of ``body``, ``{key}`` is the number of
    what is asked for."""

    ttl: SettingName
    default: Annotated[float, Field(ge=0)]
    """The time to live, in seconds, that the service has when the setting is absent."""
    hit: str
    """The key of the answer that is ``true`` when it came from the cache."""


class Tune(Table):
    """What `harness tune` has to know of the system, for each of its commands."""

    retry: TuneRetry | None = None
    pool: TunePool | None = None
    cache: TuneCache | None = None


class System(Table):
    """The system under test."""

    services: dict[Name, Service] = Field(min_length=1)
    variants: dict[Name, dict[Name, Override]] = Field(min_length=1)
    notes: tuple[str, ...] = ()
    """Facts that every report has to name; ``{backend.TIME_SCALE}`` is replaced by that setting of that service."""
    tune: Tune = Field(default_factory=Tune)


class Configuration(Table):
    """``[tool.harness]`` of a pyproject.toml, or the whole of a harness.toml."""

    system: str | System
    """The system itself, or the path of a TOML file that holds it."""
    stack: Literal["local", "docker"] = "local"
    """How services run unless ``--stack`` says it: as processes of this machine, or each in a container."""
    scenarios: tuple[str, ...] = ("scenarios",)
    """Where ``harness run`` looks for scenarios."""
    reports: str = "reports"
    """Where results go: ``out/`` (sessions) and ``baselines/`` below it."""
    rounds: Rounds = Field(default_factory=Rounds)
    controls: Controls = Field(default_factory=Controls)
    gate: GatePolicy = Field(default_factory=GatePolicy)
    metrics: dict[str, MetricOverride] = Field(default_factory=dict)
    history: History = Field(default_factory=History)
