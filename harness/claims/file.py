"""A file of claims: which sentence somebody wrote, and which measurement would bear it out."""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

from harness.configuration.find import read_toml
from harness.errors import ExitCode, HarnessError
from harness.files.strict_json import shown

_NUMBER = r"\d+(?:\.\d+)?"
_CHANGE = re.compile(rf"(?P<sign>[-+−])\s*(?P<number>{_NUMBER})\s*(?P<unit>%|points)")
_TOLERANCE = re.compile(rf"(?P<number>{_NUMBER})\s*(?:%|points)")
_BOUND = re.compile(rf"(?P<sign><=|>=)\s*(?P<number>{_NUMBER})")
_BETWEEN = re.compile(rf"(?P<low>{_NUMBER}) to (?P<high>{_NUMBER})")

DEFAULT_TOLERANCE = "5 %"
"""A change that is claimed in whole per cent, often with a tilde, is hardly meant more exactly."""


@dataclass(frozen=True, slots=True)
class Span:
    """Everything from ``low`` to ``high``, both included."""

    low: float
    high: float


class _Table(BaseModel):
    """A TOML table: unknown keys are mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _change(text: str) -> str:
    if not _CHANGE.fullmatch(text):
        raise ValueError('allowed is a signed change such as "-40 %", "+100 %", of a share "-4 points"')
    return text


def _tolerance(text: str) -> str:
    if not _TOLERANCE.fullmatch(text):
        raise ValueError('allowed is such as "5 %": the change may be so many percentage points more or less')
    return text


def _value(found: object) -> object:
    if isinstance(found, str) and not (_BOUND.fullmatch(found) or _ordered(found)):
        raise ValueError('allowed are a number, or "<= 1.5", ">= 9", "27 to 33" in the base unit (a share: 0 to 1)')
    return found


def _ordered(text: str) -> bool:
    match = _BETWEEN.fullmatch(text)
    return match is not None and float(match["low"]) <= float(match["high"])


Text = Annotated[str, Field(min_length=1, max_length=600)]
Words = Annotated[str, Field(max_length=600)]
Pattern = Annotated[str, Field(pattern=r"^[^:]+:.+$", max_length=300)]
Value = Annotated[Annotated[float, Field(allow_inf_nan=False)] | str, AfterValidator(_value)]


class Check(_Table):
    """What has to be found for a claim to hold: one of ``change``, ``direction``, ``before`` and/or ``after``."""

    metric: Pattern
    """``suite/scenario:metric``, or a pattern of it: then every metric that it means has to hold."""
    than: Pattern | None = None
    """Another metric. What is judged is the change from it to ``metric``, round by round, both measured in ``after``:
    what a proposal would bring, on the system as it is now."""
    change: Annotated[str, AfterValidator(_change)] | None = None
    """From before to after: ``"-40 %"``, or of a share ``"-4 points"``."""
    tolerance: Annotated[str, AfterValidator(_tolerance)] = DEFAULT_TOLERANCE
    """How far beside ``change`` still counts, in percentage points of the change."""
    direction: Literal["lower", "higher", "unchanged"] | None = None
    """A change without a number: beyond the metric's floor; ``unchanged``: smaller than what matters."""
    before: Value | None = None
    """What ``before`` measured: ``11``, ``">= 9"``, ``"<= 1.5"``, ``"27 to 33"``, in the metric's base unit."""
    after: Value | None = None
    """The same of ``after``."""

    @model_validator(mode="after")
    def _one_expectation(self) -> Self:
        values = self.before is not None or self.after is not None
        if (self.change is not None) + (self.direction is not None) + values != 1:
            raise ValueError("allowed is exactly one of change, direction, before and/or after")
        if self.than is not None and values:
            raise ValueError("than goes with change or direction")
        if "tolerance" in self.model_fields_set and self.change is None:
            raise ValueError("tolerance goes with change only")
        return self

    @property
    def claimed(self) -> Span:
        """The changes that bear out ``change``, as parts of 1: -0.45 to -0.35."""
        sign, number, _ = _parts(self.change)
        tolerance = _TOLERANCE.fullmatch(self.tolerance)
        assert tolerance is not None, "checked when it was read"
        middle = (1 if sign == "+" else -1) * number
        return Span((middle - float(tolerance["number"])) / 100, (middle + float(tolerance["number"])) / 100)

    @property
    def in_points(self) -> bool:
        """Whether ``change`` is one of a share, in percentage points."""
        return _parts(self.change)[2] == "points"

    @property
    def sides(self) -> dict[Literal["before", "after"], Span]:
        """What either variant by itself has to have measured."""
        found: dict[Literal["before", "after"], Span] = {}
        if self.before is not None:
            found["before"] = _span(self.before)
        if self.after is not None:
            found["after"] = _span(self.after)
        return found


