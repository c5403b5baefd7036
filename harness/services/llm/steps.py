"""The grammar of scripts: what the provider does with a call, validated before it is played. No effects, no clock."""

import json
import random
from dataclasses import dataclass, field

from harness.errors import ExitCode, HarnessError

MAX_SECONDS = 3600
MAX_CHUNKS = 10_000
MAX_SEED = 2**63 - 1
_FOUND_LIMIT = 40


@dataclass(frozen=True, slots=True)
class Ok:
    """A good answer, at once."""


@dataclass(frozen=True, slots=True)
class Status:
    """An error answer, at once."""

    code: int
    retry_after: float | None = None
    """Seconds, sent as the header ``Retry-After``."""


@dataclass(frozen=True, slots=True)
class Hang:
    """No answer at all, until the client leaves or ``seconds`` are over; then the connection is closed."""

    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class SlowFirstByte:
    """A good answer after ``seconds`` of silence."""

    seconds: float


@dataclass(frozen=True, slots=True)
class SlowBody:
    """A good answer whose head comes at once and whose body comes in ``chunks`` equal pieces over ``seconds``."""

    seconds: float
    chunks: int


@dataclass(frozen=True, slots=True)
class Reset:
    """A TCP reset instead of an answer."""


@dataclass(frozen=True, slots=True)
class Truncated:
    """Half of the body that was announced, then the end of the connection."""


@dataclass(frozen=True, slots=True)
class Garbage:
    """Status 200 with a body that is not JSON."""


Step = Ok | Status | Hang | SlowFirstByte | SlowBody | Reset | Truncated | Garbage


@dataclass(frozen=True, slots=True)
class Chance:
    """``step`` with probability ``share``, otherwise a good answer. Drawn anew for each call."""

    share: float
    step: Step


@dataclass(frozen=True, slots=True)
class Script:
    """One step for each call in the order of arrival; after the last one ``then``, for ever."""

    steps: tuple[Step | Chance, ...] = ()
    then: Step | Chance = field(default_factory=Ok)
    seed: int = 1


class Player:
    """Plays a script from its first step. The same script gives the same sequence, random failures included."""

    def __init__(self, script: Script) -> None:
        self._steps = iter(script.steps)
        self._then = script.then
        self._random = random.Random(script.seed)  # noqa: S311 - reproducible on purpose
        # Calls that bring their own step must not shift the sequence of those that do not.
        self._random_of_own_steps = random.Random(script.seed)  # noqa: S311

    def next(self) -> Step:
        """The step for a call that has arrived."""
        return _drawn(next(self._steps, self._then), self._random)

    def draw(self, step: Step | Chance) -> Step:
        """The step for a call that brought ``step`` along: nothing of the script is consumed."""
        return _drawn(step, self._random_of_own_steps)


def _drawn(step: Step | Chance, generator: random.Random) -> Step:
    if not isinstance(step, Chance):
        return step
    return step.step if generator.random() < step.share else Ok()


_WORDS: dict[str, Step] = {
    "ok": Ok(),
    "hang": Hang(),
    "reset": Reset(),
    "truncated": Truncated(),
    "garbage": Garbage(),
}
_WORDS_ALLOWED = f"{', '.join(_WORDS)}, a status from 400 to 599"
_INNER_ALLOWED = f"{_WORDS_ALLOWED}, or an object with one of status, hang, slow_first_byte, slow_body"
_ALLOWED = f"{_INNER_ALLOWED}, random"


def parse_script(text: str | bytes) -> Script:
    """The script in a JSON text; ``HarnessError`` names the position of a mistake and what is allowed there."""
    members = _check_keys(_loaded(text, "script"), "script", optional=("steps", "then", "seed"))
    steps = members.get("steps", [])
    if not isinstance(steps, list):
        raise _mistake("steps", steps, "a list of steps")
    return Script(
        steps=tuple(parse_step(step, f"steps[{index}]") for index, step in enumerate(steps)),
        then=parse_step(members.get("then", "ok"), "then"),
        seed=_whole(members.get("seed", 1), "seed", 0, MAX_SEED),
    )


def parse_step_text(text: str, where: str) -> Step | Chance:
    """A step as it stands in a header: JSON, or a short form without its quotation marks."""
    return parse_step(_loaded(text, where) if text.startswith(("{", '"')) else text, where)


def parse_step(value: object, where: str) -> Step | Chance:
    """The step that a decoded JSON ``value`` means; ``where`` is its position, for the error."""
    match value:
        case {"random": chance}:
            _check_keys(value, where, required=("random",))
            return _chance(chance, f"{where}.random")
        case _:
            return _certain(value, where, _ALLOWED)


