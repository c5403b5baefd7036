"""A pytest session that measures: from collected scenarios to the table at the end. Only the plugin uses it."""

import contextlib
import functools
import inspect
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn

import pytest

from harness.baselines import choose, policy_of
from harness.configuration.find import find
from harness.configuration.load import Project, load, with_images
from harness.configuration.schema import MetricOverride
from harness.errors import SEVERITY, ExitCode, HarnessError
from harness.files.sessions import find_session
from harness.gate_cases import gate_items, run_cases
from harness.judge.controls import without_controls
from harness.judge.policy import Policy
from harness.judge.stop import undecided
from harness.judgement import Judgement, judge, to_terminal, verdict_line, write_reports
from harness.masking import redact
from harness.measure.rounds import Progress
from harness.measure.scenario import TAGS, Scenario, Tag
from harness.measure.session import Measured, Request, measure
from harness.measure.slowdown import Slowdown
from harness.measure.variants import Kind
from harness.model import ERRORS, PLACEBO, SPIKE_IN, Run, Trend
from harness.progress import progress_line
from harness.remember import WARNING, recall, remember
from harness.report.escape import terminal
from harness.selection import limits_of, selection, why_not_run

QUIET_SECONDS = 30.0
"""Without a terminal a line of progress is printed that often."""


@dataclass(frozen=True, slots=True)
class Frequency:
    """The arguments of the marker ``scenario``."""

    rounds: int | None = None
    pairs: int = 1
    warmup: int = 0
    limits: Mapping[str, MetricOverride] = field(default_factory=dict)
    tag: Tag = "quick"

    @classmethod
    def of(cls, item: pytest.Item) -> "Frequency":
        """From the closest marker of ``item``; UsageError when it says something that it cannot."""
        marker = item.get_closest_marker("scenario")
        assert marker is not None
        allowed = {"rounds": 1, "pairs": 1, "warmup": 0}
        limits = limits_of(item, marker.kwargs.get("limits", {}))
        for name, value in marker.kwargs.items():
            if name == "limits" or (name == "tag" and value in TAGS):
                continue
            if name not in allowed or isinstance(value, bool) or not isinstance(value, int) or value < allowed[name]:
                known = ", ".join(f"{key} >= {least}" for key, least in allowed.items())
                told = f"whole numbers {known}, and tag: {', '.join(TAGS)}"
                raise pytest.UsageError(f"{item.nodeid}: scenario({name}={value!r}): allowed are {told}")
        if marker.args:
            raise pytest.UsageError(f"{item.nodeid}: scenario takes keyword arguments only")
        return cls(**{**marker.kwargs, "limits": limits})


