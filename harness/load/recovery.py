"""How long after the beginning of a spike latency is back where it was. Pure."""

from collections.abc import Sequence

from harness.errors import HarnessError
from harness.load.records import Record
from harness.load.summary import Quantile

TOGETHER = 10
"""Requests whose median counts: a single slow one is no spike."""


def back_after(records: Sequence[Record], begin: float, limit: float) -> Quantile:
    """Seconds from ``begin`` until latency is back: until the first intended start from which the median of
    ``TOGETHER`` successive requests is at most ``limit``, and stays so to the end. ``at_least``: it never was.

    Failures and unanswered ones count as slow. Without a slow stretch after ``begin`` it is 0. HarnessError when fewer
    than ``TOGETHER`` requests were started after ``begin``.
    """
    ordered = sorted((record for record in records if record.intended >= begin), key=lambda record: record.intended)
    slow = [record.outcome != "answered" or record.latency > limit for record in ordered]
    last = len(ordered) - TOGETHER
    if last < 0:
        raise HarnessError(f"{len(ordered)} requests after the spike began: too few to tell when latency is back")
    for index in range(last, -1, -1):
        if sum(slow[index : index + TOGETHER]) > TOGETHER / 2:
            if index == last:
                return Quantile(max(record.ended for record in ordered) - begin, at_least=True)
            return Quantile(ordered[index + 1].intended - begin, at_least=False)
    return Quantile(0.0, at_least=False)
