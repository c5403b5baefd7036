"""The gate's verdicts as test cases, so that ``--junitxml`` reports them beside the scenarios."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from harness.errors import ExitCode
from harness.judge.comparison import Comparison
from harness.judge.gate import cost, counts, judged, objection
from harness.judge.policy import Policy
from harness.judgement import Judgement


class Refused(Exception):
    """The gate does not let this comparison pass."""


class GateItem(pytest.Item):
    """One gated metric of one comparison of runs."""

    def __init__(self, *, comparison: Comparison, policy: Policy, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._comparison = comparison
        self._policy = policy
        self.user_properties.extend(_properties(comparison))

    def runtest(self) -> None:
        """Pass, skip what is undecided or excused, or fail."""
        told = objection(self._comparison)
        if cost(self._comparison, self._policy) is not ExitCode.OK:
            raise Refused(told)
        strictly = cost(self._comparison, replace(self._policy, strict=True))
        if strictly is not ExitCode.OK or not judged(self._comparison):
            pytest.skip(told)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """One line instead of a traceback."""
        return str(excinfo.value) if isinstance(excinfo.value, Refused) else super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Any, None, str]:
        """No line of any file: the gate."""
        return self.path, None, self.name


def gate_items(session: pytest.Session, judgement: Judgement, policy: Policy, group: str) -> Iterator[GateItem]:
    """A test case for every comparison that the gate looks at, in the test class ``group``."""
    for comparison in judgement.comparisons:
        if counts(comparison):
            name = f"{comparison.scenario}:{comparison.metric.name}"
            yield GateItem.from_parent(
                session, name=name, nodeid=f"{group}::{name}", comparison=comparison, policy=policy
            )


def run_cases(session: pytest.Session, items: Iterable[pytest.Item]) -> None:
    """Have each reported as a test that ran.

    They do not count as failed tests of the session: the gate has exit codes of its own.
    """
    failed = session.testsfailed
    for item in items:
        session.testscollected += 1
        _report(item)
    session.testsfailed = failed


def _report(item: pytest.Item) -> None:
    """Run ``item`` without the fixture machinery: it needs none, and that of the tests is still up after -x."""
    hook = item.ihook
    hook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for when in ("setup", "call", "teardown"):
        call = pytest.CallInfo.from_call(item.runtest if when == "call" else _nothing, when)
        hook.pytest_runtest_logreport(report=hook.pytest_runtest_makereport(item=item, call=call))
    hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)


def _nothing() -> None:
    pass


def _properties(comparison: Comparison) -> Iterator[tuple[str, object]]:
    """The numbers, in base units."""
    yield "verdict", comparison.verdict.value
    yield "unit", comparison.metric.unit
    if comparison.before:
        yield "before_median", comparison.before.median
    if comparison.after:
        yield "after_median", comparison.after.median
    if comparison.effect:
        yield f"change_{comparison.scale}", comparison.effect.value
        yield "change_low", comparison.effect.low
        yield "change_high", comparison.effect.high
        yield "level", comparison.effect.level
    yield "units", comparison.units
    for bound in comparison.bounds:
        yield bound.name.replace(" ", "_"), f"{bound.value:g} {bound.state}"
