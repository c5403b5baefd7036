"""What a retry policy will do, computed: exponential back-off with a cap and added jitter. Pure.

Wait ``i`` (0 for the first) is ``min(base * factor**i, cap)`` lengthened by a random share between ``jitter_low`` and
``jitter_high`` of itself. A call gives up after ``max_attempts`` attempts: it waits at most ``max_attempts - 1`` times.
"""

from dataclasses import dataclass


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

    def waiting(self, failures: int | None) -> tuple[float, float]:
        """Shortest and longest total of the waits between the attempts of one call, in seconds."""
        nominal = sum(min(self.base * self.factor**i, self.cap) for i in range(self.attempts(failures) - 1))
        return nominal * (1 + self.jitter_low), nominal * (1 + self.jitter_high)

    def success_share(self, failure_share: float) -> float:
        """Share of calls that succeed when each attempt fails independently with probability ``failure_share``."""
        return 1 - failure_share**self.max_attempts
