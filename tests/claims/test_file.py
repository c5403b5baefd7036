"""A file of claims: what may stand in it, and what is said of what may not."""

from itertools import pairwise
from pathlib import Path

import pytest

from harness.claims.file import Check, Span, read_claims
from harness.errors import ExitCode, HarnessError
from tests.report import reading

SEED = Path(__file__).parents[2] / "docs" / "seed-claims.toml"
HEAD = 'title = "T"\n[[claim]]\nid = "one"\nwhere = "W"\nstatement = "S"\n'


def written(folder: Path, text: str) -> Path:
    file = folder / "claims.toml"
    file.write_text(text, "utf-8")
    return file


@pytest.mark.parametrize(
    ("table", "span"),
    [
        ({"change": "-40 %"}, Span(-0.45, -0.35)),
        ({"change": "−40%", "tolerance": "10 %"}, Span(-0.5, -0.3)),
        ({"change": "+100 %", "tolerance": "0 %"}, Span(1.0, 1.0)),
        ({"change": "-4 points", "tolerance": "1.5 points"}, Span(-0.055, -0.025)),
    ],
)
def test_a_change_and_its_tolerance_are_a_span(table: dict[str, str], span: Span) -> None:
    check = Check(metric="a/b:c", **table)  # type: ignore[arg-type]
    assert (check.claimed.low, check.claimed.high) == pytest.approx((span.low, span.high))
    assert check.in_points == ("points" in table["change"])


@pytest.mark.parametrize(
    ("value", "low", "high"),
    [(11, 11, 11), ("<= 1.5", -float("inf"), 1.5), (">= 9", 9, float("inf")), ("27 to 33", 27, 33)],
)
def test_a_value_is_a_span(value: float | str, low: float, high: float) -> None:
    assert Check(metric="a/b:c", after=value).sides == {"after": Span(low, high)}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("checks = []", 'claim "one": allowed is either checks or why_not'),
        ('why_not = "x"\nchecks = [{ metric = "a:b", after = 1 }]', 'claim "one": allowed is either checks or why_not'),
        ('checks = [{ metric = "a:b" }]', 'claim "one": checks[0]: allowed is exactly one of change, direction,'),
        ('checks = [{ metric = "a:b", change = "-4 %", after = 1 }]', "exactly one of"),
        ('checks = [{ metric = "a:b", change = "40" }]', 'claim "one": checks[0].change: found "40", allowed is'),
        (
            'checks = [{ metric = "a:b", after = "33 to 27" }]',
            'checks[0].after: found "33 to 27", allowed are a number',
        ),
        ('checks = [{ metric = "a:b", after = nan }]', 'claim "one": checks[0].after: '),
        ('checks = [{ metric = "a:b", after = 1, tolerance = "1 %" }]', "tolerance goes with change only"),
        ('checks = [{ metric = "a:b", than = "a:c", after = 1 }]', "than goes with change or direction"),
        ('checks = [{ metric = "a:b", change = "-4 %", tolerance = "x" }]', "checks[0].tolerance: found"),
        ("checks = 3", 'claim "one": checks: found "3", allowed is a list'),
        ("checks = [7]", 'claim "one": checks[0]: found "7", allowed is a table'),
        ('checks = [{ metric = "ab", after = 1 }]', 'claim "one": checks[0].metric: '),
        ('checks = [{ metric = "a:b", direction = "up" }]', 'claim "one": checks[0].direction: '),
        ('why_not = "x"\nwhynot = "y"', 'claim "one": whynot: unknown key'),
        (
            'why_not = "x"\n[[claim]]\nid = "one"\nwhere = "W"\nstatement = "S"\nwhy_not = "x"',
            "two claims are called one",
        ),
        ('why_not = "x"\n[[claim]]\nwhere = "W"\nstatement = "S"\nwhy_not = "x"', "claim 2: id: missing"),
    ],
)
def test_a_mistake_is_one_line_that_names_file_claim_and_key(tmp_path: Path, text: str, said: str) -> None:
    file = written(tmp_path, HEAD + text)
    with pytest.raises(HarnessError) as error:
        read_claims(file)
    assert error.value.code is ExitCode.USAGE
    assert str(error.value).count("\n") == 0
    assert str(error.value).startswith(f"{file}: ")
    assert said in str(error.value)


def test_a_file_that_is_none(tmp_path: Path) -> None:
    for text, said in (
        ("title = ", "not valid TOML"),
        ('title = "T"', "claim: missing"),
        ("claim = 3", "title: missing"),
        ('title = "T"\nclaim = []', "claim: there is none"),
    ):
        with pytest.raises(HarnessError, match=said):
            read_claims(written(tmp_path, text))
    with pytest.raises(HarnessError, match="cannot be read"):
        read_claims(tmp_path / "nowhere.toml")


def test_every_section_of_the_seed_report_has_its_claims_together_and_in_its_order() -> None:
    claims = read_claims(SEED).claim
    sections = [claim.where for claim in claims]
    assert list(dict.fromkeys(section.partition(":")[0] for section in sections)) == [
        "Executive Summary",
        "Performance Issues Identified",
        "Optimizations Implemented",
        "Performance Metrics & Validation",
        "Business Value Impact",
        "Recommendations",
        "Configuration Changes Summary",
        "Files Modified",
        "Conclusion",
        "Next Steps",
    ]
    changes = sum(one != other for one, other in pairwise(sections))
    assert changes == len(set(sections)) - 1, "a section comes twice"
    assert len({claim.id for claim in claims}) == len(claims)


def test_the_page_of_the_seed_report_has_a_row_for_each_of_its_claims() -> None:
    page = (SEED.parent / "seed-claims.md").read_text("utf-8")
    rows = [row for row in reading.table_rows(page) if len(row) == 10 and row[0] not in ("", "statement")]
    assert [row[0].partition("<br>")[0] for row in rows] == [claim.statement for claim in read_claims(SEED).claim]
    assert "harness claims check docs/seed-claims.toml" in page
