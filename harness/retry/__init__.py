"""What a retry policy will do, computed: exponential back-off with a cap and added jitter. Pure."""

from harness.retry.distribution import Distribution, Part
from harness.retry.policy import RetryPolicy

__all__ = ["Distribution", "Part", "RetryPolicy"]
