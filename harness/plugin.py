"""The pytest plugin: finds scenarios, has them measured, gives each its result and the session its exit code.

It is imported in every pytest run of an environment, so it imports nothing but pytest; what measures and judges is
loaded when the first scenario is about to run.
"""

from __future__ import annotations

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
    add("--harness-before", metavar="VARIANT", default="before", help="variant to measure as before")
    add(
        "--harness-after", metavar="VARIANT", default="after", help="variant to measure as after; may be the same (A/A)"
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
    add("--harness-list", action="store_true", help="list the scenarios and measure nothing")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers",
        "scenario(rounds=14, pairs=1, warmup=0): a function that measures one thing on one variant each time it is "
        "called with `turn`; the harness calls it for both variants, interleaved over rounds",
    )


@pytest.fixture
def turn(request: pytest.FixtureRequest) -> None:
    """One variant, running: what a scenario measures. The harness hands in a harness.measure.turn.Turn at each call."""
    if request.node.get_closest_marker("scenario") is None:
        pytest.fail("`turn` is for functions marked @pytest.mark.scenario", pytrace=False)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Take note of the scenarios that were selected."""
    scenarios = [item for item in items if item.get_closest_marker("scenario")]
    config.stash[_SESSION] = None
    if scenarios:
        from harness.scenarios import MeasuringSession

        config.stash[_SESSION] = session = MeasuringSession.of(config, scenarios)
        if config.getoption("--harness-list"):
            items.clear()
            config.get_terminal_writer().write(session.listing)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> object | None:
    """A scenario's result is what happened to it in all its turns; the first one asked for has everything measured."""
    session = pyfuncitem.config.stash.get(_SESSION, None)
    if session is None or not pyfuncitem.get_closest_marker("scenario"):
        return None
    session.result(pyfuncitem)
    return True


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """The gate's code, unless pytest has something worse to say."""
    measuring = session.config.stash.get(_SESSION, None)
    if session.config.getoption("--harness-list") and measuring is not None:
        session.exitstatus = pytest.ExitCode.OK  # nothing ran, as was asked for
    elif measuring is not None:
        session.exitstatus = measuring.exit_code(exitstatus)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """The table, and where everything is."""
    measuring = config.stash.get(_SESSION, None)
    if measuring is not None:
        measuring.summarize(terminalreporter)
