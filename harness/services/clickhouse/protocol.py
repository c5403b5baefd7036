"""ClickHouse's HTTP interface without the sockets: a request in, a response out."""

import base64
import binascii
import hmac
import json
import re
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict, dataclass, field

from harness.services.clickhouse import compression, statements
from harness.services.clickhouse.command import Command, read_command
from harness.services.clickhouse.engine import Engine, Handle, Profile, Summary
from harness.services.clickhouse.failure import ClickHouseError, failure
from harness.services.clickhouse.sessions import Sessions

_TRANSPORT = frozenset(
    {
        *("query", "database", "default_format", "query_id", "quota_key", "user", "password"),
        *("session_id", "session_timeout", "session_check"),
        *("buffer_size", "wait_end_of_query", "enable_http_compression", "http_zlib_compression_level"),
        *("send_progress_in_http_headers", "http_headers_progress_interval_ms"),
        *("cancel_http_readonly_queries_on_client_close", "http_write_exception_in_output_format"),
        *("add_http_cors_header", "client_protocol_version", "stacktrace"),
    }
)
"""Parameters of the request itself; the others are settings of the query, or ``param_…`` values."""
_REFUSED = {
    "compress": "compress=1 is not supported, use Accept-Encoding.",
    "decompress": "decompress=1 is not supported, use Content-Encoding.",
    "role": "Roles are not supported by the embedded server.",
}
_STREAMED = frozenset({"Native", "TabSeparated", "TSV", "CSV", "RowBinary", "JSONEachRow"})
"""Formats whose blocks, one behind the other, are the whole answer."""
_DEFAULT_SESSION_SECONDS, _LONGEST_SESSION_SECONDS = 60.0, 3600.0
_TEXT = "text/plain; charset=UTF-8"
_SETTING_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request."""

    method: str
    path: str
    parameters: Mapping[str, str]
    headers: Mapping[str, str]
    """Names in lower case."""
    body: Iterator[bytes]
    """Pieces of the body as they arrive, as they were sent."""


@dataclass(frozen=True, slots=True)
class Response:
    """One HTTP response. Header values may hold text of a client and are not safe to send as they are."""

    status: int
    headers: Mapping[str, str]
    body: bytes | Iterator[bytes]
    """Bytes, or pieces as they are computed."""
    close: Callable[[], object] = field(default=lambda: None)
    """Has to be called when the body was sent, or could not be."""


class Front:
    """Answers requests with the engine."""

    def __init__(self, engine: Engine, users: Mapping[str, str]) -> None:
        self._engine = engine
        self._users = users
        self._sessions = Sessions(lambda: engine.open(Profile()))

    def answer(self, request: Request) -> Response:
        """The response to ``request``. Whatever ClickHouse has an error code for becomes a response too."""
        query_id = request.parameters.get("query_id") or str(uuid.uuid4())
        try:
            return self._route(request, query_id)
        except ClickHouseError as error:
            headers = self._headers(query_id) | {"X-ClickHouse-Exception-Code": str(error.code), "Content-Type": _TEXT}
            return Response(error.status, headers, error.describe(self._engine.version).encode(errors="replace"))

    def close(self) -> None:
        """Drop all sessions. No request may be running."""
        self._sessions.close()

    def _route(self, request: Request, query_id: str) -> Response:
        reading = request.method in ("GET", "HEAD")
        match request.path:
            case "/ping" | "/replicas_status":
                return _plain(200, "Ok.\n")
            case "/engine" if reading:
                about = {"engine": "chdb-http", "version": self._engine.version}
                return Response(200, {"Content-Type": "application/json"}, json.dumps(about).encode() + b"\n")
            case "/" if reading and "query" not in request.parameters:
                return _plain(200, "Ok.\n")
        self._authenticate(request)
        if request.path != "/":
            return _plain(404, "There is no such handler; queries go to /\n")
        for name, reason in _REFUSED.items():
            if request.parameters.get(name, "0") not in ("0", ""):
                raise failure(48, reason)
        command = read_command(request.parameters, request.headers, request.body)
        if reading and command.keyword not in statements.READING:
            raise failure(164, "Cannot execute query in readonly mode: a GET request may only read, use POST.")
        return self._execute(command, request.headers, query_id)

    def _authenticate(self, request: Request) -> None:
        user, password = _credentials(request)
        expected = self._users.get(user)
        if expected is None or not hmac.compare_digest(expected.encode(), password.encode(errors="replace")):
            raise failure(
                516, f"{user}: Authentication failed: password is incorrect, or there is no user with such name."
            )

    def _execute(self, command: Command, request_headers: Mapping[str, str], query_id: str) -> Response:
        started = time.perf_counter_ns()
        with ExitStack() as stack:
            handle = stack.enter_context(self._lease(command, request_headers))
            for table in command.tables:
                handle.load(table)
                stack.callback(handle.unload, table)
            if command.data is not None:
                handle.assign({f"param_{name}": statements.literal(value) for name, value in command.values.items()})
                summary = handle.insert(command.sql.decode(errors="replace"), command.format or "", command.data)
                return Response(200, self._headers(query_id) | _summary_header(summary, started), b"")
            output_format = command.format or _default_format(command.parameters, request_headers)
            headers = self._headers(query_id) | {"Content-Type": content_type(output_format)}
            if command.keyword in statements.RESULTS:
                headers["X-ClickHouse-Format"] = output_format
            encoding = _encoding(command.parameters, request_headers)
            if encoding:
                headers["Content-Encoding"] = encoding
            if _streamed(command, output_format):
                return self._stream(handle, command, output_format, headers, stack)
            result = handle.query(command.sql, output_format, command.values)
            body = b"".join(compression.compressed([result.body], encoding)) if encoding else result.body
            return Response(200, headers | _summary_header(result.summary, started), body)

    def _stream(
        self, handle: Handle, command: Command, output_format: str, headers: dict[str, str], stack: ExitStack
    ) -> Response:
        blocks = handle.stream(command.sql, output_format, command.values)
        stack.callback(blocks.close)
        first = next(blocks, b"")  # an error before the first block is still an error with a status
        tag = uuid.uuid4().hex[:16]
        body = self._with_late_errors(first, blocks, tag)
        encoding = headers.get("Content-Encoding")
        if encoding:
            body = compression.compressed(body, encoding)
        return Response(200, headers | {"X-ClickHouse-Exception-Tag": tag}, body, stack.pop_all().close)

    def _with_late_errors(self, first: bytes, blocks: Iterator[bytes], tag: str) -> Iterator[bytes]:
        """The blocks; an error among them is framed at the end of the body, where clients look for the ``tag``."""
        try:
            if first:
                yield first
            yield from blocks
        except ClickHouseError as error:
            text = error.describe(self._engine.version).encode(errors="replace")
            mark, end = b"\r\n__exception__\r\n", tag.encode()
            yield mark + end + b"\r\n" + text + b"%d " % len(text) + end + mark

    def _lease(self, command: Command, headers: Mapping[str, str]) -> AbstractContextManager[Handle]:
        parameters = command.parameters
        database = parameters.get("database") or headers.get("x-clickhouse-database", "")
        profile = Profile(database, _settings(parameters))
        session_id = parameters.get("session_id")
        if session_id:
            return self._sessions.lease(
                session_id,
                profile,
                timeout=_session_seconds(parameters),
                must_exist=parameters.get("session_check") == "1",
                customises=command.keyword == "SET",
            )
        changes_handle = command.keyword in statements.STICKY or bool(command.tables)
        binds_insert = command.data is not None and bool(command.values)
        return self._engine.lease(profile, fresh=changes_handle or binds_insert)

    def _headers(self, query_id: str) -> dict[str, str]:
        return {
            "X-ClickHouse-Server-Display-Name": "chdb",
            "X-ClickHouse-Query-Id": query_id,
            "X-ClickHouse-Timezone": self._engine.timezone,
            "Cache-Control": "no-store",
        }


def content_type(output_format: str) -> str:
    """The media type of an answer in a ClickHouse format."""
    if output_format.startswith("CSV"):
        return "text/csv; charset=UTF-8"
    if output_format.startswith("JSON"):
        return f"application/{'x-ndjson' if 'EachRow' in output_format else 'json'}; charset=UTF-8"
    if output_format.startswith(("TSV", "TabSeparated")):
        return "text/tab-separated-values; charset=UTF-8"
    if output_format.startswith(("Pretty", "Vertical", "Values", "Markdown", "XML")):
        return _TEXT
    return "application/octet-stream"


def _plain(status: int, text: str) -> Response:
    return Response(status, {"Content-Type": _TEXT}, text.encode())


def _credentials(request: Request) -> tuple[str, str]:
    """(user, password) from the Authorization header, ClickHouse's own headers, or the URL, in this order."""
    kind, _, encoded = request.headers.get("authorization", "").partition(" ")
    if kind.lower() == "basic":
        try:
            user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError) as error:
            raise failure(516, "The Authorization header is no valid Basic authentication.") from error
        return user or "default", password
    headers, parameters = request.headers, request.parameters
    user = headers.get("x-clickhouse-user") or parameters.get("user") or "default"
    return user, headers.get("x-clickhouse-key") or parameters.get("password") or ""


