"""Access patterns and the simulated cache, against computations of another kind."""

import math
import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.measure.access import cache_hits, one_hit_wonders, scan, zipf

ACCESSES = st.lists(st.integers(0, 6), max_size=40)


def hit_by_reuse_distance(accesses: list[int], at: int, size: int) -> bool:
    """Mattson's rule: LRU hits if and only if fewer than ``size`` other keys were wanted since the last time."""
    previous = [i for i in range(at) if accesses[i] == accesses[at]]
    return bool(previous) and len(set(accesses[previous[-1] + 1 : at])) < size


@given(ACCESSES, st.integers(0, 8))
def test_the_least_recently_used_goes_first(accesses: list[int], size: int) -> None:
    expected = [size > 0 and hit_by_reuse_distance(accesses, at, size) for at in range(len(accesses))]
    assert cache_hits(accesses, size) == expected


@given(ACCESSES, st.integers(1, 8), st.lists(st.integers(0, 5), min_size=40, max_size=40))
def test_what_has_lived_its_time_is_missed(accesses: list[int], ttl: int, gaps: list[int]) -> None:
    """Without a limit of size: a hit needs an access of the same key that missed less than ``ttl`` ago."""
    times = [float(sum(gaps[:at])) for at in range(len(accesses))]
    hits = cache_hits(accesses, 100, ttl, times)
    for at, hit in enumerate(hits):
        kept = any(accesses[i] == accesses[at] and not hits[i] and times[at] - times[i] < ttl for i in range(at))
        assert hit == kept


def test_an_entry_that_was_used_does_not_live_longer() -> None:
    assert cache_hits([0, 0, 0, 0], 1, 2.0, [0.0, 1.0, 1.9, 2.0]) == [False, True, True, False]


def test_times_have_to_be_as_many_as_accesses() -> None:
    with pytest.raises(ValueError, match="shorter"):
        cache_hits([0, 0], 1, 1.0, [0.0])


def test_a_scan_defeats_a_cache_that_is_one_too_small() -> None:
    assert not any(cache_hits(scan(9, 100), 8))
    assert sum(cache_hits(scan(8, 100), 8)) == 92


@pytest.mark.parametrize("exponent", [0.0, 1.0, 1.5])
def test_zipf_wants_keys_as_its_law_says(exponent: float) -> None:
    count, keys = 20_000, 10
    seen = Counter(zipf(random.Random(5), keys, exponent, count))
    total = sum((key + 1) ** -exponent for key in range(keys))
    for key in range(keys):
        share = (key + 1) ** -exponent / total
        assert abs(seen[key] - count * share) < 4.5 * math.sqrt(count * share * (1 - share))


def test_the_same_seed_gives_the_same_accesses() -> None:
    assert zipf(random.Random(1), 50, 1.0, 100) == zipf(random.Random(1), 50, 1.0, 100)
    assert zipf(random.Random(1), 50, 1.0, 100) != zipf(random.Random(2), 50, 1.0, 100)


@given(ACCESSES, st.integers(0, 2**32), st.sampled_from([0.0, 0.3, 1.0]))
def test_one_hit_wonders_come_once_and_leave_the_others_in_place(accesses: list[int], seed: int, share: float) -> None:
    mixed = one_hit_wonders(random.Random(seed), accesses, share)
    pairs = list(zip(accesses, mixed, strict=True))
    fresh = [new for old, new in pairs if new != old]
    assert len(set(fresh)) == len(fresh)
    assert not set(fresh) & set(accesses)
    assert len(fresh) == {0.0: 0, 1.0: len(accesses)}.get(share, len(fresh))
