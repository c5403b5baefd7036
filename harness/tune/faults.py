"""A stated mix of what a provider does to attempts, and what one call meets when it is drawn from it. Pure.

``ok=0.7,500=0.15,slow:45=0.05,hang=0.1`` are shares of *attempts*, independent of each other; what is missing to 1 is
``ok``. ``outage:2=0.05`` and ``outage:10s=0.05`` are shares of *calls*: the first two attempts fail, or each attempt
that begins within ten seconds of the first, at once; after that, attempts fail as the mix says. Waiting between
attempts helps against outages alone: where each attempt is as likely to fail as the last, a wait is time lost.
"""

import math
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TypeVar

from harness.errors import ExitCode, HarnessError

T = TypeVar("T")

MOST_ATTEMPTS = 20
"""Of one call, for which faults are drawn."""
_ALLOWED = (
    "ok, a status from 400 to 599, slow:SECONDS, hang, reset, truncated, garbage, outage:ATTEMPTS, outage:SECONDSs"
)
_AT_ONCE = re.compile(r"[45]\d\d|reset|truncated|garbage")
_MOST_SECONDS = 3600.0
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Fault:
    """What the provider does with one attempt; ``ok`` is one, too."""

    text: str
    """As it stands in the mix."""
    seconds: float
    """Until it has answered; infinite: never."""
    good: bool
    """Whether it is a good answer, if it comes in time."""

    def succeeds(self, timeout: float) -> bool:
        """Whether an attempt with this time limit gets a good answer."""
        return self.good and self.seconds < timeout

    def lasts(self, timeout: float) -> float:
        """Seconds that an attempt with this time limit takes."""
        return min(self.seconds, timeout)

    def step(self, scale: float) -> object:
        """The same as a step of a script for the harness's provider, with times multiplied by ``scale``."""
        return {"slow_first_byte": self.seconds * scale} if self.good and self.seconds > 0 else self.text


@dataclass(frozen=True, slots=True)
class Outage:
    """Every attempt fails at once: so many attempts of a call, or for so many seconds from its first one."""

    attempts: int = 0
    seconds: float = 0.0

    def hits(self, attempt: int, waited: float) -> bool:
        """Whether attempt number ``attempt`` (from 0), ``waited`` seconds after the first one, meets it."""
        return attempt < self.attempts or waited < self.seconds


NO_OUTAGE = Outage()


@dataclass(frozen=True, slots=True)
class FaultMix:
    """Probabilities: of each fault for an attempt, of each outage for a call."""

    faults: tuple[tuple[float, Fault], ...]
    outages: tuple[tuple[float, Outage], ...]
    """With none at all among them; both add up to 1."""
    text: str = ""

    def draw(self, generator: random.Random) -> "Fate":
        """What one call meets, at most MOST_ATTEMPTS attempts."""
        shares, faults = zip(*self.faults, strict=True)
        likely, outages = zip(*self.outages, strict=True)
        (outage,) = generator.choices(outages, likely)
        return Fate(outage, tuple(generator.choices(faults, shares, k=MOST_ATTEMPTS)))


@dataclass(frozen=True, slots=True)
class Fate:
    """What one call meets: an outage, and then a fault for each attempt."""

    outage: Outage
    faults: Sequence[Fault]


def drawn(mix: FaultMix, calls: int, generator: random.Random) -> list[Fate]:
    """What so many calls meet, drawn so that the shares of the mix are met as nearly as ``calls`` allow.

    Stratified: of n numbers that decide, one lies in each of n equal parts of [0, 1), in random order. An attempt that
    is likely to be made, as all before it met a fault, is drawn apart from those that are not.
    """

    def strata(n: int) -> list[float]:
        numbers = [(i + generator.random()) / n for i in range(n)]
        generator.shuffle(numbers)
        return numbers

    outages = [_at(mix.outages, number) for number in strata(calls)]
    faults: list[list[Fault]] = [[] for _ in range(calls)]
    for _ in range(MOST_ATTEMPTS):
        made = [met for met in faults if not any(fault.good and fault.seconds == 0 for fault in met)]
        others = [met for met in faults if any(fault.good and fault.seconds == 0 for fault in met)]
        for group in (made, others):
            for met, number in zip(group, strata(len(group)), strict=True):
                met.append(_at(mix.faults, number))
    return [Fate(outage, met) for outage, met in zip(outages, faults, strict=True)]


def _at(shares: Sequence[tuple[float, T]], number: float) -> T:
    """Where ``number`` from [0, 1) falls when the shares lie side by side."""
    ends = accumulate(share for share, _ in shares)
    return next((item for (_, item), end in zip(shares, ends, strict=True) if number < end), shares[-1][1])


def parse_mix(text: str) -> FaultMix:
    """The mix that ``text`` means. Raises HarnessError (4)."""
    faults: list[tuple[float, Fault]] = []
    outages: list[tuple[float, Outage]] = []
    seen: set[str] = set()
    for part in (piece.strip() for piece in text.split(",") if piece.strip()):
        name, _, share_text = (piece.strip() for piece in part.partition("="))
        if name in seen:
            raise _mistake(f"{name} stands there twice")
        seen.add(name)
        share = _share(part, share_text)
        if name.startswith("outage:"):
            outages.append((share, _outage(name)))
        else:
            faults.append((share, _fault(name)))
    _complete(faults, Fault("ok", 0.0, good=True), "the shares of attempts", stated="ok" in seen)
    _complete(outages, NO_OUTAGE, "the shares of outages", stated=False)
    return FaultMix(tuple(faults), tuple(outages), text)


def _complete(
    shares: list[tuple[float, Fault]] | list[tuple[float, Outage]], rest: object, what: str, *, stated: bool
) -> None:
    """Give ``rest`` what is missing to 1; an error when something is and ``rest`` was stated, or there is too much."""
    total = math.fsum(share for share, _ in shares)
    if total > 1 + _ROUNDING or (stated and total < 1 - _ROUNDING):
        raise _mistake(f"{what} add up to {total:g}, not to 1")
    if not stated:
        shares.append((max(0.0, 1 - total), rest))  # type: ignore[arg-type] # the caller pairs list and rest


def _share(part: str, text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise _mistake(f"{part!r:.60}: a share from 0 to 1 is needed, such as 500=0.2")
    return share


def _fault(name: str) -> Fault:
    if name == "ok":
        return Fault(name, 0.0, good=True)
    if name == "hang":
        return Fault(name, math.inf, good=False)
    if _AT_ONCE.fullmatch(name):
        return Fault(name, 0.0, good=False)
    if name.startswith("slow:"):
        return Fault(name, _seconds(name, name.removeprefix("slow:")), good=True)
    raise _mistake(f"{name!r:.60}: allowed are {_ALLOWED}")


def _outage(name: str) -> Outage:
    length = name.removeprefix("outage:")
    if length.endswith("s"):
        return Outage(seconds=_seconds(name, length.removesuffix("s")))
    if re.fullmatch(r"[1-9]\d?", length) and int(length) <= MOST_ATTEMPTS:
        return Outage(attempts=int(length))
    raise _mistake(f"{name!r:.60}: attempts from 1 to {MOST_ATTEMPTS} are allowed, or seconds such as outage:10s")


def _seconds(name: str, text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds <= _MOST_SECONDS:
        raise _mistake(f"{name!r:.60}: seconds above 0, at most {_MOST_SECONDS:g}, are allowed")
    return seconds


def _mistake(message: str) -> HarnessError:
    return HarnessError(f"mix: {message}", ExitCode.USAGE)


Jitter = Callable[[], float]
"""Draws the factor of one wait."""
