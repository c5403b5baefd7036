"""What holds for all formats together: same numbers, same order, no secret, nothing live."""

import re
import subprocess
import sys
from dataclasses import replace
from functools import cache

import pytest

from harness.model import SIDES, Failure, Variant
from harness.report import html, markdown, terminal
from harness.report.escape import shorten, visible
from harness.report.rows import Row
from harness.report.view import ReportView, build_view
from tests.report import data, reading
from tests.report.payloads import PAYLOADS

WIDE = 240


def numbers(row: Row) -> tuple[str, ...]:
    return (row.before.median, row.after.median, row.change, row.rule, row.units)


def all_formats(view: ReportView) -> dict[str, str]:
    return {
        "terminal": terminal.render(view, WIDE, color=True),
        "markdown": markdown.render(view),
        "html": html.render(view),
    }


def test_all_formats_have_the_numbers_of_every_row_in_the_same_order() -> None:
    view = data.view()
    verdicts = "|".join(verdict for verdict, _ in view.counts)
    plain = terminal.render(view, WIDE, color=False).splitlines()
    printed = [line for line in plain if re.match(rf" \S ({verdicts}) ", line)]
    cells = [" ".join(row) for row in reading.table_rows(markdown.render(view))[1 : len(view.rows) + 1]]
    shown = reading.page(html.render(view)).rows[1 : len(view.rows) + 1]
    assert len(printed) == len(cells) == len(shown) == len(view.rows) == 25
    for row, *lines in zip(view.rows, printed, cells, shown, strict=True):
        for line in lines:
            assert row.verdict in line
            assert row.name in line
            assert row.scenario in line
            for number in numbers(row):
                assert number in line


@pytest.mark.parametrize("width", [40, 60, 80, 110, 120, 150, 200])
def test_the_terminal_keeps_its_width_and_every_number(width: int) -> None:
    view = data.view()
    text = terminal.render(view, width, color=False)
    assert max(map(len, text.splitlines())) <= width
    flat = re.sub(r"\s+", " ", text)
    if width >= 60:
        assert all(number in flat for row in view.rows for number in numbers(row))


def test_a_terminal_without_color_gets_none_and_loses_no_word() -> None:
    colored, plain = (terminal.render(data.view(), 120, color=color) for color in (True, False))
    assert "\x1b[" in colored
    assert "\x1b" not in plain
    assert reading.without_colors(colored) == plain


def test_everything_that_went_wrong_is_in_every_format() -> None:
    view = data.view()
    texts = [
        re.sub(r"\s+", " ", text)
        for text in (
            terminal.render(view, WIDE, color=False),
            reading.markdown_text(markdown.render(view)),
            reading.page(html.render(view)).text,
        )
    ]
    for text in texts:
        for said in (*view.notes, *view.gate_reasons, view.gate, *(f.message for f in view.failures)):
            assert said in text
        for row in view.rows:
            assert all(warning in text for warning in row.warnings)
            assert row.reason in text
        for setting in view.settings:
            assert f"{setting.name}" in text


def test_a_warning_that_many_metrics_share_is_said_once() -> None:
    view = data.view()
    rows = tuple(replace(row, warnings=("shared by all",), gated=True) for row in view.rows)
    view = replace(view, rows=rows)
    said = f"{rows[0].label} … and {len(rows) - 1} more metrics: shared by all"
    for text in (terminal.render(view, WIDE, color=False), reading.markdown_text(markdown.render(view))):
        flat = re.sub(r"\s+", " ", text)
        assert flat.count("shared by all") == 1
        assert said in flat


def test_no_secret_gets_into_any_format() -> None:
    canary = "canary-5f2e"
    before, after = (data.run(side) for side in SIDES)
    settings = {"DB_PASSWORD": canary, "API_TOKEN": canary, "URL": f"http://u:{canary}@127.0.0.1/"}
    before = replace(
        before,
        variant=Variant("before", "b", {"backend": settings}),
        failures=(Failure("s", 0, f"GET http://u:{canary}@127.0.0.1/?api_key={canary} with Bearer {canary}x"),),
        notes=(f"password={canary}",),
    )
    view = build_view(before, after, data.comparisons(before, after), data.GATE)
    for name, text in all_formats(view).items():
        assert canary not in text, name
        assert "DB_PASSWORD" in text.replace("\\", ""), name
    assert "•••" in markdown.render(view)


@pytest.mark.parametrize("payload", PAYLOADS)
def test_the_terminal_shows_payloads_and_obeys_none(payload: str) -> None:
    for width in (60, 200):
        text = reading.without_colors(terminal.render(data.poisoned(payload), width, color=True))
        assert text.replace("\n", "") == visible(text.replace("\n", ""))
        assert not [line for line in text.splitlines() if line.lstrip().startswith("::")]
        assert not re.search(r"##(vso)?\[", text)
        assert all(len(line) <= width for line in text.splitlines())
        assert "✗ regressed" in text


@pytest.mark.parametrize("payload", PAYLOADS)
def test_markdown_holds_payloads_as_text(payload: str) -> None:
    text = markdown.render(data.poisoned(payload))
    kinds = [token.type for token in reading.tokens(text)]
    assert not {"html_inline", "html_block", "link_open", "image", "fence"} & set(kinds)
    assert structure(kinds) == harmless_markdown()
    assert text.splitlines() == text.removesuffix("\n").split("\n")
    seen = "\n".join(t.content for t in reading.tokens(text) if t.type == "inline")
    assert not re.search(r"(?<![A-Za-z0-9])@\w|#\d|://|www\.|GH-\d|(?<!\\)\$", seen)
    assert visible(shorten(payload)).strip() in reading.markdown_text(text)


@cache
def harmless_markdown() -> list[str]:
    return structure([token.type for token in reading.tokens(markdown.render(data.poisoned("harmless")))])


@cache
def harmless_page() -> reading.Page:
    return reading.page(html.render(data.poisoned("harmless")))


def structure(kinds: list[str]) -> list[str]:
    """Blocks, emphasis and code; not how a text is split."""
    return [kind for kind in kinds if kind not in ("text", "text_special")]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_html_holds_payloads_as_text(payload: str) -> None:
    text = html.render(data.poisoned(payload))
    page = reading.page(text)
    assert page.elements == harmless_page().elements
    assert not page.oddities
    assert not [name for _, name, _ in page.attributes if name.startswith("on") or name in ("href", "src", "style")]
    assert visible(shorten(payload)) in page.text
    assert text.replace("\n", "") == visible(text.replace("\n", ""))
    text.encode("utf-8")


def test_markdown_can_be_cut_to_the_length_of_a_comment() -> None:
    view = data.view()
    many = replace(view, rows=tuple(sorted(view.rows * 200, key=view.rows.index)))
    text = markdown.render(many, limit=markdown.COMMENT_LIMIT)
    assert len(text) <= markdown.COMMENT_LIMIT < len(markdown.render(many))
    assert view.gate in reading.markdown_text(text)
    shown = [row for row in reading.table_rows(text) if len(row) == 11][1:]
    assert f"{len(shown)} of 5000 rows" in text
    assert 50 < len(shown) < 5000
    assert {row[0] for row in shown} == {"❌ regressed"}
    assert markdown.render(view, limit=markdown.COMMENT_LIMIT) == markdown.render(view)


def test_starting_the_command_line_needs_none_of_the_libraries_that_draw() -> None:
    code = "import sys, harness.report, harness.report.view; print(sorted({'jinja2', 'rich'} & set(sys.modules)))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert out.stdout.strip() == "[]"
