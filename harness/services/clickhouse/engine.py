"""The chdb engine: handles on it, and the pool of those that keep no state between requests."""

import json
import threading
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import chdb

from harness.services.clickhouse.failure import ClickHouseError, engine_failure
from harness.services.clickhouse.forms import ExternalTable
from harness.services.clickhouse.statements import identifier, literal

_IDLE_HANDLES = 32


@dataclass(frozen=True, slots=True)
class Profile:
    """What a request asks of its handle."""

    database: str = ""
    """Current database, ``""`` for the default one."""
    settings: tuple[tuple[str, str], ...] = ()
    """(name, value) sorted by name."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a statement did, in rows and bytes, as in the header X-ClickHouse-Summary."""

    read_rows: int = 0
    read_bytes: int = 0
    written_rows: int = 0
    written_bytes: int = 0
    result_rows: int = 0
    result_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Result:
    """The whole answer to one statement, in the format asked for."""

    body: bytes
    summary: Summary


class Handle:
    """One connection to the engine: settings, current database and temporary tables of its own.

    Used by one thread at a time. Every method raises ``ClickHouseError`` when the engine refuses.
    """

    def __init__(self, source: str) -> None:
        with _translated():
            self._connection: Any = chdb.connect(source)

    def query(self, sql: bytes | str, output_format: str, parameters: Mapping[str, str]) -> Result:
        """Run one statement to its end."""
        with _translated():
            result = self._connection.query(sql, output_format, params=dict(parameters))
        summary = Summary(
            result.storage_rows_read(),
            result.storage_bytes_read(),
            result.rows_written(),
            result.bytes_written(),
            result.rows_read(),
            result.bytes_read(),
        )
        return Result(result.bytes() or b"", summary)

    def stream(self, sql: bytes, output_format: str, parameters: Mapping[str, str]) -> Generator[bytes]:
        """Run a SELECT, giving out its answer block by block; closing the iterator cancels the query."""
        with _translated():
            result = self._connection.send_query(sql, output_format, params=dict(parameters))
            try:
                for block in result:
                    yield block.bytes()
            finally:
                result.close()

    def insert(self, statement: str, input_format: str, chunks: Iterable[bytes]) -> Summary:
        """Insert ``chunks`` as they come, in constant memory.

        When ``chunks`` raises, the insert is given up; as in a server, blocks that were already complete may stay.
        """
        with _translated():
            inserter = self._connection.send_insert(statement, input_format)
            try:
                for chunk in chunks:
                    if chunk:
                        inserter.append(chunk)
                done = inserter.finish()
            finally:
                inserter.cancel()  # does nothing after finish
        rows, size = done.rows_written, done.bytes_written
        return Summary(rows, size, rows, size, rows, size)

    def run(self, sql: str) -> None:
        """Run a statement that has no answer."""
        self.query(sql, "Null", {})

    def use(self, database: str) -> None:
        """Change the current database."""
        self.run(f"USE {identifier(database or 'default')}")

    def assign(self, settings: Mapping[str, str]) -> None:
        """Change settings, all or none; values are SQL literals or ``DEFAULT``, names are checked by the caller."""
        if settings:
            self.run("SET " + ", ".join(f"{name} = {value}" for name, value in settings.items()))

    def literals(self, names: Iterable[str]) -> dict[str, str]:
        """The current values of settings in the form that ``assign`` takes."""
        wanted = {"names": f"[{', '.join(map(literal, names))}]"}
        sql = """SELECT name, value, changed FROM system.settings WHERE name IN {names:Array(String)}
                 SETTINGS log_queries = 0"""
        rows = map(json.loads, self.query(sql, "JSONEachRow", wanted).body.splitlines())
        return {row["name"]: literal(row["value"]) if row["changed"] else "DEFAULT" for row in rows}

    def load(self, table: ExternalTable) -> None:
        """Create ``table`` as a temporary one."""
        name = identifier(table.name)
        self.run(f"CREATE OR REPLACE TEMPORARY TABLE {name} ({table.structure}) ENGINE = Memory")
        if table.data:
            self.insert(f"INSERT INTO {name}", table.format, [table.data])

    def unload(self, table: ExternalTable) -> None:
        """Drop what ``load`` created."""
        self.run(f"DROP TEMPORARY TABLE IF EXISTS {identifier(table.name)}")

    def close(self) -> None:
        """Give the connection back to the engine."""
        self._connection.close()


class Engine:
    """The engine of this process on one data folder; there can be only one."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._root = Handle(source)  # keeps the engine open while no request does
        self._idle: list[tuple[Profile, Handle]] = []  # least recently used first
        self._lock = threading.Lock()
        self.version = self._ask("SELECT version()")
        self.timezone = self._ask("SELECT timezone()")

    def create_database(self, name: str) -> None:
        """Create the database ``name`` unless it exists."""
        self._root.run(f"CREATE DATABASE IF NOT EXISTS {identifier(name)}")

    def open(self, profile: Profile) -> Handle:
        """A new handle; the caller closes it."""
        handle = Handle(self._source)
        try:
            # A server does not read `1 + 1` as a SELECT, the embedded engine does unless told.
            settings = {"implicit_select": "0"} | {name: literal(value) for name, value in profile.settings}
            handle.assign(settings)
            if profile.database:
                handle.use(profile.database)
        except ClickHouseError:
            handle.close()
            raise
        return handle

    @contextmanager
    def lease(self, profile: Profile, *, fresh: bool) -> Iterator[Handle]:
        """A handle for one request; ``fresh`` for one that no other request will ever see."""
        handle = self.open(profile) if fresh else self._take(profile) or self.open(profile)
        try:
            yield handle
        finally:
            retired = handle if fresh else self._give_back(profile, handle)
            if retired is not None:
                retired.close()

    def cancel_queries(self) -> None:
        """Tell every running query to stop; it fails with code 394."""
        self._root.run("KILL QUERY WHERE query_id != queryID() ASYNC")

    def close(self) -> None:
        """Close the engine. No request may be running."""
        with self._lock:
            idle, self._idle = self._idle, []
        for _, handle in idle:
            handle.close()
        self._root.close()

    def _ask(self, sql: str) -> str:
        return self._root.query(sql, "TSVRaw", {}).body.decode().strip()

    def _take(self, profile: Profile) -> Handle | None:
        with self._lock:
            for at in reversed(range(len(self._idle))):
                if self._idle[at][0] == profile:
                    return self._idle.pop(at)[1]
        return None

    def _give_back(self, profile: Profile, handle: Handle) -> Handle | None:
        """Keep ``handle`` for the next request; the handle that has to go for it, if any."""
        with self._lock:
            self._idle.append((profile, handle))
            return self._idle.pop(0)[1] if len(self._idle) > _IDLE_HANDLES else None


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:  # the class of all that the engine raises
        raise engine_failure(error) from error