def _parts(change: str | None) -> tuple[str, float, str]:
    match = _CHANGE.fullmatch(change or "")
    assert match is not None, "checked when it was read"
    return match["sign"], float(match["number"]), match["unit"]


def _span(value: float | str) -> Span:
    if not isinstance(value, str):
        return Span(value, value)
    if match := _BETWEEN.fullmatch(value):
        return Span(float(match["low"]), float(match["high"]))
    match = _BOUND.fullmatch(value)
    assert match is not None, "checked when it was read"
    number = float(match["number"])
    return Span(number, math.inf) if match["sign"] == ">=" else Span(-math.inf, number)


class Claim(_Table):
    """One sentence, and the checks that all have to hold for it to be supported."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,59}$")]
    """Unique in the file."""
    where: Text
    """The section of the report that the sentence stands in."""
    statement: Text
    """The sentence as it was written."""
    checks: tuple[Check, ...] = ()
    cost: tuple[Pattern, ...] = ()
    """Metrics that tell what the gain costs: shown beside it, whatever the verdict."""
    reading: Words = ""
    """How a sentence was read that can be read in several ways."""
    why_not: Words = ""
    """Why nothing that is measured here can tell: the claim is ``not measured``."""

    @model_validator(mode="after")
    def _checks_or_a_reason(self) -> Self:
        if bool(self.checks) == bool(self.why_not):
            raise ValueError("allowed is either checks or why_not")
        return self


class ClaimsFile(_Table):
    """All claims of one report, in the order of their sections."""

    title: Text
    source: Words = ""
    """Where the sentences come from."""
    claim: tuple[Claim, ...]

    @field_validator("claim")
    @classmethod
    def _unique(cls, claims: tuple[Claim, ...]) -> tuple[Claim, ...]:
        if not claims:
            raise ValueError("there is none")
        seen: set[str] = set()
        for claim in claims:
            if claim.id in seen:
                raise ValueError(f"two claims are called {claim.id}")
            seen.add(claim.id)
        return claims


def read_claims(file: Path) -> ClaimsFile:
    """Read and check ``file``. Raises HarnessError (4): one line a mistake, with claim, key and what is allowed."""
    table = read_toml(file)
    try:
        return ClaimsFile.model_validate(table)
    except ValidationError as error:
        lines = "\n".join(_mistakes(error, file, table))
        raise HarnessError(lines, ExitCode.USAGE) from None


def _mistakes(error: ValidationError, file: Path, table: dict[str, Any]) -> Iterator[str]:
    told: set[str] = set()
    for entry in error.errors():
        place = _place(entry["loc"], table)
        if place not in told:  # of a value that may be a number or a text, both complain
            told.add(place)
            yield f"{file}: {place}: {_said(entry)}"


def _said(entry: ErrorDetails) -> str:
    found = f'found "{shown(str(entry["input"]))}"'
    match entry["type"]:
        case "extra_forbidden":
            return "unknown key"
        case "missing":
            return "missing"
        case "tuple_type":
            return f"{found}, allowed is a list"
        case "model_type":
            return f"{found}, allowed is a table"
        case "value_error":
            text = str(entry["ctx"]["error"])
            return f"{found}, {text}" if isinstance(entry["input"], str) else text
        case _:
            return f"{entry['msg'].lower()}, {found}"


def _place(location: Sequence[int | str], table: dict[str, Any]) -> str:
    """``claim "retry-delay": checks[0].change``: claims by their ids, as nobody counts fifty of them."""
    if len(location) >= 2 and location[0] == "claim" and isinstance(location[1], int):
        entry = table["claim"][location[1]]
        name = entry.get("id") if isinstance(entry, dict) else None
        first = f'claim "{shown(str(name))}"' if name else f"claim {location[1] + 1}"
        rest = _key(location[2:])
        return f"{first}: {rest}" if rest else first
    return _key(location) or "the file"


def _key(location: Sequence[int | str]) -> str:
    texts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in location if not _of_a_union(part)]
    return "".join(texts).removeprefix(".")


def _of_a_union(part: int | str) -> bool:
    """pydantic names the branch of a union that did not match; no key is called so."""
    return isinstance(part, str) and (part in ("float", "str") or "[" in part)
