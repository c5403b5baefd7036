"""The report for a terminal or a build log: counts, verdicts, why, and what the gate decided."""

import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, Group
from rich.table import Table
from rich.text import Text

from harness.errors import ExitCode
from harness.judge.comparison import Verdict
from harness.report.bar import WIDTH, bar
from harness.report.escape import log_lines, terminal
from harness.report.rows import Row
from harness.report.view import ReportView, shared_warnings

_STYLES = {
    Verdict.REGRESSED: "bold red",
    Verdict.MISSING: "magenta",
    Verdict.INCOMPARABLE: "magenta",
    Verdict.INVALID: "magenta",
    Verdict.INCONCLUSIVE: "yellow",
    Verdict.IMPROVED: "green",
    Verdict.UNCHANGED: "dim",
}
NARROWEST = 40
_WIDE, _VERY_WIDE = 110, 150
"""From these widths on (columns): one table; a table with bars, detectable change and p-value."""
_TRAILING_SPACE = re.compile(r"(?m)(?: |(\x1b\[[\d;]*m))+$")


def render(view: ReportView, width: int, *, color: bool) -> str:
    """The report as text of at most ``width`` columns (at least 40), with SGR colours only when ``color``."""
    return printed(_parts(view, max(width, NARROWEST)), width, color=color)


def printed(parts: "Iterable[Part]", width: int, *, color: bool) -> str:
    """``parts`` as text, as ``render`` says."""
    console = Console(
        file=io.StringIO(), width=max(width, NARROWEST), force_terminal=color, no_color=not color,
        color_system="standard" if color else None, legacy_windows=False, highlight=False, emoji=False, markup=False,
        _environ={},
    )  # fmt: skip
    with console.capture() as capture:
        console.print(Group(*parts))
    return log_lines(_TRAILING_SPACE.sub(r"\1", capture.get()))


@dataclass(frozen=True, slots=True)
class Hanging:
    """A word and its text, its later lines indented below its first. A table does the same in five times as long."""

    word: Text
    content: Text

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        indent = self.word.cell_len + 1
        lines = self.content.wrap(console, options.max_width - indent, overflow="fold")
        yield Text.assemble(self.word, " ", Text("\n" + " " * indent).join(lines))


Part = Text | Table | Hanging


def _parts(view: ReportView, width: int) -> Iterator[Part]:
    yield _headline(view)
    for note in view.notes:
        yield _entry("note", note, "bold yellow")
    yield _identity(view)
    if view.rows:
        yield from [_table(view, width)] if width >= _WIDE else _blocks(view)
        yield Text("rule: floor/smallest effect that matters, in % or points\n", style="dim")
    yield from (*_remarks(view), *_failures(view), *_settings(view), *_gate(view))


def _text(content: str, style: str = "") -> Text:
    return Text(terminal(content), style=style)


def _headline(view: ReportView) -> Text:
    counts = [Text(f"{n} {verdict}", style=_STYLES[verdict]) for verdict, n in view.counts]
    head = Text(" · ").join(counts) if counts else _text(view.headline, "bold")
    return head.append(f" · {view.others}", style="dim") if view.others else head


def _identity(view: ReportView) -> Text:
    facts = dict(view.facts)
    parts = [view.title, f"{facts['rounds']} rounds", f"session {facts['session']}", f"{facts['intervals']} intervals"]
    return _text(" · ".join(parts), "dim")


def _verdict(row: Row) -> Text:
    return Text(f"{row.symbol} {row.word}", style=_STYLES[row.verdict])


def _table(view: ReportView, width: int) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold", expand=False)
    table.add_column("verdict", no_wrap=True)
    table.add_column("scenario · metric", overflow="fold")
    for name in ("before", "after", "change [interval]"):
        table.add_column(name, justify="right", no_wrap=True)
    if width >= _VERY_WIDE:
        table.add_column("−100 %    0    +100 %", no_wrap=True, width=WIDTH)
    for name in ("rule", "n"):
        table.add_column(name, justify="right", no_wrap=True)
    if width >= _VERY_WIDE:
        table.add_column("could see", justify="right", no_wrap=True)
        table.add_column("p", justify="right", no_wrap=True)
    for row in view.rows:
        table.add_row(*_cells(row, very_wide=width >= _VERY_WIDE))
    return table


def _cells(row: Row, *, very_wide: bool) -> Iterator[Text]:
    yield _verdict(row)
    yield _label(row)
    for content in (row.before.median, row.after.median):
        yield _text(content)
    yield _text(row.change, _STYLES[row.verdict])
    if very_wide:
        yield Text(bar(row.effect) if row.effect and row.on_axis else "")
    yield _text(row.rule, "dim")
    yield _text(row.units)
    if very_wide:
        yield _text(row.detectable, "dim")
        yield _text(row.p_value, "dim")


def _label(row: Row) -> Text:
    label = _text(row.label)
    return label if row.gated else label.append("  not gated", style="dim")


def _blocks(view: ReportView) -> Iterator[Part]:
    """Two lines a row, for narrow terminals: what it is, then its numbers."""
    yield Text("\nbefore → after  change [interval]  n rounds  rule", style="dim")
    for row in view.rows:
        yield Text("  ").join([_verdict(row), _label(row)])
        numbers = _text(f"{row.before.median} → {row.after.median}")
        numbers.append_text(_text(f"  {row.change}", _STYLES[row.verdict]))
        numbers.append_text(_text(f"  n {row.units}  {row.rule}", "dim"))
        yield Hanging(Text(" "), numbers)


def _entry(word: str, content: str, style: str) -> Hanging:
    return Hanging(Text(word, style=style), _text(content))


def _remarks(view: ReportView) -> Iterator[Part]:
    """What is to be said about gated rows; how much more the written report says."""
    for row in view.rows:
        if row.gated and row.reason:
            yield _entry(f"{row.symbol} {row.word}", f"{row.label}: {row.reason}", _STYLES[row.verdict])
    for labels, warning in shared_warnings(row for row in view.rows if row.gated):
        yield _entry("⚠ warning", f"{labels}: {warning}", "yellow")
    off = sum(expected.agrees is False for row in view.rows for expected in row.expected)
    if off:
        yield _entry("⚠ predictions", f"{off} not met by what was measured: see the report", "yellow")
    more = sum(bool(row.reason) + len(row.warnings) for row in view.rows if not row.gated)
    if more:
        yield _entry("…", f"{more} remark{'s' * (more > 1)} on metrics that are not gated: see the report", "dim")


def _failures(view: ReportView) -> Iterator[Part]:
    for failure in view.failures:
        yield _entry("✗ failed", f"{failure.side} {failure.scenario}, round {failure.round}: {failure.message}", "red")


def _settings(view: ReportView) -> Iterable[Part]:
    return (_entry("setting", f"{s.where} {s.name}: {s.before} → {s.after}", "dim") for s in view.settings)


def _gate(view: ReportView) -> Iterator[Part]:
    style = "bold green" if view.exit_code is ExitCode.OK else "bold red"
    for reason in view.gate_reasons:
        yield _entry("  because", reason, "dim")
    if view.controls:
        yield _text(view.controls, "dim")
    yield _entry("gate:", view.gate, style)
