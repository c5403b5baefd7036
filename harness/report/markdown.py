"""The report as GitHub-flavoured Markdown, for pull requests and repositories."""

from collections.abc import Iterable, Mapping, Sequence

from harness.judge.comparison import Verdict
from harness.report import wording
from harness.report.bar import bar
from harness.report.escape import markdown
from harness.report.rows import Expected, Row
from harness.report.view import Difference, ReportView, shared_warnings

COMMENT_LIMIT = 65_536
"""Characters that fit into a comment on GitHub."""

_MARKS = {
    Verdict.REGRESSED: "❌",
    Verdict.MISSING: "⚠️",
    Verdict.INCOMPARABLE: "⚠️",
    Verdict.INVALID: "⚠️",
    Verdict.INCONCLUSIVE: "❔",
    Verdict.IMPROVED: "✅",
    Verdict.UNCHANGED: "➖",
}
_LEGEND = (
    "Rule: floor/smallest effect that matters, in per cent or percentage points. Could see: the smallest change that "
    "would have been called with probability 95 %. Bars end at ±100."
)


def render(view: ReportView, pictures: Mapping[str, str] | None = None, limit: int | None = None) -> str:
    """The report; with links to ``pictures`` (title to relative path of an SVG file), and cut to ``limit`` characters.

    A cut report keeps its headline and worst rows, and says what it left out.
    """
    rest = [
        _remarks(view.rows),
        _predictions(view.rows),
        _settings(view),
        _failures(view),
        _pictures(pictures or {}),
        _measured(view),
    ]
    sections = [section for section in rest if section]
    text = "\n".join([_head(view), _verdicts(view.rows), *sections])
    if limit is None or len(text) <= limit:
        return text
    return _cut(view, sections, limit)


def _cut(view: ReportView, sections: Sequence[str], limit: int) -> str:
    head, left_out = _head(view), "\n_Cut to fit: {} of {} rows are shown; the full report has all of them._\n"
    room = limit - len(head) - len(left_out) - 12
    shown = len(view.rows)
    while shown and len(_verdicts(view.rows[:shown])) > room:
        shown = shown * 3 // 4
    text = head + "\n" + _verdicts(view.rows[:shown]) + left_out.format(shown, len(view.rows))
    for section in sections:
        if len(text) + len(section) + 1 <= limit:
            text += "\n" + section
    return text[:limit]


def _table(columns: Sequence[str], rows: Iterable[Iterable[str]]) -> str:
    """A table of cells that are Markdown already; a column whose name starts with ``>`` is aligned to the right."""
    names = [column.removeprefix(">") for column in columns]
    lines = [names, ["--:" if column.startswith(">") else "---" for column in columns], *map(list, rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _head(view: ReportView) -> str:
    facts = " · ".join(f"{label} {markdown(value)}" for label, value in view.facts if label not in ("before", "after"))
    others = f" · {view.others}" if view.others else ""
    lines = [f"### {markdown(view.headline)}{others}", "", f"**{markdown(view.title)}** · {facts}", ""]
    lines += [line for note in view.notes for line in (f"> **Note:** {markdown(note)}", "")]
    lines += [f"_{markdown(view.controls)}_", ""] if view.controls else []
    lines.append(f"**Gate:** {markdown(view.gate)}")
    lines += [f"- why: {markdown(reason)}" for reason in view.gate_reasons]
    return "\n".join(lines) + "\n"


def _verdicts(rows: Sequence[Row]) -> str:
    columns = (
        "verdict",
        "scenario",
        "metric",
        ">before",
        ">after",
        ">change [interval]",
        "−100 ······ 0 ······ +100",
        ">n",
        "rule",
        ">p",
        ">could see",
    )
    return _table(columns, (_row(row) for row in rows))


def _row(row: Row) -> list[str]:
    drawn = f"`{bar(row.effect)}`" if row.effect and row.on_axis else ""
    gated = "" if row.gated else " (not gated)"
    texts = (row.before.median, row.after.median, row.change)
    return [
        f"{_MARKS[row.verdict]} {row.word}", markdown(row.scenario), markdown(row.name) + gated,
        *map(markdown, texts), drawn, row.units, markdown(row.rule), markdown(row.p_value), markdown(row.detectable),
    ]  # fmt: skip


def _remarks(rows: Sequence[Row]) -> str:
    said = [row for row in rows if row.verdict is not Verdict.UNCHANGED]
    lines = [f"- {_MARKS[row.verdict]} {markdown(row.label)}: {markdown(row.sentence)}" for row in said]
    lines += [f"- ⚠️ {markdown(labels)}: {markdown(warning)}" for labels, warning in shared_warnings(rows)]
    return _section("In words", "\n".join(lines) + "\n") if lines else ""


def _predictions(rows: Sequence[Row]) -> str:
    found = [[markdown(row.label), *_expected(expected)] for row in rows for expected in row.expected]
    columns = ("prediction", "variant", ">predicted", ">measured", "agrees", "how")
    return _section("Predictions", _table(columns, found)) if found else ""


def _expected(expected: Expected) -> list[str]:
    agrees = (
        wording.NOT_MEASURED
        if expected.agrees is None
        else f"{'yes' if expected.agrees else '**no**'}, {expected.inside}"
    )
    return [expected.side, markdown(expected.range), markdown(expected.measured), agrees, markdown(expected.about)]


def _settings(view: ReportView) -> str:
    rows = (_difference(setting) for setting in view.settings)
    table = _table(("service", "setting", "before", "after"), rows)
    return _section("Settings that differ", table if view.settings else "None: both variants have the same settings.\n")


def _difference(difference: Difference) -> list[str]:
    return [markdown(text) for text in (difference.where, difference.name, difference.before, difference.after)]


def _failures(view: ReportView) -> str:
    lines = [f"- {f.side}, round {f.round}, {markdown(f.scenario)}: {markdown(f.message)}\n" for f in view.failures]
    return _section("Failures", "".join(lines)) if lines else ""


def _pictures(pictures: Mapping[str, str]) -> str:
    lines = [f"![{markdown(title)}]({path})\n" for title, path in pictures.items()]
    return _section("Pictures", "\n".join(lines)) if lines else ""


def _measured(view: ReportView) -> str:
    rows = (
        [markdown(d.name) + ("" if d.where == "stable" else " (may differ)"), markdown(d.before), markdown(d.after)]
        for d in view.environment
    )
    words = "".join(
        f"- {_MARKS[verdict]} **{verdict}**: {meaning}\n" for verdict, meaning in wording.DEFINITIONS.items()
    )
    return _section("How measured", _table(("environment", "before", "after"), rows) + f"\n{_LEGEND}\n\n{words}")


def _section(title: str, body: str) -> str:
    return f"#### {title}\n\n{body}"
