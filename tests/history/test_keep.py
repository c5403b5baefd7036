"""Runs into the history, once and only once, embedded and on a server by the same statements."""

import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from harness.files.baselines import save
from harness.history.client import Database
from harness.history.keep import Kept, all_files, check, damaged, keep, pending_files
from harness.history.rows import BLOCK, Fingerprint, fingerprint, sample_blocks
from harness.history.schema import MEDIANS, RUNS, SAMPLES
from harness.history.trends import trends
from harness.model import INJECTED
from tests.history.build import LATENCY, renamed, run, sample, save_run, save_session, session_name
from tests.history.conftest import Open


def put(database: Database, reports: Path) -> list[str]:
    results = list(keep(database, all_files(reports)))
    assert all(isinstance(result, Kept) for result in results), results
    return [result.outcome for result in results if isinstance(result, Kept)]


def problems(database: Database, reports: Path) -> list[str]:
    return [str(found) for found in check(database, all_files(reports)) if found is not None]


def stored(database: Database) -> tuple[object, ...]:
    (row,) = database.rows("SELECT count(), (SELECT count() FROM harness_runs FINAL) FROM harness_samples FINAL")
    return tuple(row)


def test_what_is_added_twice_is_there_once(opened: Open, reports: Path) -> None:
    save_session(reports, 1)
    with opened() as database:
        assert put(database, reports) == ["added", "added"]
        assert put(database, reports) == ["there already", "there already"]
        assert stored(database) == (18, 2)
        assert problems(database, reports) == []
    with opened() as database:
        assert stored(database) == (18, 2)


def test_a_baseline_is_the_run_of_its_session(opened: Open, reports: Path) -> None:
    save_session(reports, 1)
    save(reports / "baselines", "main", run(1))
    with opened() as database:
        assert put(database, reports) == ["added", "added", "there already"]


def test_a_self_test_is_no_measurement_and_stays_out(opened: Open, reports: Path) -> None:
    save_session(reports, 1)
    save_run(reports, replace(run(2), notes=(f"{INJECTED}every timed block was lengthened.",)))
    with opened() as database:
        assert put(database, reports) == ["added", "added"]
        assert stored(database) == (18, 2)
        assert problems(database, reports) == []


def test_only_sessions_that_are_not_there_complete_are_read(opened: Open, reports: Path) -> None:
    save_session(reports, 1)
    save_run(reports, replace(run(2, "before"), state="interrupted"))
    with opened() as database:
        put(database, reports)
        save_session(reports, 3)
        pending = {path.parent.name for path in pending_files(database, reports / "out")}
    assert pending == {session_name(2), session_name(3)}


def test_a_resumed_session_stands_for_its_interrupted_self(opened: Open, reports: Path) -> None:
    interrupted = replace(run(1, latency=0.01), state="interrupted")
    with opened() as database:
        for one in (interrupted, run(1, latency=0.02), replace(interrupted, seed=1)):
            save_run(reports, one)
            put(database, reports)
        (trend,) = trends(database, "*:latency", "after", {}, None)
    assert [(point.value, point.n) for point in trend.points] == [(0.02, 5)]


def test_a_run_without_values_is_a_run(opened: Open, reports: Path) -> None:
    save_run(reports, replace(run(1), samples=()))
    with opened() as database:
        assert put(database, reports) == ["added"]
        assert put(database, reports) == ["there already"]
        assert damaged(database) == ()


def test_values_that_are_gone_are_named_and_put_back(opened: Open, reports: Path) -> None:
    save_session(reports, 1)
    folder = save_session(reports, 2)
    with opened() as database:
        put(database, reports)
        database.run(
            """DELETE FROM harness_samples WHERE position = 2 AND metric = 'latency' AND run_hash IN
               (SELECT run_hash FROM harness_runs WHERE session = {session:String} AND side = 'after')""",
            session=session_name(2),
        )
        assert problems(database, reports) == [f"{folder / 'after.json'}: the history has 8 of 9 values"]
        assert damaged(database) == (session_name(2),)
        assert put(database, reports) == ["there already", "there already", "there already", "repaired"]
        assert problems(database, reports) == []
        assert stored(database) == (36, 4)