def step_json(step: Step | Chance) -> object:
    """``step`` as a JSON value: ``parse_step`` of it is ``step`` again."""
    match step:
        case Status(code, None):
            return str(code)
        case Status(code, retry_after):
            return {"status": code, "retry_after": retry_after}
        case Hang(float() | int() as seconds):
            return {"hang": seconds}
        case SlowFirstByte(seconds):
            return {"slow_first_byte": seconds}
        case SlowBody(seconds, chunks):
            return {"slow_body": {"seconds": seconds, "chunks": chunks}}
        case Chance(share, inner):
            return {"random": {"share": share, "step": step_json(inner)}}
        case Ok() | Hang() | Reset() | Truncated() | Garbage():
            return next(word for word, meaning in _WORDS.items() if meaning == step)


def _certain(value: object, where: str, allowed: str) -> Step:
    match value:
        case str(word) if word in _WORDS:
            return _WORDS[word]
        case str(word) if len(word) == 3 and word.isascii() and word.isdecimal():
            return Status(_whole(int(word), where, 400, 599))
        case {"status": code}:
            return _status(value, code, where)
        case {"hang": seconds}:
            _check_keys(value, where, required=("hang",))
            return Hang(_number(seconds, f"{where}.hang", MAX_SECONDS))
        case {"slow_first_byte": seconds}:
            _check_keys(value, where, required=("slow_first_byte",))
            return SlowFirstByte(_number(seconds, f"{where}.slow_first_byte", MAX_SECONDS))
        case {"slow_body": body}:
            _check_keys(value, where, required=("slow_body",))
            return _slow_body(body, f"{where}.slow_body")
        case _:
            raise _mistake(where, value, allowed)


def _status(value: object, code: object, where: str) -> Status:
    members = _check_keys(value, where, required=("status",), optional=("retry_after",))
    status = _whole(code, f"{where}.status", 400, 599)
    if "retry_after" not in members:
        return Status(status)
    return Status(status, _number(members["retry_after"], f"{where}.retry_after", MAX_SECONDS))


def _slow_body(value: object, where: str) -> SlowBody:
    members = _check_keys(value, where, required=("seconds", "chunks"))
    return SlowBody(
        seconds=_number(members["seconds"], f"{where}.seconds", MAX_SECONDS),
        chunks=_whole(members["chunks"], f"{where}.chunks", 1, MAX_CHUNKS),
    )


def _chance(value: object, where: str) -> Chance:
    members = _check_keys(value, where, required=("share", "step"))
    return Chance(
        share=_number(members["share"], f"{where}.share", 1),
        step=_certain(members["step"], f"{where}.step", _INNER_ALLOWED),
    )


def _loaded(text: str | bytes, where: str) -> object:
    try:
        value: object = json.loads(text)
    except RecursionError:
        raise HarnessError(f"{where}: nested too deeply", ExitCode.USAGE) from None
    except ValueError as error:
        raise HarnessError(f"{where}: not valid JSON: {error}", ExitCode.USAGE) from None
    return value


def _check_keys(
    value: object, where: str, *, required: tuple[str, ...] = (), optional: tuple[str, ...] = ()
) -> dict[str, object]:
    allowed = (*required, *optional)
    if not isinstance(value, dict):
        raise _mistake(where, value, f"an object with {', '.join(allowed)}")
    for key in value:
        if key not in allowed:
            raise _mistake(where, key, f"the keys {', '.join(allowed)}")
    for key in required:
        if key not in value:
            raise HarnessError(f"{where}: {key} is missing; needed are {', '.join(required)}", ExitCode.USAGE)
    return value


def _whole(value: object, where: str, low: int, high: int) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
        return value
    raise _mistake(where, value, f"a whole number from {low} to {high}")


def _number(value: object, where: str, high: float) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= high:
        return value
    raise _mistake(where, value, f"a number from 0 to {high}")


def _mistake(where: str, found: object, allowed: str) -> HarnessError:
    return HarnessError(f"{where}: found {_shown(found)}; allowed: {allowed}", ExitCode.USAGE)


def _shown(value: object) -> str:
    """``value`` in a few printable characters: it comes from outside and may be anything."""
    match value:
        case dict():
            return f"an object with {_shown(next(iter(value)))}" if value else "an empty object"
        case list():
            return "a list"
        case str() if len(value) > _FOUND_LIMIT:
            return _shown(value[:_FOUND_LIMIT]) + "…"
        case str():
            return json.dumps(value).replace("\x7f", "\\u007f")
        case _:
            return json.dumps(value)[:_FOUND_LIMIT]
