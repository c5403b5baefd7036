"""Access patterns for caches, and what a cache would make of them, computed. Pure; keys are whole numbers from 0.

The patterns are the usual ones of cache studies: a few keys wanted often (Zipf's law, as web requests follow it:
Breslau et al., 1999), a scan round and round, and keys that are wanted once and never again.
"""

import itertools
import math
import random
from collections import OrderedDict
from collections.abc import Sequence


def zipf(generator: random.Random, keys: int, exponent: float, count: int) -> list[int]:
    """``count`` independent accesses; key k of ``keys`` has the probability ~ 1 / (k + 1) ** ``exponent``."""
    weights = itertools.accumulate(1 / (key + 1) ** exponent for key in range(keys))
    return generator.choices(range(keys), cum_weights=list(weights), k=count)


def scan(keys: int, count: int) -> list[int]:
    """``count`` accesses to ``keys`` keys in order, beginning again after the last one."""
    return [access % keys for access in range(count)]


def one_hit_wonders(generator: random.Random, accesses: Sequence[int], share: float) -> list[int]:
    """``accesses``, each replaced with probability ``share`` by a new key that never comes again."""
    fresh = itertools.count(max(accesses, default=-1) + 1)
    return [next(fresh) if generator.random() < share else key for key in accesses]


def cache_hits(
    accesses: Sequence[int], size: int, ttl: float = math.inf, times: Sequence[float] | None = None
) -> list[bool]:
    """Which accesses hit a cache of ``size`` entries that is empty at first and drops the least recently used one.

    ``ttl``: seconds that an entry lives from the access that missed it, used or not. ``times``: when the accesses
    happen, in seconds, in order; needed for a ``ttl``. Fetching takes no time here: misses never overlap.
    """
    since: OrderedDict[int, float] = OrderedDict()  # least recently used first
    hits = []
    for key, now in zip(accesses, times if times is not None else itertools.repeat(0.0, len(accesses)), strict=True):
        hit = key in since and now - since[key] < ttl
        if not hit:
            since[key] = now
        since.move_to_end(key)
        if len(since) > size:
            since.popitem(last=False)
        hits.append(hit)
    return hits
