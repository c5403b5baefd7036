"""The values of each metric over the runs of one variant, as the history has them."""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any, cast, get_args

from harness.errors import HarnessError
from harness.files.strict_json import describe
from harness.history.changes import change_points
from harness.history.client import Database
from harness.model import Better, Kind, Metric, Trend, TrendPoint
from harness.patterns import matches

MOST_RUNS = 500
"""The newest runs that a trend shows; finding change points takes time with the square of their number."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_SQL = """
    SELECT scenario, metric, unit, better, kind, toUnixTimestamp64Milli(started) AS at, session, commit, median, values,
           toString(stable) AS environment, run_hash
    FROM harness_medians WHERE origin = {variant:String}
    ORDER BY scenario, metric, unit, better, kind, at DESC, session DESC, side DESC
    LIMIT {most:UInt32} BY scenario, metric, unit, better, kind"""

Row = tuple[str, str, str, Better, Kind, int, str, str, float, int, str, str]


def trends(
    database: Database,
    pattern: str,
    variant: str,
    baselines: Mapping[str, str],
    detector: Any | None,
    most: int = MOST_RUNS,
) -> tuple[Trend, ...]:
    """Every metric whose ``scenario:metric`` matches ``pattern``, with the change points that ``detector`` finds.

    ``variant`` is the name of a variant in the configuration, ``baselines`` maps hashes of runs to names; of each
    metric the newest ``most`` runs are read. Only runs of the environment in which the newest one was measured are in a
    trend: a step between machines says nothing of the code.

    Raises HarnessError when the database fails or answers something else than asked.
    """
    rows = [_row(row) for row in database.rows(_SQL, variant=variant, most=most)]
    chosen = [row for row in rows if matches(f"{row[0]}:{row[1]}", pattern)]
    return tuple(
        _trend(variant, list(group), baselines, detector) for _, group in groupby(chosen, key=lambda row: row[:5])
    )


def _trend(variant: str, newest_first: Sequence[Row], baselines: Mapping[str, str], detector: Any | None) -> Trend:
    scenario, name, unit, better, kind = newest_first[0][:5]
    here = [row for row in reversed(newest_first) if row[10] == newest_first[0][10]]
    points = tuple(_points(here, baselines))
    steps = change_points([point.value for point in points], detector) if detector else ()
    metric = Metric(name, unit, better, kind)
    return Trend(scenario, metric, variant, points, steps, elsewhere=len(newest_first) - len(here))


def _points(rows: Iterable[Row], baselines: Mapping[str, str]) -> Iterable[TrendPoint]:
    for _, _, _, _, _, at, session, commit, median, values, _, run_hash in rows:
        started = (_EPOCH + timedelta(milliseconds=at)).isoformat(timespec="seconds")
        yield TrendPoint(started, session, commit, median, values, baselines.get(run_hash, ""))


def _row(row: Sequence[object]) -> Row:
    """A row with the types asked for; a server may answer anything."""
    match row:
        case (
            str(),
            str(),
            str(),
            str(better),
            str(kind),
            int(at),
            str(),
            str(),
            float(median),
            int(),
            str(),
            str(),
        ) if better in get_args(Better) and kind in get_args(Kind) and abs(at) < 10**14 and math.isfinite(median):
            return cast("Row", tuple(row))
        case _:
            raise HarnessError(f"history: the server answered something else than a trend: {describe(list(row))}")
