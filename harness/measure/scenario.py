"""What is measured: one scenario as collected, and how often it takes its turns."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from harness.configuration.schema import MetricOverride

Tag = Literal["quick", "full", "soak"]
TAGS: tuple[Tag, ...] = ("quick", "full", "soak")
"""How much time a scenario is worth: `quick` belongs to every session, `full` to thorough ones, `soak` runs for long. A
session of one tag measures those before it, too."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario: what to call and how often."""

    id: str
    """``suite/name``, with parameters in brackets."""
    function: Callable[..., object]
    arguments: Mapping[str, Any] = field(default_factory=dict)
    looks: tuple[int, ...] = (14,)
    """The numbers of rounds after which it may be done, increasing; the last is the most it takes part in."""
    pairs: int = 1
    """Turns of each variant in a round, interleaved."""
    warmup: int = 0
    """Turns of each variant in a round before those, not recorded."""
    limits: Mapping[str, MetricOverride] = field(default_factory=dict)
    """Metric (or a pattern of it) -> what the scenario's own marker decides of it."""
    tag: Tag = "quick"

    @property
    def rounds(self) -> int:
        """How many rounds it takes part in at most."""
        return self.looks[-1]

    def may_end(self, done: int) -> bool:
        """Whether it can be finished early after ``done`` rounds: that is a look, and not the last."""
        return done in self.looks[:-1]
