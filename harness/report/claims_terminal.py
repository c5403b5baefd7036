"""Claims for a terminal or a build log."""

from collections.abc import Iterator

from rich.text import Text

from harness.claims.check import ClaimVerdict, State
from harness.report.claims import ClaimRow, ClaimsView
from harness.report.escape import terminal
from harness.report.terminal import Hanging, Part, printed

_VERDICTS = {
    ClaimVerdict.SUPPORTED: ("✓", "green"),
    ClaimVerdict.REFUTED: ("✗", "bold red"),
    ClaimVerdict.NOT_MEASURED: ("∅", "yellow"),
}
_STATES: dict[State, tuple[str, str]] = {
    "holds": ("✓", "green"), "fails": ("✗", "red"), "undecided": ("?", "yellow"), "absent": ("∅", "yellow"),
}  # fmt: skip


def render(view: ClaimsView, width: int, *, color: bool) -> str:
    """The claims as text of at most ``width`` columns (at least 40), with SGR colours only when ``color``."""
    return printed(_parts(view), width, color=color)


def _parts(view: ClaimsView) -> Iterator[Part]:
    yield Text(terminal(view.title), style="bold")
    for where, rows in view.sections:
        yield Text(f"\n{terminal(where)}", style="bold")
        for row in rows:
            yield from _entries(row)
    yield Text("")
    for label, facts in view.sessions:
        told = dict(facts)
        text = f"session {told['session']} · started {told['started']} · {told['rounds']} rounds · {told['state']}"
        yield Hanging(Text(label, style="dim"), Text(terminal(text), style="dim"))
    for note in view.notes:
        yield Hanging(Text("note", style="bold yellow"), Text(terminal(note)))
    yield Text(view.summary, style="bold")


def _entries(row: ClaimRow) -> Iterator[Part]:
    symbol, style = _VERDICTS[row.verdict]
    yield Hanging(Text(f"{symbol} {row.verdict}", style=style), Text(terminal(row.statement)))
    if row.reason:
        yield Hanging(Text("   "), Text(terminal(row.reason), style="dim"))
    for one in row.lines:
        symbol, style = _STATES[one.state]
        figures = f"{one.before} → {one.after}  {one.change}  n {one.n}"
        text = f"{one.name}  claimed {one.claimed}  {figures}{'  ' * bool(one.told)}{one.told}"
        yield Hanging(Text(f"  {symbol}", style=style), Text(terminal(text)))
    for cost in row.costs:
        yield Hanging(Text("  costs", style="magenta"), Text(terminal(cost)))
