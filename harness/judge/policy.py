"""What the gate tolerates."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.errors import ExitCode, HarnessError
from harness.judge.spread import Spread
from harness.patterns import matches


@dataclass(frozen=True, slots=True)
class Policy:
    """The numbers a verdict and the exit code depend on, besides the margins that each metric brings along."""

    error_budget: float = 0.01
    """The probability that a session in which nothing changed alarms in any gated metric. Shared by all of them."""
    between_sessions: float = 2.0
    """The factor by which the same work may differ between two sessions on one machine (measured: 1.3-1.6 within a
    minute on a calm machine, more under load). Widens the intervals of two runs that were not measured interleaved."""
    ignore_minor: bool = False
    """Whether the gate passes a regression that is certainly smaller than the smallest effect that matters."""
    strict: bool = False
    """Whether an undecided gated metric fails the gate."""
    allow_missing: tuple[str, ...] = ()
    """Patterns (``fnmatch``) of ``scenario:metric`` that may be missing from one of the runs."""
    required: tuple[str, ...] = ()
    """Patterns of ``scenario:metric`` of which something has to be measured; ``allow_missing`` does not excuse it."""
    bounded: tuple[str, ...] = ()
    """Patterns of ``scenario:metric`` that a session sets a limit or a budget for: each has to apply to something."""
    ci: bool = False
    """Whether ``required`` counts for a session of selected scenarios as well."""
    spreads: Mapping[tuple[str, str], Spread] = field(default_factory=dict)
    """Scenario and metric -> how much it varied between sessions on this machine, where that is known."""

    def __post_init__(self) -> None:
        if not 0 < self.error_budget < 1:
            raise HarnessError(
                f"gate: error_budget is {self.error_budget}; it has to lie between 0 and 1", ExitCode.USAGE
            )
        if not 1 <= self.between_sessions < float("inf"):
            raise HarnessError(
                f"gate: between_sessions is {self.between_sessions}; it is a factor of at least 1", ExitCode.USAGE
            )

    def may_be_missing(self, scenario: str, metric: str) -> bool:
        """Whether ``allow_missing`` names this metric."""
        return any(matches(f"{scenario}:{metric}", pattern) for pattern in self.allow_missing)
