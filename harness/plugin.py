"""The pytest plugin: finds scenarios, has them measured, gives each its result and the session its exit code.

It is imported in every pytest run of an environment, so it imports nothing but pytest; what measures and judges is
loaded when the first scenario is about to run.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from harness.scenarios import MeasuringSession

_SESSION: pytest.StashKey[MeasuringSession | None] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options; ``harness run`` has the same without the prefix."""
    group = parser.getgroup("harness", "before/after measuring (pytest-before-after)")
    add = group.addoption
    add("--harness-config", metavar="FILE", help="configuration; default: the nearest one above the scenarios")
    add("--harness-before", metavar="VARIANT", default="before", help="variant to measure as before, or git:REF")
    add(
        "--harness-after",
        metavar="VARIANT",
        default="after",
        help="variant to measure as after, or git:REF; may be the same (A/A)",
    )
    add(
        "--harness-stack",
        choices=["local", "docker"],
        help="how services run: as local processes, or each in a container; default: what the configuration says",
    )
    add(
        "--harness-image",
        metavar="SERVICE=IMAGE",
        action="append",
        default=[],
        help="in Docker: run this service of this image, whatever the configuration says; may be repeated",
    )
    add(
        "--harness-tag",
        choices=["quick", "full", "soak"],
        default="quick",
        help="the longest scenarios to measure: quick (default), full, or soak; each includes those before it",
    )
    add("--harness-rounds", metavar="N", type=int, help="rounds of every scenario, instead of its own number")
    add("--harness-seed", metavar="N", type=int, help="seed of the order; default: drawn and written down")
    add(
        "--harness-resume",
        metavar="SESSION",
        help="finish a session that was cut short: its folder, its name or latest",
    )
    add("--harness-no-gate", action="store_true", help="show verdicts, do not let them decide the exit code")
    add("--harness-strict", action="store_true", help="an inconclusive gated metric fails too (exit code 11)")
    add("--harness-ci", action="store_true", help="what is required has to be measured, whatever was selected")
    add(
        "--harness-baseline",
        metavar="BASELINE",
        help="compare after with this one too: its name, a run file, or latest",
    )
    add("--harness-no-controls", action="store_true", help="measure without the control arms that certify a session")
    add(
        "--harness-inject",
        metavar="PERCENT",
        help="for a self-test: lengthen timed blocks of after by this much; auto: 3 x the metric's smallest effect, "
        "beyond its limits",
    )
    add(
        "--harness-load-workers",
        metavar="N",
        type=int,
        default=0,
        help="processes that put load on a service, where a scenario does; default: 0, one that needs no master",
    )
    add("--harness-list", action="store_true", help="list the scenarios and measure nothing")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker; hand on what reaches scenarios by the environment."""
    config.addinivalue_line(
        "markers",
        "scenario(rounds=14, pairs=1, warmup=0, limits={}, tag='quick'): a function that measures one thing on one "
        "variant each time it is called with `turn`; the harness calls it for both variants, interleaved over rounds",
    )
    if workers := config.getoption("--harness-load-workers"):
        if workers < 0:
            raise pytest.UsageError("--harness-load-workers: a whole number from 0 on is needed")
        # By the environment, as scenarios know nothing of pytest's options.
        os.environ["HARNESS_LOAD_WORKERS"] = str(workers)
        config.add_cleanup(_forget_workers)


def _forget_workers() -> None:
    os.environ.pop("HARNESS_LOAD_WORKERS", None)


@pytest.fixture
def turn(request: pytest.FixtureRequest) -> None:
    """One variant, running: what a scenario measures. The harness hands in a harness.measure.turn.Turn at each call."""
    if request.node.get_closest_marker("scenario") is None:
        pytest.fail("`turn` is for functions marked @pytest.mark.scenario", pytrace=False)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Generator[None, None, None]:
    """Take note of the scenarios that were collected and of those that are left when everyone has selected."""
    collected = _scenarios(items)
    _refuse_other_measurers(config, collected)
    yield
    scenarios = _scenarios(items)
    config.stash[_SESSION] = None
    if scenarios and hasattr(config, "workerinput"):
        items[:] = [item for item in items if item not in scenarios]
        items.append(NotMeasured.from_parent(scenarios[0].session, name="scenarios"))
    elif scenarios:
        from harness.scenarios import MeasuringSession, longer_than_asked, refuse_only_longer

        longer = longer_than_asked(config, collected)
        left_out = [item for item in items if item in longer]
        items[:] = [item for item in items if item not in longer]
        scenarios = _scenarios(items)
        if not scenarios and (not items or _asked_to_measure(config)):
            refuse_only_longer(left_out)
        if left_out:
            config.hook.pytest_deselected(items=left_out)
        if not scenarios:
            return
        config.stash[_SESSION] = session = MeasuringSession.of(config, scenarios, len(collected) - len(longer), longer)
        config.pluginmanager.register(session)
        if config.getoption("--harness-list"):
            items.clear()
            config.get_terminal_writer().write(session.listing)


class NotMeasured(pytest.Item):
    """Stands for all scenarios in a worker of pytest-xdist, and fails with one line."""

    def runtest(self) -> None:
        """Refuse: what runs beside others cannot be measured, and no worker sees all rounds."""
        raise pytest.UsageError("scenarios are not measured in pytest-xdist workers: run them without -n")

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> str:
        """The line."""
        return str(excinfo.value)


def _scenarios(items: list[pytest.Item]) -> list[pytest.Item]:
    return [item for item in items if item.get_closest_marker("scenario")]


def _asked_to_measure(config: pytest.Config) -> bool:
    """Whether this is ``harness run``, which always names its configuration, and no pytest run of everything. What a
    project has in its ``addopts`` asks for nothing."""
    return any(str(argument).startswith("--harness-config") for argument in config.invocation_params.args)


def _refuse_other_measurers(config: pytest.Config, scenarios: list[pytest.Item]) -> None:
    """pytest-codspeed deselects everything that is not its own, so that nothing would be measured and nothing said."""
    if scenarios and config.getoption("codspeed", default=False):
        raise pytest.UsageError("scenarios are not measured under --codspeed: run them in a pytest run of their own")


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> object | None:
    """A scenario's result is what happened to it in all its turns; the first one asked for has everything measured."""
    session = pyfuncitem.config.stash.get(_SESSION, None)
    if session is None or not pyfuncitem.get_closest_marker("scenario"):
        return None
    session.result(pyfuncitem)
    return True


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    """After all tests, also when the first failure ends them (-x): the gate's verdicts as test cases."""
    try:
        result = yield
    except session.Failed:
        _report_gate(session)
        raise
    _report_gate(session)
    return result


