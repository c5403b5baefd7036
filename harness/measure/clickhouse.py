"""Statements on a variant's own ClickHouse, past the backend: to fill a table, or to compare with."""

from urllib.parse import urlencode

from harness.errors import HarnessError
from harness.measure.service import RunningService


def run(service: RunningService, sql: str) -> str:
    """Run one statement as the user and in the database that ``service`` was started with (``CLICKHOUSE_USER``,
    ``CLICKHOUSE_PASSWORD``, ``CLICKHOUSE_DB``, as the official image calls them); its answer, tab-separated.

    Raises HarnessError with ClickHouse's own words when it refuses.
    """
    of = service.settings.get
    headers = {
        "X-ClickHouse-User": of("CLICKHOUSE_USER") or "default",
        "X-ClickHouse-Key": of("CLICKHOUSE_PASSWORD", ""),
    }
    path = "/?" + urlencode({"database": of("CLICKHOUSE_DB") or "default"})
    answer = service.request("POST", path, sql.encode(), headers=headers)
    if answer.status != 200:
        raise HarnessError(f"{service.name} refused a statement: {answer.text[:500].strip()}")
    return answer.text