def test_another_value_and_a_lost_run_are_named(opened: Open, reports: Path) -> None:
    folder = save_session(reports, 1)
    with opened() as database:
        put(database, reports)
        database.run("ALTER TABLE harness_samples UPDATE value = -value WHERE position = 1 SETTINGS mutations_sync = 2")
        assert problems(database, reports) == [
            f"{folder / side}: the history has other values" for side in ("before.json", "after.json")
        ]
        database.run("TRUNCATE TABLE harness_runs")
        assert problems(database, reports) == [
            f"{folder / side}: the history lacks this run" for side in ("before.json", "after.json")
        ]
        assert put(database, reports) == ["added", "added"]
        assert problems(database, reports) == []


def test_a_process_that_died_between_values_and_run_leaves_nothing_double(opened: Open, reports: Path) -> None:
    save_session(reports, 1)
    with opened() as database:
        put(database, reports)
        database.run("DELETE FROM harness_runs WHERE 1")
        assert trends(database, "*", "after", {}, None) == ()
        assert put(database, reports) == ["added", "added"]
        assert stored(database) == (18, 2)


def test_the_engine_computes_the_same_digest(opened: Open, reports: Path) -> None:
    odd = (-0.0, 0.0, 5e-324, 1e18, -1e18, 0.1, 1 / 3, 1e-300)
    save_run(reports, replace(run(1), samples=(sample("s", LATENCY, *odd),)))
    with opened() as database:
        assert put(database, reports) == ["added"]
        assert put(database, reports) == ["there already"]


def test_the_digest_tells_rows_apart() -> None:
    def of(*values: float) -> Fingerprint:
        return fingerprint(replace(run(1), samples=(sample("s", LATENCY, *values),)))

    assert of(1.0, 2.0) != of(2.0, 1.0)
    assert of(0.0) != of(-0.0)
    assert of(1.0).values == 1


def test_rows_are_sent_in_blocks() -> None:
    big = replace(run(1), samples=(sample("s", LATENCY, *[1.0] * (2 * BLOCK + 1)),))
    assert [len(block["value"]) for block in sample_blocks(big, "h")] == [BLOCK, BLOCK, 1]


def test_the_query_of_the_documentation_runs(opened: Open, reports: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "history.md").read_text("utf-8")
    (query,) = re.findall(r"^```sql\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    cold = sample("startup/cold_start", replace(LATENCY, name="ready"), 0.1, 0.3, 0.2)
    save_run(reports, replace(run(1), samples=(cold,)))
    with opened() as database:
        put(database, reports)
        assert [tuple(row) for row in database.rows(query)] == [(date(2026, 1, 2), 0.2)]


def test_the_tables_of_the_documentation_are_those_that_are_made() -> None:
    page = (Path(__file__).parents[2] / "docs" / "history.md").read_text("utf-8")
    for table, columns in (("harness_runs", RUNS), ("harness_samples", SAMPLES), ("harness_medians", MEDIANS)):
        (row,) = (line for line in page.splitlines() if line.startswith(f"| `{table}`"))
        assert set(columns) <= set(re.findall(r"`(\w+)`", row))


@pytest.mark.parametrize("nulls", [0, 1])
def test_a_run_whose_values_are_all_gone_is_named_whatever_a_join_fills_in(
    opened: Open, reports: Path, nulls: int
) -> None:
    save_session(reports, 1)
    with opened() as database:
        put(database, reports)
        database._client.set_client_setting("join_use_nulls", nulls)  # as a server's profile may have it
        database.run("DELETE FROM harness_samples WHERE true")
        assert damaged(database) == (session_name(1),)


def test_a_trend_of_a_parametrized_scenario_is_found_by_its_name(opened: Open, reports: Path) -> None:
    save_run(reports, renamed(run(1), "load/rows[10]", "latency", "s"))
    with opened() as database:
        put(database, reports)
        for pattern in ("load/rows[10]:latency", "load/rows[10]:*"):
            (trend,) = trends(database, pattern, "after", {}, None)
            assert trend.scenario == "load/rows[10]"
        assert trends(database, "load/rows[20]:*", "after", {}, None) == ()
