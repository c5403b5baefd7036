"""A retry policy, and what it will do.

Wait ``i`` (0 for the first) is ``min(base * factor**i, cap)`` lengthened by a random share between ``jitter_low`` and
``jitter_high`` of itself. A call gives up after ``max_attempts`` attempts: it waits at most ``max_attempts - 1`` times.
"""

from dataclasses import dataclass

from harness.retry.distribution import Distribution, Part


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """The settings of a policy; times in seconds."""

    max_attempts: int
    base: float
    factor: float
    cap: float
    timeout: float
    """Of one attempt."""
    jitter_low: float = 0.1
    jitter_high: float = 0.3

    def attempts(self, failures: int | None) -> int:
        """Attempts of one call when the first ``failures`` attempts fail (None: all of them)."""
        return self.max_attempts if failures is None else min(failures + 1, self.max_attempts)

    def recovers(self, failures: int) -> bool:
        """Whether a call succeeds when its first ``failures`` attempts fail."""
        return failures < self.max_attempts

    def nominal(self, waits: int) -> tuple[float, ...]:
        """The first ``waits`` waits before jitter, in seconds."""
        return tuple(min(self.base * self.factor**i, self.cap) for i in range(waits))

    def waiting(self, failures: int | None) -> tuple[float, float]:
        """Shortest and longest total of the waits between the attempts of one call, in seconds."""
        nominal = sum(self.nominal(self.attempts(failures) - 1))
        return nominal * (1 + self.jitter_low), nominal * (1 + self.jitter_high)

    def total_waiting(self, failures: int | None) -> Distribution:
        """The distribution of the total of the waits when the first ``failures`` attempts fail (None: all of them)."""
        return Distribution((self._part(1.0, self.attempts(failures) - 1),))

    def success_share(self, failure_share: float) -> float:
        """Share of calls that succeed when each attempt fails independently with probability ``failure_share``."""
        return 1 - failure_share**self.max_attempts

    def expected_attempts(self, failure_share: float) -> float:
        """Attempts of a call on average, at the same: what reaches the provider for each call (amplification)."""
        return sum(failure_share**i for i in range(self.max_attempts))

    def waiting_under(self, failure_share: float) -> Distribution:
        """The distribution of the total of the waits of a call, at the same: a mixture over the number of waits."""
        last = self.max_attempts - 1
        parts = [self._part(failure_share**waits * (1 - failure_share), waits) for waits in range(last)]
        return Distribution((*parts, self._part(failure_share**last, last)))

    def _part(self, share: float, waits: int) -> Part:
        nominal = self.nominal(waits)
        spread = self.jitter_high - self.jitter_low
        return Part(share, sum(nominal) * (1 + self.jitter_low), tuple(wait * spread for wait in nominal))
