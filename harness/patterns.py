"""Patterns of names such as ``scenario:metric``, which may hold brackets themselves: ``load/rows[10]:latency``."""

import glob
from collections.abc import Iterable
from fnmatch import fnmatchcase


def matches(name: str, pattern: str) -> bool:
    """Whether ``pattern`` means ``name``: as ``fnmatch`` reads it, or with its brackets standing for themselves."""
    return fnmatchcase(name, pattern) or fnmatchcase(name, pattern.replace("[", "[[]"))


def escaped(name: str) -> str:
    """The pattern that means ``name`` and nothing else."""
    return glob.escape(name)


def told(pattern: str) -> str:
    """``pattern`` for people: without what ``escaped`` put into it."""
    for sign in "*?[":
        pattern = pattern.replace(f"[{sign}]", sign)
    return pattern


def concerns(pattern: str, scenario: str) -> bool:
    """Whether ``pattern`` could mean a metric of ``scenario``."""
    ends = [at for at, sign in enumerate(pattern) if sign == ":"]  # the names of metrics may hold it, too
    return any(matches(scenario, pattern[:end]) for end in ends or [len(pattern)])


def excused(pattern: str, left_out: Iterable[str], measured: Iterable[str]) -> bool:
    """Whether ``pattern`` means metrics of scenarios that were left out, and of none that was measured."""
    return any(concerns(pattern, name) for name in left_out) and not any(concerns(pattern, name) for name in measured)
