"""As much SQL as the front has to understand: the first keyword, the FORMAT clause, where an INSERT's data begin."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from harness.services.clickhouse.failure import failure

RESULTS = frozenset(
    {"SELECT", "WITH", "FROM", "VALUES", "SHOW", "DESCRIBE", "DESC", "EXISTS", "EXPLAIN", "CHECK", "KILL", "CALL"}
)
"""Statements that answer with rows."""
READING = RESULTS - {"KILL", "CALL"} | {"SET", "USE"}
"""Statements that a GET request may run, as in a server (``readonly=2``)."""
STICKY = frozenset({"SET", "USE", "CREATE", "DROP"})
"""Statements that leave something on the connection: settings, the current database, temporary tables."""

_TOKEN = re.compile(
    rb"""
      (?P<comment> --[^\n]* | \#[ !][^\n]* | /\*.*?\*/ )
    | (?P<quoted>  '(?:\\.|''|[^'\\])*' | "(?:\\.|""|[^"\\])*" | `(?:\\.|``|[^`\\])*` )
    | (?P<heredoc> \$(?P<tag>\w*)\$.*?\$(?P=tag)\$ )
    | (?P<word>    [A-Za-z_]\w* )
    | (?P<other>   [^'"`$\#/();A-Za-z_-]+ | . )
    """,
    re.DOTALL | re.VERBOSE,
)
_DEPTH = {b"(": 1, b")": -1}
_DATA_FORMAT = re.compile(rb"\s+(\w+)[ \t]*;?(?:\r?\n|\s|$)")


@dataclass(frozen=True, slots=True)
class Statement:
    """What was found out about one statement."""

    keyword: str
    """The first word in upper case, ``""`` when there is none."""
    format: str | None
    """The name in its FORMAT clause."""


@dataclass(frozen=True, slots=True)
class InsertHead:
    """An INSERT whose data follow its FORMAT clause."""

    statement: str
    """Without the FORMAT clause."""
    format: str
    data_at: int
    """Offset of the first byte of data."""


def first_keyword(sql: bytes) -> str:
    """The first word of ``sql`` in upper case, behind comments and opening brackets; ``""`` when there is none."""
    for token in _tokens(sql):
        if token.lastgroup == "word":
            return token[0].decode().upper()
        if token[0] != b"(":
            break
    return ""


def parse(sql: bytes) -> Statement:
    """Describe one whole statement.

    Raises ``ClickHouseError`` where a server does but the engine does not: nothing to run (62), several statements
    (62), INTO OUTFILE (358).
    """
    words: list[bytes] = []  # outside brackets; every other token as b""
    depth, ended = 0, False
    for token in _tokens(sql):
        if ended:
            raise failure(
                62, f"Syntax error (Multi-statements are not allowed): failed at position {token.start() + 1}."
            )
        depth += _DEPTH.get(token[0], 0)
        ended = token[0] == b";"
        if not ended:
            words.append(token[0] if token.lastgroup == "word" and depth == 0 else b"")
            if [word.upper() for word in words[-2:]] == [b"INTO", b"OUTFILE"]:
                raise failure(358, "INTO OUTFILE is not allowed.")
    keyword = first_keyword(sql)
    if not keyword:
        raise failure(62, "Syntax error: Empty query.")
    return Statement(keyword, _format_clause(words))


def find_insert_data(sql: bytes) -> InsertHead | None:
    """Where the data of an INSERT begin, or None when they are no stream (VALUES, SELECT, no FORMAT clause yet)."""
    depth = 0
    for token in _tokens(sql):
        depth += _DEPTH.get(token[0], 0)
        if depth or token.lastgroup != "word":
            continue
        word = token[0].upper()
        if word in (b"SELECT", b"WITH", b"VALUES"):
            return None
        if word == b"FORMAT":
            found = _DATA_FORMAT.match(sql, token.end())
            if found is None or found[1].upper() == b"VALUES":
                return None
            return InsertHead(sql[: token.start()].decode(errors="replace"), found[1].decode(), found.end())
    return None


def literal(value: str) -> str:
    """``value`` as a SQL string."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def identifier(name: str) -> str:
    """``name`` as a quoted SQL identifier."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def _tokens(sql: bytes) -> Iterator[re.Match[bytes]]:
    """All but comments and space; numbers are joined with what is around them, because there may be a million."""
    return (token for token in _TOKEN.finditer(sql) if token.lastgroup != "comment" and not token[0].isspace())


def _format_clause(words: list[bytes]) -> str | None:
    """The name behind the last FORMAT, if nothing but SETTINGS follows: ``format`` may also be the name of a column."""
    upper = [word.upper() for word in words]
    for at in range(len(words) - 2, 0, -1):
        if upper[at] == b"FORMAT" and upper[at + 1] not in (b"", b"ASC", b"DESC"):
            return words[at + 1].decode() if upper[at + 2 : at + 3] in ([], [b"SETTINGS"]) else None
    return None
