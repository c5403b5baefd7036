"""From the parts of a request to one command: the statement from URL, body or form, the values, the data."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from harness.services.clickhouse import statements
from harness.services.clickhouse.compression import decompressed
from harness.services.clickhouse.forms import ExternalTable, read_form

_HEAD_BYTES = 64 * 1024
"""An INSERT whose data do not begin within this is read whole instead of as a stream."""
_VALUE = "param_"


@dataclass(frozen=True, slots=True)
class Command:
    """One statement to run."""

    keyword: str
    sql: bytes
    """The statement; of an INSERT with ``data`` without its FORMAT clause."""
    format: str | None
    """Of the answer, or of ``data``; None when the statement does not say."""
    data: Iterator[bytes] | None
    """The rows of an INSERT as they arrive."""
    values: Mapping[str, str]
    """Of the statement's placeholders: ``{name:Type}``."""
    parameters: Mapping[str, str]
    """All others of the request."""
    tables: tuple[ExternalTable, ...] = ()


def read_command(parameters: Mapping[str, str], headers: Mapping[str, str], body: Iterator[bytes]) -> Command:
    """Read as much of ``body`` as belongs to the statement: all of it, except for the data of an INSERT.

    Raises ``ClickHouseError`` for a body or statement that a server refuses before it runs anything.
    """
    chunks = decompressed(body, headers.get("content-encoding", "").strip().lower())
    content_type = headers.get("content-type", "")
    if content_type.lower().startswith("multipart/form-data"):
        form = read_form(content_type, b"".join(chunks), parameters)
        return _whole(form.query, form.parameters, form.tables)
    query = parameters.get("query", "").encode(errors="surrogateescape")
    sql = query + b"\n" if query else b""
    while len(sql) < _HEAD_BYTES and (chunk := next(chunks, None)) is not None:
        sql += chunk
    head = statements.find_insert_data(sql) if statements.first_keyword(sql) == "INSERT" else None
    if head is None:
        return _whole(sql + b"".join(chunks), parameters)
    values, others = _split(parameters)
    data = _chain(sql[head.data_at :], chunks)
    return Command("INSERT", head.statement.encode(), head.format, data, values, others)


def _whole(sql: bytes, parameters: Mapping[str, str], tables: tuple[ExternalTable, ...] = ()) -> Command:
    values, others = _split(parameters)
    if statements.first_keyword(sql) == "INSERT":  # its rows may be megabytes of SQL: left to the engine
        return Command("INSERT", sql, None, None, values, others, tables)
    statement = statements.parse(sql)
    return Command(statement.keyword, sql, statement.format, None, values, others, tables)


def _split(parameters: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """(values of placeholders, the other parameters)."""
    values = {name.removeprefix(_VALUE): value for name, value in parameters.items() if name.startswith(_VALUE)}
    return values, {name: value for name, value in parameters.items() if not name.startswith(_VALUE)}


def _chain(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest
