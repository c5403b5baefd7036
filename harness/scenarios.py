"""A pytest session that measures: from collected scenarios to the table at the end. Only the plugin uses it."""

import contextlib
import functools
import inspect
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pytest

from harness.configuration.load import Project, find, load
from harness.errors import ExitCode, HarnessError
from harness.files.sessions import find_session
from harness.judgement import Judgement, judge, policy_from, to_terminal, verdict_line, write_reports
from harness.measure.rounds import Progress, Scenario
from harness.measure.session import Measured, Request, measure
from harness.progress import progress_line

QUIET_SECONDS = 30.0
"""Without a terminal a line of progress is printed that often."""


@dataclass(frozen=True, slots=True)
class Frequency:
    """The arguments of the marker ``scenario``."""

    rounds: int | None = None
    pairs: int = 1
    warmup: int = 0

    @classmethod
    def of(cls, item: pytest.Item) -> "Frequency":
        """From the closest marker of ``item``; UsageError when it says something that it cannot."""
        marker = item.get_closest_marker("scenario")
        assert marker is not None
        allowed = {"rounds": 1, "pairs": 1, "warmup": 0}
        for name, value in marker.kwargs.items():
            if name not in allowed or isinstance(value, bool) or not isinstance(value, int) or value < allowed[name]:
                known = ", ".join(f"{key} >= {least}" for key, least in allowed.items())
                raise pytest.UsageError(f"{item.nodeid}: scenario({name}={value!r}): allowed are whole numbers {known}")
        if marker.args:
            raise pytest.UsageError(f"{item.nodeid}: scenario takes keyword arguments only")
        return cls(**marker.kwargs)


class MeasuringSession:
    """Everything between the collected scenarios and the exit code."""

    def __init__(self, config: pytest.Config, project: Project, scenarios: dict[str, Scenario]) -> None:
        """``scenarios``: node id -> scenario."""
        self._config = config
        self._project = project
        self._scenarios = scenarios
        self._measured: Measured | None = None
        self._judgement: Judgement | None = None
        self._reports: Sequence[Path] = ()
        self._begun = False

    @classmethod
    def of(cls, config: pytest.Config, items: Sequence[pytest.Item]) -> "MeasuringSession":
        """Read the configuration; a mistake in it or in a scenario's signature is a usage error."""
        option = config.getoption("--harness-config")
        try:
            project = load(Path(option) if option else find(items[0].path.parent))
        except HarnessError as error:
            raise pytest.UsageError(str(error)) from None
        planned = config.getoption("--harness-rounds")
        scenarios = {item.nodeid: _scenario(item, project, planned) for item in items}
        _refuse_same_names(scenarios)
        return cls(config, project, scenarios)

    @property
    def listing(self) -> str:
        """The scenarios, one a line: name, how often, what about."""
        lines = []
        for scenario in self._scenarios.values():
            about = (inspect.getdoc(scenario.function) or "").partition("\n")[0]
            lines.append(f"{scenario.id}  {scenario.rounds} rounds × {scenario.pairs}  {about}\n")
        return "".join(lines)

    def result(self, item: pytest.Function) -> None:
        """Pass, or raise what the scenario raised in one of its turns."""
        if hasattr(self._config, "workerinput"):
            pytest.fail("scenarios are not measured in pytest-xdist workers: run them without -n", pytrace=False)
        if not self._begun:
            self._begun = True
            self._measure()
        if self._measured is None:
            pytest.fail("nothing was measured: the session ended before", pytrace=False)
        error = self._measured.errors.get(self._scenarios[item.nodeid].id)
        if error is not None:
            raise error

    def _measure(self) -> None:
        project, option = self._project, self._config.getoption
        progress = _ProgressPrinter(self._config)
        try:
            resume = option("--harness-resume")
            request = Request(
                project,
                list(self._scenarios.values()),
                {"before": option("--harness-before"), "after": option("--harness-after")},
                seed=option("--harness-seed"),
                resume=find_session(project.reports / "out", resume) if resume else None,
            )
            self._measured, cut_short = measure(request, progress.show)
            policy = policy_from(project.configuration.gate, strict=option("--harness-strict"))
            self._judgement = judge(self._measured.before, self._measured.after, policy)
            self._reports = write_reports(self._judgement, self._measured.folder)
        except HarnessError as error:
            self._stop(error)
        finally:
            progress.clear()
        if isinstance(cut_short, HarnessError):
            self._stop(cut_short)
        if cut_short is not None:
            raise cut_short

    def _stop(self, error: HarnessError) -> NoReturn:
        pytest.exit(str(error), returncode=int(error.code))

    def exit_code(self, pytest_says: int) -> int:
        """pytest's own code where it is not 0; else the gate's. Scenarios that were selected and not measured, because
        they were skipped for example, are no pass: 13, also without the gate."""
        if pytest_says != 0 or self._config.option.collectonly:
            return pytest_says
        if self._judgement is None:
            return int(ExitCode.BASELINE)
        return 0 if self._config.getoption("--harness-no-gate") else int(self._judgement.gate.exit_code)

    def summarize(self, reporter: Any) -> None:
        """The table, and where everything is."""
        if self._measured is None or self._judgement is None:
            reporter.write_line("before / after: nothing was measured")
            return
        writer = reporter._tw  # noqa: SLF001 - the terminal writer has no public way in
        reporter.section("before / after")
        reporter.write(to_terminal(self._judgement, width=writer.fullwidth, color=writer.hasmarkup))
        reporter.write_line("")
        for path in (*self._reports, self._measured.folder / "before.json", self._measured.folder / "after.json"):
            reporter.write_line(str(_relative(path)))
        reporter.write_line(verdict_line(self._judgement))