def _report_gate(session: pytest.Session) -> None:
    measuring = session.config.stash.get(_SESSION, None)
    if measuring is not None:
        measuring.report_cases(session)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """The gate's code, unless pytest has something else to say than that a scenario failed."""
    measuring = session.config.stash.get(_SESSION, None)
    if session.config.getoption("--harness-list") and measuring is not None:
        session.exitstatus = pytest.ExitCode.OK  # nothing ran, as was asked for
    elif measuring is not None:
        session.exitstatus = measuring.exit_code(exitstatus)
    elif exitstatus == pytest.ExitCode.OK and _measured_nothing(session.config):
        from harness.errors import ExitCode

        session.exitstatus = int(ExitCode.BASELINE)


def _measured_nothing(config: pytest.Config) -> bool:
    """Whether measuring was asked for, and there was no scenario among what was selected."""
    return _asked_to_measure(config) and not (config.option.collectonly or config.getoption("--harness-list"))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """The table, and where everything is."""
    measuring = config.stash.get(_SESSION, None)
    if measuring is None and _measured_nothing(config):
        terminalreporter.write_line("before / after: no scenario was selected, nothing was measured")
    if measuring is not None and not config.getoption("--harness-list") and not config.option.collectonly:
        measuring.summarize(terminalreporter)
