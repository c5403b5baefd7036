"""A cache whose entries live for a fixed time: how often it answers, and how old its answers are. Pure.

Keys are asked for at random (Poisson) with rates that fall as 1 / rank^skew (Zipf). A miss keeps the answer for the
time to live T; the hits until then are on average rate × T, and the next request is a miss again. So a key's share of
hits is rate × T / (1 + rate × T), exactly, and the age of its answers is T/2 for hits and 0 for misses (Jung, Berger &
Balakrishnan, Modeling TTL-based Internet caches, INFOCOM 2003). The cache is taken to be large enough for all keys.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from harness.model import Metric

AGE = Metric("age", "s", about="How long ago an answer was computed, on average over all answers.")
HITS = Metric("hits", "1", better="higher", kind="rate", about="Answers that came from the cache.")
OBJECTIVES = (AGE, HITS)
TTLS = (0.0, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0)


@dataclass(frozen=True, slots=True)
class Access:
    """Who asks for what, how often."""

    rate: float
    """Requests a second, of all keys."""
    keys: int
    skew: float
    """0: all keys alike; 1: the second one half as often as the first, the third one a third as often."""

    @property
    def shares(self) -> tuple[float, ...]:
        """Of each key in all requests."""
        weights = [1 / rank**self.skew for rank in range(1, self.keys + 1)]
        total = sum(weights)
        return tuple(weight / total for weight in weights)

    def drawn(self, seconds: float, generator: random.Random) -> list[tuple[float, int]]:
        """Moments and keys of the requests in so many seconds."""
        requests, now = [], generator.expovariate(self.rate)
        keys, ends = range(self.keys), list(accumulate(self.shares))
        while now < seconds:
            requests.append((now, generator.choices(keys, cum_weights=ends)[0]))
            now += generator.expovariate(self.rate)
        return requests


def predict(access: Access, ttl: float) -> dict[str, float]:
    """The mean of each objective in the long run."""
    hits = sum(share * share * access.rate * ttl / (1 + share * access.rate * ttl) for share in access.shares)
    return {AGE.name: hits * ttl / 2, HITS.name: hits}


def replay(requests: Sequence[tuple[float, int]], ttl: float) -> list[tuple[bool, float]]:
    """Of each request: whether it is a hit, and the age of its answer, from an empty cache on."""
    kept: dict[int, float] = {}
    answers = []
    for now, key in requests:
        since = kept.get(key)
        if since is not None and now - since < ttl:
            answers.append((True, now - since))
        else:
            kept[key] = now
            answers.append((False, 0.0))
    return answers
