"""The tables, and the check that they are ours."""

from collections.abc import Mapping

from harness.errors import ExitCode, HarnessError
from harness.files.strict_json import shown
from harness.history.client import Database

RUNS: Mapping[str, str] = {
    "run_hash": "String",
    "session": "String",
    "side": "LowCardinality(String)",
    "origin": "LowCardinality(String)",
    "started": "DateTime64(3, 'UTC')",
    "state": "LowCardinality(String)",
    "seed": "Int128",
    "rounds": "Int64",
    "commit": "String",
    "settings": "Map(String, String)",
    "stable": "Map(String, String)",
    "volatile": "Map(String, String)",
    "values": "UInt64",
    "digest": "UInt64",
    "added": "DateTime64(6, 'UTC')",
}
"""One row a run. ``values`` and ``digest`` say what its rows in ``harness_samples`` have to be."""

SAMPLES: Mapping[str, str] = {
    "run_hash": "LowCardinality(String)",
    "scenario": "LowCardinality(String)",
    "metric": "LowCardinality(String)",
    "position": "UInt64",
    "round": "Int64",
    "pair": "Int64",
    "value": "Float64",
    "unit": "LowCardinality(String)",
    "better": "LowCardinality(String)",
    "kind": "LowCardinality(String)",
}
"""One row a value; ``position`` is its place in the sample, so that the same value never counts twice."""

MEDIANS: Mapping[str, str] = {
    "session": "String",
    "side": "LowCardinality(String)",
    "origin": "LowCardinality(String)",
    "started": "DateTime64(3, 'UTC')",
    "commit": "String",
    "stable": "Map(String, String)",
    "run_hash": "String",
    "scenario": "LowCardinality(String)",
    "metric": "LowCardinality(String)",
    "unit": "LowCardinality(String)",
    "better": "LowCardinality(String)",
    "kind": "LowCardinality(String)",
    "median": "Float64",
    "values": "UInt64",
}
"""One row a run and metric. Of the runs of one session and side a complete one counts, and then the newest."""


def _columns(types: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {kind}" for name, kind in types.items())


_LAYOUTS = (
    (
        "harness_runs",
        RUNS,
        f"""CREATE TABLE IF NOT EXISTS harness_runs ({_columns(RUNS)})
            ENGINE = ReplacingMergeTree(added) ORDER BY run_hash""",
    ),
    (
        "harness_samples",
        SAMPLES,
        f"""CREATE TABLE IF NOT EXISTS harness_samples ({_columns(SAMPLES)})
            ENGINE = ReplacingMergeTree ORDER BY (run_hash, scenario, metric, position)""",
    ),
    (
        "harness_medians",
        MEDIANS,
        """CREATE VIEW IF NOT EXISTS harness_medians AS
           SELECT r.session AS session, r.side AS side, r.origin AS origin, r.started AS started, r.commit AS commit,
                  r.stable AS stable, r.run_hash AS run_hash, s.scenario AS scenario, s.metric AS metric,
                  s.unit AS unit, s.better AS better, s.kind AS kind, s.median AS median, s.values AS values
           FROM (SELECT run_hash, scenario, metric, unit, better, kind, count() AS values,
                        if(kind = 'rate', avg(value), quantileExactInclusive(0.5)(value)) AS median
                 FROM harness_samples FINAL GROUP BY run_hash, scenario, metric, unit, better, kind) AS s
           INNER JOIN (SELECT * FROM harness_runs FINAL
                       ORDER BY state = 'complete' DESC, added DESC LIMIT 1 BY session, side) AS r
           ON s.run_hash = r.run_hash""",
    ),
)


def prepare(database: Database) -> None:
    """Create what is missing. Nothing is ever dropped: raises HarnessError (15) for tables of another layout."""
    for table, expected, statement in _LAYOUTS:
        database.run(statement)
        rows = database.rows(
            """SELECT name, type FROM system.columns
               WHERE database = currentDatabase() AND table = {table:String} ORDER BY position""",
            table=table,
        )
        if [tuple(row) for row in rows] != list(expected.items()):
            found = ", ".join(f"{row[0]} {row[1]}" for row in rows) or "no columns"
            message = f"history: the table {table} is of another version or not ours: found {shown(found)}"
            raise HarnessError(f"{message}; use another database", ExitCode.INTEGRITY)
