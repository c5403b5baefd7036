"""What has to be there and is not: a metric that nothing was measured of is a comparison that is missing."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

from harness.judge.comparison import Comparison, Verdict
from harness.judge.obstacles import same_session
from harness.judge.policy import Policy
from harness.judge.wording import one_line
from harness.model import Metric, Run
from harness.patterns import excused, matches, told

Key = tuple[str, str]
"""Scenario and metric."""

ANY = "*"
"""Stands for the metrics of a scenario of which nothing is known."""

_CLOSE = 0.75
"""How alike two names are, of 1, that are taken for a renamed scenario."""


def name_of(key: Key) -> str:
    """``scenario:metric``."""
    return ":".join(key)


def required_patterns(after: Run, policy: Policy) -> tuple[str, ...]:
    """The patterns that count: all of them, unless only some scenarios were selected outside CI."""
    return policy.required if policy.ci or not after.selection else ()


def expected(keys: Iterable[Key], runs: tuple[Run, Run], policy: Policy) -> tuple[Key, ...]:
    """Those of ``keys`` that have to be compared.

    When ``after`` is a selection, what only an older run has was not asked for, unless it is required in CI; neither
    is a scenario whose tag left it to longer sessions.
    """
    before, after = runs
    if same_session(before, after) or not (after.selection or after.left_out):
        return tuple(keys)
    if not after.selection:
        demanded = policy.required if policy.ci else ()
        return tuple(k for k in keys if k[0] not in after.left_out or any(matches(name_of(k), p) for p in demanded))
    measured = {(sample.scenario, sample.metric.name) for sample in after.samples}
    patterns = required_patterns(after, policy)
    return tuple(key for key in keys if key in measured or any(matches(name_of(key), p) for p in patterns))


def absent(keys: Collection[Key], runs: tuple[Run, Run], policy: Policy) -> tuple[Comparison, ...]:
    """A missing comparison for everything required that is in neither run, and for every scenario without any value.

    So is a pattern that carries a bound and means nothing: a budget whose name is misspelt would never fail.
    """
    after = runs[1]
    names = [name_of(key) for key in keys]
    found = []

    def left_out(pattern: str) -> bool:
        return excused(pattern, after.left_out, {scenario for scenario, _ in keys})

    for pattern in required_patterns(after, policy):
        if not any(matches(name, pattern) for name in names) and (policy.ci or not left_out(pattern)):
            key = _split(pattern)
            found.append(_missing(*key, f"required, but not measured{_renamed(key, keys)}", required=True))
    unmeasured = {u.scenario for run in runs for u in run.unmeasured}
    for pattern in policy.bounded:
        key = _split(pattern)
        if key[0] not in unmeasured and not left_out(pattern) and not any(matches(name, pattern) for name in names):
            bounds = "bounds are set for it, but nothing measured is called so"
            found.append(_missing(*key, f"{bounds}{_renamed(key, keys)}", required=False))
    known = {scenario for scenario, _ in keys} | {comparison.scenario for comparison in found}
    silent = {u.scenario: u.why for run in runs for u in run.unmeasured if u.scenario not in known}
    return (*found, *(_missing(name, ANY, f"not measured: {one_line(why)}") for name, why in silent.items()))


def explain(comparisons: Iterable[Comparison], runs: tuple[Run, Run], policy: Policy) -> Iterator[Comparison]:
    """Say of what is missing in ``after`` why, or under which new name it may be; mark what is required."""
    before, after = ({(s.scenario, s.metric.name) for s in run.samples} for run in runs)
    new = sorted(after - before)
    skipped = {u.scenario: u.why for u in runs[1].unmeasured}
    patterns = required_patterns(runs[1], policy)
    for comparison in comparisons:
        key = (comparison.scenario, comparison.metric.name)
        if comparison.verdict is not Verdict.MISSING:
            yield comparison
            continue
        hint = ""
        if key not in after:
            why = skipped.get(comparison.scenario)
            hint = f": {one_line(why)}" if why else _renamed(key, new)
        elif comparison.scenario in runs[0].left_out:
            hint = ": its tag left it to longer sessions (--tag)"
        required = comparison.metric.required or any(matches(name_of(key), p) for p in patterns)
        metric = replace(comparison.metric, required=required)
        yield replace(comparison, metric=metric, reason=comparison.reason + hint)


def _renamed(key: Key, candidates: Collection[Key]) -> str:
    """A question after the candidate that ``key`` may have been renamed to: another scenario, or another metric of it.

    Suites do not count: two scenarios of one suite are not alike for that.
    """
    from difflib import get_close_matches  # as a rule nothing is missing

    scenario, metric = key
    scenarios = {_in_suite(other): other for other, measures in candidates if metric in (measures, ANY)}
    metrics = {measures: f"{other}:{measures}" for other, measures in candidates if other == scenario}
    for name, known in ((_in_suite(scenario), scenarios), (metric, metrics)):
        if close := get_close_matches(name, known, n=1, cutoff=_CLOSE):
            return f"; is it {one_line(known[close[0]])}?"
    return ""


def _in_suite(scenario: str) -> str:
    return scenario.rpartition("/")[2]


def _split(pattern: str) -> Key:
    scenario, separator, metric = told(pattern).rpartition(":")
    return (scenario, metric) if separator else (pattern, ANY)


def _missing(scenario: str, metric: str, reason: str, *, required: bool = False) -> Comparison:
    return Comparison(scenario, Metric(metric, "1", required=required), Verdict.MISSING, reason=reason)
