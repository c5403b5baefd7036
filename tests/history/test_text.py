"""Names, texts and numbers that nobody would choose: stored as they are, or refused in one line."""

from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import ExitCode, HarnessError
from harness.history.client import Database
from harness.history.keep import Kept, all_files, keep
from harness.history.rows import LONGEST, kept
from harness.history.trends import trends
from harness.model import Run
from tests.history.build import renamed, run, save_run, save_session
from tests.report.payloads import PAYLOADS


@pytest.fixture(autouse=True)
def emptied(embedded: Database) -> None:
    embedded.run("TRUNCATE TABLE harness_samples")
    embedded.run("TRUNCATE TABLE harness_runs")


def outcomes(database: Database, reports: Path) -> list[str]:
    return [
        result.outcome if isinstance(result, Kept) else str(result) for result in keep(database, all_files(reports))
    ]


def test_a_long_text_is_cut_and_still_tells_itself_apart() -> None:
    first, second = kept("x" * 10_000_000), kept("x" * 10_000_001)
    assert len(first) == len(second) == LONGEST
    assert first != second
    assert kept("x" * LONGEST) == "x" * LONGEST


@pytest.mark.parametrize("text", [*PAYLOADS, "'); DROP TABLE harness_runs; --", "{variant:String}", "a\\'b", ""])
def test_any_name_comes_back_as_it_was(text: str, embedded: Database, reports: Path) -> None:
    one = renamed(run(1), text, text, text)
    one = replace(one, variant=replace(one.variant, origin=text, settings={"backend": {"X": text}}))
    save_run(reports, one)
    assert outcomes(embedded, reports) == ["added"]
    assert outcomes(embedded, reports) == ["there already"]
    (trend,) = (t for t in trends(embedded, "*", kept(text), {}, None) if t.metric.kind == "noisy")
    assert (trend.scenario, trend.metric.name, trend.metric.unit) == (kept(text),) * 3


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"started": "yesterday"}, "started: found 'yesterday'"),
        ({"started": "2026-01-01T12:00:00"}, "started"),
        ({"started": "1066-10-14T09:00:00+00:00"}, "started"),
        ({"rounds": 2**63}, "rounds: found 9223372036854775808"),
    ],
)
def test_what_no_column_holds_is_one_line(
    change: dict[str, object], named: str, embedded: Database, reports: Path
) -> None:
    odd: Run = replace(run(1), **change)  # type: ignore[arg-type]
    save_run(reports, odd)
    (error,) = keep(embedded, all_files(reports))
    assert isinstance(error, HarnessError)
    assert named in str(error)
    assert error.code == ExitCode.BASELINE


def test_a_broken_file_does_not_keep_the_others_out(embedded: Database, reports: Path) -> None:
    (save_session(reports, 1) / "before.json").write_text("{")
    error, there = keep(embedded, all_files(reports))
    assert isinstance(error, HarnessError)
    assert isinstance(there, Kept)
    assert there.outcome == "added"