def _settings(parameters: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    settings = {name: value for name, value in parameters.items() if name not in _TRANSPORT and name not in _REFUSED}
    for name in settings:
        if not _SETTING_NAME.fullmatch(name):  # names cannot be quoted in SQL
            raise failure(115, f"Unknown setting {name!r}.")
    return tuple(sorted(settings.items()))


def _session_seconds(parameters: Mapping[str, str]) -> float:
    asked = parameters.get("session_timeout", "")
    if not asked:
        return _DEFAULT_SESSION_SECONDS
    if not re.fullmatch(r"[0-9]{1,9}", asked):
        raise failure(374, f"Invalid session timeout: {asked!r}.")
    return min(float(asked), _LONGEST_SESSION_SECONDS)


def _default_format(parameters: Mapping[str, str], headers: Mapping[str, str]) -> str:
    return parameters.get("default_format") or headers.get("x-clickhouse-format") or "TabSeparated"


def _encoding(parameters: Mapping[str, str], headers: Mapping[str, str]) -> str | None:
    if parameters.get("enable_http_compression", "1") == "0":
        return None
    return compression.choose(headers.get("accept-encoding", ""))


def _streamed(command: Command, output_format: str) -> bool:
    waits = command.parameters.get("wait_end_of_query") == "1"
    return command.keyword in ("SELECT", "WITH", "FROM") and output_format in _STREAMED and not waits


def _summary_header(summary: Summary, started_ns: int) -> dict[str, str]:
    numbers = asdict(summary) | {
        "total_rows_to_read": summary.read_rows,
        "elapsed_ns": time.perf_counter_ns() - started_ns,
    }
    return {"X-ClickHouse-Summary": json.dumps({name: str(number) for name, number in numbers.items()})}
