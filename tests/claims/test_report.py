"""How claims are told: the page and the terminal as they were last looked at, and nothing live in either."""

import re
from functools import cache

import pytest

from harness.claims.file import Check
from harness.report import claims_markdown, claims_terminal
from harness.report.claims import build_view, claimed
from harness.report.escape import shorten, visible
from tests.claims import example
from tests.report import reading
from tests.report.payloads import PAYLOADS


@pytest.mark.parametrize("name", example.GOLDEN)
def test_the_output_is_as_it_was_last_looked_at(name: str) -> None:
    assert example.GOLDEN[name]() == (example.FOLDER / name).read_text(encoding="utf-8")


def test_each_verdict_stands_beside_its_statement_and_what_it_costs() -> None:
    rows = [
        row
        for row in reading.table_rows(claims_markdown.render(example.view()))
        if len(row) == 10 and row[0] != "statement"
    ]
    verdicts = {row[0].partition("<br>")[0]: row[8].split(" ", 1)[1] for row in rows if row[0]}
    assert verdicts == {
        "Retry delays reduced by ~40 %": "refuted",
        "Faster recovery": "supported",
        "11 errors before, none after": "supported",
        "As many answers as before": "not measured",
        "An analysis takes 1.5 s at most": "supported",
        "It does not grow": "refuted",
        "Dynamic pool sizing": "not measured",
        "Aligns with standards": "not measured",
    }
    (delays,) = (row for row in rows if row[0].startswith("Retry delays"))
    assert "retry/twice:answered: 1 → 0 (−100 % exactly, regressed, n 16)" in delays[9]
    assert "retry/thrice:answered: not measured" in delays[9]


@pytest.mark.parametrize(
    ("after", "text"),
    [(0.00001, "after 10.0 µs"), (0, "after 0 s"), ("<= 1.5", "after ≤ 1.50 s"), ("27 to 33", "after 27 s to 33 s")],
)
def test_a_claimed_value_is_told_in_its_unit(after: float | str, text: str) -> None:
    assert claimed(Check(metric="s:waiting", after=after), example.WAITING) == text


def test_a_note_says_which_session_it_belongs_to() -> None:
    main, full = example.sessions()
    note = "Waits are shortened: TIME_SCALE = 0.01."
    for sessions, told in (([main, full], (f"A: {note}",)), ([main], (note,)), ([main, main], (f"A: {note}",))):
        assert build_view(example.claims_file(), [], sessions, "harness x").notes == told


def test_secrets_of_the_system_stay_out() -> None:
    for text in (claims_markdown.render(example.view()), claims_terminal.render(example.view(), 200, color=False)):
        assert "no free connection" in text
        assert "canary" not in text


@pytest.mark.parametrize("payload", PAYLOADS)
def test_the_terminal_shows_payloads_and_obeys_none(payload: str) -> None:
    for width in (60, 200):
        text = reading.without_colors(claims_terminal.render(example.poisoned(payload), width, color=True))
        assert text.replace("\n", "") == visible(text.replace("\n", ""))
        assert not [line for line in text.splitlines() if line.lstrip().startswith("::")]
        assert not re.search(r"##(vso)?\[", text)
        assert all(len(line) <= width for line in text.splitlines())


@pytest.mark.parametrize("payload", PAYLOADS)
def test_markdown_holds_payloads_as_text(payload: str) -> None:
    text = claims_markdown.render(example.poisoned(payload))
    assert structure(text) == harmless()
    assert text.splitlines() == text.removesuffix("\n").split("\n")
    seen = "\n".join(t.content for t in reading.tokens(text) if t.type == "inline")
    assert not re.search(r"(?<![A-Za-z0-9])@\w|#\d|://|www\.|GH-\d|(?<!\\)\$", seen)
    assert visible(shorten(payload)).strip() in reading.markdown_text(text)


@cache
def harmless() -> list[str]:
    return structure(claims_markdown.render(example.poisoned("harmless")))


def structure(text: str) -> list[str]:
    """Blocks, emphasis, code and our own line breaks; not how a text is split."""
    tokens = ((token.type, token.content if token.type == "html_inline" else "") for token in reading.tokens(text))
    return [f"{kind} {content}" for kind, content in tokens if kind not in ("text", "text_special", "inline")]