def _scenario(item: pytest.Item, project: Project, planned: int | None) -> Scenario:
    assert isinstance(item, pytest.Function)
    frequency = Frequency.of(item)
    arguments = dict(item.callspec.params) if hasattr(item, "callspec") else {}
    if inspect.iscoroutinefunction(item.function):
        raise pytest.UsageError(f"{item.nodeid}: a scenario is a plain function; use asyncio.run inside it")
    unknown = set(inspect.signature(item.function).parameters) - {"turn"} - set(arguments)
    if unknown:
        message = f"{item.nodeid}: a scenario takes `turn` and parametrized values, not {', '.join(sorted(unknown))}"
        raise pytest.UsageError(message)
    name = item.name.removeprefix("test_")
    rounds = planned or frequency.rounds or project.configuration.rounds.planned
    return Scenario(
        f"{item.path.parent.name}/{name}",
        _contained(item.function),
        arguments,
        rounds,
        frequency.pairs,
        frequency.warmup,
    )


def _contained(function: Callable[..., object]) -> Callable[..., object]:
    """``function`` with pytest's own outcomes, which no `except Exception` sees, as ordinary exceptions."""

    @functools.wraps(function)
    def contained(**arguments: object) -> object:
        try:
            return function(**arguments)
        except pytest.skip.Exception as skipped:
            raise RuntimeError(f"a scenario that skips is not measured: {skipped}") from None
        except pytest.fail.Exception as failure:
            raise AssertionError(str(failure)) from failure

    return contained


def _refuse_same_names(scenarios: Mapping[str, Scenario]) -> None:
    """Two scenarios of one name would be measured as one."""
    seen: dict[str, str] = {}
    for node, scenario in scenarios.items():
        if scenario.id in seen:
            raise pytest.UsageError(f"two scenarios are called {scenario.id}: {seen[scenario.id]} and {node}")
        seen[scenario.id] = node


def _relative(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


class _ProgressPrinter:
    """One line, rewritten on a terminal; a line now and then elsewhere."""

    def __init__(self, config: pytest.Config) -> None:
        capture = config.pluginmanager.getplugin("capturemanager")  # None under -p no:capture
        self._uncaptured = capture.global_and_fixture_disabled if capture else contextlib.nullcontext
        self._stream = sys.__stderr__
        with self._uncaptured():  # while pytest captures, nothing is a terminal
            self._live = self._stream is not None and self._stream.isatty()
        self._last = 0.0
        self._width = 0

    def show(self, progress: Progress) -> None:
        """Print where measuring stands, if it is time to."""
        if not self._live and time.monotonic() - self._last < QUIET_SECONDS and self._last:
            return
        self._last = time.monotonic()
        line = progress_line(progress)
        if self._live:
            line = line[: shutil.get_terminal_size().columns - 1]  # a wrapped line could not be rewritten
        self._write(f"\r{line:{self._width}}" if self._live else f"\n{line}")
        self._width = len(line)

    def clear(self) -> None:
        """Leave nothing of the line behind on a terminal, and end the last line elsewhere."""
        self._write("\r" + " " * self._width + "\r" if self._live else "\n")

    def _write(self, text: str) -> None:
        if self._stream is None:
            return
        with self._uncaptured():
            self._stream.write(text)
            self._stream.flush()
