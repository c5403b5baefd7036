"""The gate's verdicts as test cases, so that ``--junitxml`` reports them beside the scenarios."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, Literal

import pytest

from harness.errors import ExitCode
from harness.judge.comparison import Comparison
from harness.judge.gate import cost, counts, judged, objection
from harness.judge.policy import Policy
from harness.judge.wording import one_line
from harness.judgement import Judgement
from harness.masking import redact

Outcome = Literal["passed", "skipped", "failed"]


class Refused(Exception):
    """The gate does not let this pass."""


class GateItem(pytest.Item):
    """What the gate says of one gated metric, or of the session as a whole."""

    def __init__(self, *, outcome: Outcome, told: str, properties: Iterable[tuple[str, object]], **node: Any) -> None:
        super().__init__(**node)
        self._outcome = outcome
        self._told = told
        self.user_properties.extend(properties)

    def runtest(self) -> None:
        """Pass, skip what is undecided or excused, or fail."""
        if self._outcome == "failed":
            raise Refused(self._told)
        if self._outcome == "skipped":
            pytest.skip(self._told)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The reason, without a traceback."""
        return str(excinfo.value) if isinstance(excinfo.value, Refused) else super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Any, None, str]:
        """No line of any file: the gate."""
        return self.path, None, self.name


def gate_items(session: pytest.Session, judgement: Judgement, policy: Policy, group: str) -> Iterator[GateItem]:
    """Test cases of the class ``group``: one for every comparison that the gate looks at, and one for its exit code."""

    def item(name: str, outcome: Outcome, told: str, properties: Iterable[tuple[str, object]]) -> GateItem:
        made: GateItem = GateItem.from_parent(
            session, name=name, nodeid=f"{group}::{name}", outcome=outcome, told=redact(told), properties=properties
        )
        return made

    for comparison in filter(counts, judgement.comparisons):
        name = one_line(f"{comparison.scenario}:{comparison.metric.name}")
        yield item(name, _outcome(comparison, policy), objection(comparison), _properties(comparison))
    gate = judgement.gate
    numbers = [("exit_code", int(gate.exit_code)), ("compared", gate.compared), ("expected", gate.expected)]
    told = "\n".join((gate.headline, *gate.reasons))
    yield item("exit code", "passed" if gate.exit_code is ExitCode.OK else "failed", told, numbers)


def _outcome(comparison: Comparison, policy: Policy) -> Outcome:
    if cost(comparison, policy) is not ExitCode.OK:
        return "failed"
    strictly = cost(comparison, replace(policy, strict=True))
    return "passed" if strictly is ExitCode.OK and judged(comparison) else "skipped"


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
