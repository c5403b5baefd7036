"""Multipart forms: how clients send long queries, many parameters, and external tables."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesHeaderParser

from harness.services.clickhouse.failure import failure


@dataclass(frozen=True, slots=True)
class ExternalTable:
    """A table that lives as long as the query it came with."""

    name: str
    structure: str
    """Column definitions as in CREATE TABLE, without the brackets."""
    format: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Form:
    """A form taken apart."""

    parameters: Mapping[str, str]
    """The request's parameters, those of the form included and those that describe its tables removed."""
    query: bytes
    """Kept as bytes: a query may hold any."""
    tables: tuple[ExternalTable, ...]


@dataclass(frozen=True, slots=True)
class _Part:
    name: str
    is_file: bool
    content: bytes


def read_form(content_type: str, body: bytes, parameters: Mapping[str, str]) -> Form:
    """Take the multipart ``body`` apart; ``parameters`` are those of the URL.

    Raises ``ClickHouseError`` 36 when it is no form, or when a table comes without the structure of its columns.
    """
    parts = list(_parts(content_type, body))
    fields = {part.name: part.content for part in parts if not part.is_file}
    query = fields.pop("query", parameters.get("query", "").encode())
    merged = dict(parameters) | {name: value.decode(errors="replace") for name, value in fields.items()}
    tables = tuple(_table(part, merged) for part in parts if part.is_file)
    return Form(merged, query, tables)


def _table(part: _Part, parameters: dict[str, str]) -> ExternalTable:
    structure = parameters.pop(f"{part.name}_structure", "")
    types = parameters.pop(f"{part.name}_types", "")
    if not structure and types:
        structure = ", ".join(f"_{number} {kind}" for number, kind in enumerate(types.split(","), 1))
    if not structure:
        raise failure(36, f"The external table {part.name!r} needs {part.name}_structure or {part.name}_types.")
    return ExternalTable(part.name, structure, parameters.pop(f"{part.name}_format", "TabSeparated"), part.content)


def _parts(content_type: str, body: bytes) -> Iterator[_Part]:
    """Cut by hand: the standard library's parser is made for mail and does not promise to keep binary content."""
    declared = Message()
    declared["Content-Type"] = re.sub(r"[\r\n]", " ", content_type)
    boundary = declared.get_param("boundary")
    if not isinstance(boundary, str) or not boundary:
        raise failure(36, "A multipart form needs a boundary in its Content-Type.")
    sections = (b"\r\n" + body).split(b"\r\n--" + boundary.encode())
    if len(sections) < 2 or not sections[-1].startswith(b"--"):
        raise failure(36, "The multipart form has no end.")
    for section in sections[1:-1]:
        head, _, content = section.partition(b"\r\n\r\n")
        headers = BytesHeaderParser().parsebytes(head.lstrip())
        name = headers.get_param("name", header="content-disposition")
        if not isinstance(name, str):
            raise failure(36, "A part of the multipart form has no name.")
        is_file = headers.get_param("filename", header="content-disposition") is not None
        yield _Part(name, is_file, content)
