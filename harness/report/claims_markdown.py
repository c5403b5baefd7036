"""Claims as a page of GitHub-flavoured Markdown: a table for each section of the report that makes them."""

from collections.abc import Iterable, Iterator

from harness.claims.check import ClaimVerdict
from harness.report.claims import DEFINITIONS, NOTHING, ClaimRow, ClaimsView
from harness.report.escape import markdown, terminal

_MARKS = {ClaimVerdict.SUPPORTED: "✅", ClaimVerdict.REFUTED: "❌", ClaimVerdict.NOT_MEASURED: "➖"}
_COLUMNS = (
    "statement", "scenario · metric", "claimed", "before", "after", "change [interval]", "n, level",
    "this check", "verdict", "what it costs",
)  # fmt: skip


def render(view: ClaimsView) -> str:
    """The page."""
    parts = [f"# {markdown(view.title)}", ""]
    parts += [f"Source: {markdown(view.source)}", ""] if view.source else []
    parts += [f"**{view.summary}.**", ""]
    parts += [f"- {_MARKS[verdict]} **{verdict}**: {meaning}" for verdict, meaning in DEFINITIONS.items()]
    for where, rows in view.sections:
        parts += ["", f"## {markdown(where)}", "", *_table(rows)]
    parts += ["", "## How measured", "", *_measured(view)]
    return "\n".join(parts) + "\n"


def _table(rows: Iterable[ClaimRow]) -> Iterator[str]:
    yield f"| {' | '.join(_COLUMNS)} |"
    yield "|" + " --- |" * len(_COLUMNS)
    for row in rows:
        for cells in _cells(row):
            yield f"| {' | '.join(cells)} |"


def _cells(row: ClaimRow) -> Iterator[list[str]]:
    """The claim with its first line; further lines below, the statement not repeated."""
    reading = f"<br>(read as: {markdown(row.reading)})" if row.reading else ""
    statement, costs = f"{markdown(row.statement)}{reading}", "<br>".join(map(markdown, row.costs))
    verdict = f"{_MARKS[row.verdict]} {row.verdict}"
    if not row.lines:
        yield [statement, *[NOTHING] * 6, markdown(row.reason), verdict, costs]
    for number, one in enumerate(row.lines):
        scenario, _, metric = one.name.partition(":")
        name = f"{markdown(scenario)} · {markdown(metric)}"
        figures = [markdown(text) for text in (one.claimed, one.before, one.after, one.change, one.n)]
        first = number == 0
        yield [statement * first, name, *figures, markdown(one.held), verdict * first, costs * first]


def _measured(view: ClaimsView) -> Iterator[str]:
    names = list(dict.fromkeys(name for _, facts in view.sessions for name, _ in facts))
    labels = [label for label, _ in view.sessions]
    known = [dict(facts) for _, facts in view.sessions]
    yield f"| | {' | '.join(labels)} |"
    yield "|" + " --- |" * (len(labels) + 1)
    for name in names:
        yield f"| {markdown(name)} | {' | '.join(markdown(facts.get(name, NOTHING)) for facts in known)} |"
    yield ""
    yield from (f"- Note: {markdown(note)}" for note in view.notes)
    yield "- Changes compare the variants pair by pair; values by themselves have the interval of their median."
    yield ""
    yield "Made by:"
    yield ""
    yield f"    {terminal(view.command)}"