class MeasuringSession:
    """Everything between the collected scenarios and the exit code."""

    def __init__(
        self,
        config: pytest.Config,
        project: Project,
        scenarios: Mapping[str, Scenario],
        skipped: Mapping[str, str],
        selection: str,
        slowdown: Slowdown | None,
        left_out: tuple[str, ...] = (),
    ) -> None:
        """``scenarios``: node id -> scenario; ``skipped``: node id -> why it is not measured; ``left_out``: the names
        of those whose tag asks for a longer session."""
        self._config = config
        self._project = project
        self._scenarios = scenarios
        self._skipped = skipped
        self._selection = selection
        self._slowdown = slowdown
        self._left_out = left_out
        self._measured: Measured | None = None
        self._judgements: list[tuple[str, Judgement, Policy]] = []
        self._reports: tuple[Path, ...] = ()
        self._remembered: list[str] = []
        self._begun = False
        self._others_failed = False
        self._reporting_cases = False

    @classmethod
    def of(
        cls, config: pytest.Config, items: Sequence[pytest.Item], collected: int, longer: Sequence[pytest.Item] = ()
    ) -> "MeasuringSession":
        """Read the configuration; a mistake in it or in a scenario's signature is a usage error.

        ``collected`` is how many scenarios there were before ``items`` were selected, without those that ask for a
        longer session: ``longer``.
        """
        option, injected = config.getoption("--harness-config"), config.getoption("--harness-inject")
        try:
            slowdown = None if injected is None else Slowdown.parse(injected)
            project = load(Path(option) if option else find(items[0].path.parent))
            project = with_images(project, _images(config, project))
        except HarnessError as error:
            raise pytest.UsageError(_harmless(str(error))) from None
        planned = config.getoption("--harness-rounds")
        scenarios = {item.nodeid: _scenario(item, project, planned) for item in items}
        _refuse_same_names(scenarios, project.system.services)
        skipped = {item.nodeid: why for item in items if (why := why_not_run(item))}
        chosen = selection(config, project, len(items), collected)
        return cls(config, project, scenarios, skipped, chosen, slowdown, tuple(sorted(map(_name, longer))))

    @property
    def listing(self) -> str:
        """The scenarios, one a line: name, tag, how often, what about."""
        lines = []
        for scenario in self._scenarios.values():
            about = (inspect.getdoc(scenario.function) or "").partition("\n")[0]
            lines.append(f"{scenario.id}  {scenario.tag}  {scenario.rounds} rounds × {scenario.pairs}  {about}\n")
        return "".join(lines)

    def result(self, item: pytest.Function) -> None:
        """Pass, or raise what the scenario raised in one of its turns."""
        if not self._begun:
            self._begun = True
            self._measure()
        if self._measured is None:
            pytest.fail("nothing was measured: the session ended before", pytrace=False)
        error = self._measured.errors.get(self._scenarios[item.nodeid].id)
        if error is not None:
            raise error

    def _request(self) -> Request:
        option = self._config.getoption
        resume, planned = option("--harness-resume"), option("--harness-rounds")
        measured = [scenario for node, scenario in self._scenarios.items() if node not in self._skipped]
        return Request(
            self._project,
            sorted(measured, key=lambda scenario: scenario.id),
            {"before": option("--harness-before"), "after": option("--harness-after")},
            self._undecided,
            (planned,) if planned else self._project.configuration.rounds.looks,
            controls=self._project.configuration.controls.enabled and not option("--harness-no-controls"),
            stack=_stack(self._config, self._project),
            slowdown=self._slowdown,
            seed=option("--harness-seed"),
            resume=find_session(self._project.reports / "out", resume) if resume else None,
            skipped={self._scenarios[node].id: why for node, why in self._skipped.items()},
            selection=self._selection,
            left_out=self._left_out,
        )

    def _policy(self, before: Run, after: Run) -> Policy:
        option = self._config.getoption
        strict, ci = option("--harness-strict"), option("--harness-ci")
        policy = policy_of(self._project, (before, after), strict=strict, ci=ci)
        return replace(policy, bounded=tuple(p for p in self._request().bounded() if p not in policy.required))

    def _undecided(self, before: Run, after: Run, done: int) -> frozenset[str]:
        """What more rounds could still decide; asked between rounds."""
        return undecided(without_controls(before), without_controls(after), self._policy(before, after), done)

    def _judge(self, before: Run, after: Run, group: str, report: str, history: Sequence[Trend] = ()) -> None:
        assert self._measured is not None
        policy = self._policy(before, after)
        judgement = judge(before, after, policy, history)
        self._judgements.append((group, judgement, policy))
        self._reports += write_reports(judgement, self._measured.folder, report)

    def _measure(self) -> None:
        project, wanted = self._project, self._config.getoption("--harness-baseline")
        progress = _ProgressPrinter(self._config)
        try:
            baseline = choose(project, wanted) if wanted else None
            self._measured, cut_short = measure(self._request(), progress.show)
            before, after = self._measured.before, self._measured.after
            self._judge(before, after, "gate", "report", () if cut_short else self._history(after.variant.origin))
            if baseline is not None:
                self._judge(baseline.run, after, f"gate.baseline {baseline.name}", "baseline")
        except HarnessError as error:
            self._stop(error)
        finally:
            progress.clear()
        if isinstance(cut_short, HarnessError):
            self._stop(cut_short)
        if cut_short is not None:
            raise cut_short

    def _history(self, variant: str) -> tuple[Trend, ...]:
        """Keep the runs, and look back at those of ``variant``; nothing where no history is wanted."""
        if not self._project.configuration.history.enabled or self._slowdown is not None:
            return ()
        kept = remember(self._project)
        found, problem = ((), "") if kept.startswith(WARNING) else recall(self._project, variant)
        self._remembered = [line for line in (kept, problem) if line]
        return found

    def _stop(self, error: HarnessError) -> NoReturn:
        pytest.exit(_harmless(str(error)), returncode=int(error.code))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take note of what fails and is no scenario. A hook: the plugin registers the session."""
        if report.failed and report.nodeid not in self._scenarios and not self._reporting_cases:
            self._others_failed = True

    def exit_code(self, pytest_says: int) -> int:
        """The gate's code, the worse of two, if nothing but scenarios failed; else pytest's own.

        A scenario that failed is told by the gate, which weighs it against the rest; where the gate has nothing against
        it (a fixture that failed, ``--no-gate``) it stays pytest's. Nothing measured is no pass.
        """
        option = self._config.getoption
        only_scenarios = pytest_says == pytest.ExitCode.TESTS_FAILED and not self._others_failed
        if (pytest_says and not only_scenarios) or option("collectonly"):
            return pytest_says
        if not self._judgements:
            return pytest_says or int(ExitCode.BASELINE)
        codes = [ExitCode.OK] if option("--harness-no-gate") else [j.gate.exit_code for _, j, _ in self._judgements]
        return int(min(codes, key=SEVERITY.index)) or pytest_says

    def report_cases(self, session: pytest.Session) -> None:
        """Have every gated comparison reported as a test case, when a file of test cases is asked for."""
        if self._config.getoption("xmlpath", None) and not self._config.getoption("--harness-no-gate"):
            self._reporting_cases = True
            for group, judgement, policy in self._judgements:
                run_cases(session, gate_items(session, judgement, policy, group))
            self._reporting_cases = False

    def summarize(self, reporter: Any) -> None:
        """The tables, and where everything is."""
        if self._measured is None or not self._judgements:
            reporter.write_line("before / after: nothing was measured")
            return
        writer = reporter._tw  # noqa: SLF001 - the terminal writer has no public way in
        for group, judgement, _ in self._judgements:
            reporter.section(group.replace("gate.baseline", "after / baseline").replace("gate", "before / after"))
            reporter.write(to_terminal(judgement, width=writer.fullwidth, color=writer.hasmarkup))
            reporter.write_line("")
        for path in (*self._reports, self._measured.folder / "before.json", self._measured.folder / "after.json"):
            reporter.write_line(str(_relative(path)))
        for line in self._remembered:
            reporter.write_line(line)
        lengthened = self._slowdown.lengthened if self._slowdown is not None else ()
        reporter.write_line(verdict_line([judgement for _, judgement, _ in self._judgements], lengthened))


def longer_than_asked(config: pytest.Config, items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """Those of the scenarios ``items`` whose tag asks for a longer session than this one; none when they are listed."""
    if config.getoption("--harness-list"):
        return []
    asked = TAGS.index(config.getoption("--harness-tag"))
    return [item for item in items if TAGS.index(Frequency.of(item).tag) > asked]


def refuse_only_longer(longer: Sequence[pytest.Item]) -> None:
    """UsageError: every scenario that was selected asks for a longer session."""
    tags = sorted({Frequency.of(item).tag for item in longer}, key=TAGS.index)
    scenarios = "the selected scenario is" if len(longer) == 1 else f"all {len(longer)} selected scenarios are"
    raise pytest.UsageError(f"{scenarios} tagged {' or '.join(tags)}: --tag {tags[0]} measures them")


def _name(item: pytest.Item) -> str:
    return f"{item.path.parent.name}/{item.name.removeprefix('test_')}"


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
    own = planned or frequency.rounds
    return Scenario(
        _name(item),
        _contained(item.function),
        arguments,
        (own,) if own else project.configuration.rounds.looks,
        frequency.pairs,
        frequency.warmup,
        frequency.limits,
        frequency.tag,
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


def _stack(config: pytest.Config, project: Project) -> Kind:
    stack: Kind = config.getoption("--harness-stack") or project.configuration.stack
    return stack


def _images(config: pytest.Config, project: Project) -> Sequence[str]:
    images: Sequence[str] = config.getoption("--harness-image")
    if images and _stack(config, project) != "docker":
        message = f"--image {images[0]}: is for services in Docker; these run as local processes (see --stack)"
        raise HarnessError(message, ExitCode.USAGE)
    return images


def _refuse_same_names(scenarios: Mapping[str, Scenario], services: Iterable[str]) -> None:
    """Two scenarios of one name would be measured as one."""
    seen = dict.fromkeys((PLACEBO, SPIKE_IN), "the harness's own control arm")
    seen |= {ERRORS + service: f"the harness's own count of the errors of {service}" for service in services}
    for node, scenario in scenarios.items():
        if scenario.id in seen:
            raise pytest.UsageError(f"two scenarios are called {scenario.id}: {seen[scenario.id]} and {node}")
        seen[scenario.id] = node


def _harmless(message: str) -> str:
    """``message``, which may quote what a service printed, for a terminal or a build log; its lines stay lines."""
    return "\n".join(terminal(line) for line in redact(message).split("\n"))


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
        if progress.failed:
            self.clear()
            self._write(f"{_harmless(progress.doing)}\n")
            return
        if not self._live and time.monotonic() - self._last < QUIET_SECONDS and self._last:
            return
        self._last = time.monotonic()
        line = terminal(redact(progress_line(progress)))
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
