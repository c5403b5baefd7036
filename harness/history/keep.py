"""Run files into the history, and the history held against the run files. Putting a run in twice changes nothing."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from harness.errors import HarnessError
from harness.files.baselines import list_baselines
from harness.files.runfile import read_hashed
from harness.files.sessions import list_sessions
from harness.files.strict_json import shown
from harness.history.client import Database
from harness.history.rows import FINGERPRINT_SQL, Fingerprint, fingerprint, run_row, sample_blocks
from harness.model import SIDES, Run, is_self_test

Outcome = Literal["added", "repaired", "there already"]


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of one run file."""

    path: Path
    outcome: Outcome
    values: int


def session_files(out: Path, name: str) -> tuple[Path, ...]:
    """The run files that the session ``name`` has; none while it is being measured, or when it was killed."""
    return tuple(path for path in (out / name / f"{side}.json" for side in SIDES) if path.is_file())


def all_files(reports: Path) -> Iterator[Path]:
    """The run files of all sessions, oldest first, and of all baselines."""
    for name in list_sessions(reports / "out"):
        yield from session_files(reports / "out", name)
    folder = reports / "baselines"
    yield from (folder / f"{name}.json" for name in list_baselines(folder))


def pending_files(database: Database, out: Path) -> Iterator[Path]:
    """The run files of sessions that the history does not have complete: only they need to be read."""
    sql = "SELECT session FROM harness_runs FINAL WHERE state = 'complete' GROUP BY session HAVING uniqExact(side) = 2"
    complete = {row[0] for row in database.rows(sql)}
    for name in list_sessions(out):
        if name not in complete:
            yield from session_files(out, name)


def keep(database: Database, paths: Iterable[Path]) -> Iterator[Kept | HarnessError]:
    """Put each run file into the history unless all of it is there; what cannot be read is told and left out.

    Runs of a self-test are left out: they are no measurements.

    Raises HarnessError when the database fails: what was put in before stays.
    """
    for path in paths:
        try:
            run, run_hash = read_hashed(path)
            if is_self_test(run):
                continue
            expected = fingerprint(run)
            row = run_row(run, run_hash, expected, datetime.now(UTC))
        except HarnessError as error:
            yield error
            continue
        stated, there = _stored(database, run_hash)
        if stated == there == expected:
            yield Kept(path, "there already", expected.values)
            continue
        known = stated is not None
        if there.values:
            _forget(database, run_hash)
        _put(database, run, run_hash)
        database.insert("harness_runs", row)  # last: a run is in the history when this row is
        yield Kept(path, "repaired" if known else "added", expected.values)


def check(database: Database, paths: Iterable[Path]) -> Iterator[str | HarnessError | None]:
    """For each run file what the history lacks of it, None when it lacks nothing, an error when it cannot be read.

    Runs of a self-test are passed over, as by ``keep``.
    """
    for path in paths:
        try:
            run, run_hash = read_hashed(path)
            if is_self_test(run):
                continue
            expected = fingerprint(run)
        except HarnessError as error:
            yield error
            continue
        problem = _difference(expected, *_stored(database, run_hash))
        yield f"{shown(path)}: {problem}" if problem else None


def damaged(database: Database) -> tuple[str, ...]:
    """The sessions of which values are gone, as far as the history itself can tell."""
    sql = """SELECT DISTINCT r.session FROM (SELECT * FROM harness_runs FINAL) AS r
             LEFT JOIN (SELECT run_hash, count() AS there FROM harness_samples FINAL GROUP BY run_hash) AS s
             ON r.run_hash = s.run_hash WHERE ifNull(s.there, 0) != r.values ORDER BY r.session"""
    return tuple(shown(row[0]) for row in database.rows(sql))


def _difference(expected: Fingerprint, stated: Fingerprint | None, there: Fingerprint) -> str:
    if stated is None:
        return "the history lacks this run"
    if there.values != expected.values:
        return f"the history has {there.values} of {expected.values} values"
    if there != expected:
        return "the history has other values"
    return "" if stated == expected else "the history has another count or hash of this run"


def _stored(database: Database, run_hash: str) -> tuple[Fingerprint | None, Fingerprint]:
    """What the history says that it has of a run, and what it has."""
    sql = "SELECT values, digest FROM harness_runs FINAL WHERE run_hash = {run_hash:String}"
    stated = [_fingerprint(row) for row in database.rows(sql, run_hash=run_hash)]
    there = [_fingerprint(row) for row in database.rows(FINGERPRINT_SQL, run_hash=run_hash)]
    return (stated[0] if stated else None), (there[0] if there else Fingerprint(0, 0))


def _fingerprint(row: object) -> Fingerprint:
    match row:
        case (int(values), int(digest)):
            return Fingerprint(values, digest)
        case _:
            raise HarnessError("history: the server answered something else than a count and a hash")


def _forget(database: Database, run_hash: str) -> None:
    database.run("DELETE FROM harness_samples WHERE run_hash = {run_hash:String}", run_hash=run_hash)


def _put(database: Database, run: Run, run_hash: str) -> None:
    for block in sample_blocks(run, run_hash):
        database.insert("harness_samples", block)
