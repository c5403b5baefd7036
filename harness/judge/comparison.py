"""What a comparison says: plain values that the statistics fill and the reports print."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from harness.model import Metric


class Verdict(StrEnum):
    """What the evidence allows us to say. The last three say that nothing could be judged."""

    IMPROVED = "improved"
    REGRESSED = "regressed"
    UNCHANGED = "unchanged"
    INCONCLUSIVE = "inconclusive"
    MISSING = "missing"
    INCOMPARABLE = "incomparable"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value and the interval that holds the true one with probability ``level``."""

    value: float
    low: float
    high: float
    level: float


@dataclass(frozen=True, slots=True)
class Summary:
    """One sample in a line. For a rate ``median`` is the share of ones, the quartiles are its Wilson 95 % interval."""

    n: int
    median: float
    q1: float
    q3: float


Scale = Literal["relative", "absolute"]


BoundState = Literal["kept", "broken", "undecided"]


@dataclass(frozen=True, slots=True)
class Bound:
    """A bound that the project has set on a metric, and whether it holds."""

    name: Literal["limit", "absolute limit", "budget"]
    value: float
    """A limit is relative, for a rate absolute; the others are in the base unit of the metric."""
    interval: tuple[float, float]
    """What is bounded: by a limit the worsening, positive when worse; by a budget the median or share of ``after``."""
    state: BoundState


@dataclass(frozen=True, slots=True)
class Comparison:
    """One metric of one scenario in two runs."""

    scenario: str
    metric: Metric
    verdict: Verdict
    before: Summary | None = None
    after: Summary | None = None
    effect: Estimate | None = None
    """The change from before to after: on scale ``relative`` after/before - 1, on ``absolute`` after - before."""
    scale: Scale = "relative"
    units: int = 0
    """How many independent units the effect rests on (rounds; for unpaired runs the smaller sample)."""
    p_value: float | None = None
    """Two-sided, against "the change does not exceed the floor"."""
    detectable: float | None = None
    """The smallest change that this comparison would have called with probability 95 %, on the same scale."""
    method: str = ""
    """The procedure in three words, such as ``paired signed-rank``."""
    warnings: tuple[str, ...] = ()
    reason: str = ""
    """Why there is no judgement (missing, incomparable, invalid), or what would decide it (inconclusive)."""
    enough: bool = True
    """False: with so few units no change could be called, whatever its size; the gate does not pass on that."""
    bounds: tuple[Bound, ...] = ()
    """The metric's limits and budget, and whether they hold."""
    minor: bool = False
    """Improved or regressed, but by less than the smallest effect that matters, as the whole interval says."""
    report_only: bool = False
    """Inconclusive because what was measured is too coarse: reported, and not counted as compared."""

    @property
    def gated(self) -> bool:
        """Whether this comparison may decide the exit code."""
        return self.metric.gated
