"""Just enough HTTP/1.1: requests read within bounds, responses rendered to bytes."""

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus

HEAD_LIMIT = 16 * 1024
"""Bytes of request line and headers together."""
BODY_LIMIT = 1024 * 1024
"""Bytes of a request body."""

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""What a method and a header name may consist of (RFC 9110, section 5.6.2)."""
_LENGTH = re.compile(r"[0-9]{1,18}")


class BadRequest(Exception):
    """A request that cannot be understood; the connection ends after ``status`` and this text."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Request:
    """One request. ``path`` is without the query, names of ``headers`` are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    keep_alive: bool
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    """One response, not yet rendered."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()

    def head(self, *, keep_alive: bool) -> bytes:
        """Status line and headers, the empty line included."""
        lines = [
            f"HTTP/1.1 {self.status} {_phrase(self.status)}",
            f"Content-Type: {self.content_type}",
            f"Content-Length: {len(self.body)}",
            *(f"{name}: {value}" for name, value in self.headers),
            *([] if keep_alive else ["Connection: close"]),
        ]
        return "\r\n".join([*lines, "", ""]).encode("ascii")


async def read_request(reader: asyncio.StreamReader, go_on: Callable[[], None]) -> Request | None:
    """The next request, or None at the end of the connection.

    ``reader`` must have been made with the limit ``HEAD_LIMIT``. ``go_on`` is called when the client waits for
    permission before it sends the body. Raises ``BadRequest``, and what the connection raises when it breaks.
    """
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError:
        raise BadRequest(431, f"the head is larger than {HEAD_LIMIT} bytes") from None
    except asyncio.IncompleteReadError as error:
        if not error.partial:
            return None
        raise BadRequest(400, "the request ends inside its head") from None
    request = parse_head(head)
    length = body_length(request.headers)
    if request.headers.get("expect", "").lower() == "100-continue":
        go_on()
    try:
        return replace(request, body=await reader.readexactly(length))
    except asyncio.IncompleteReadError:
        raise BadRequest(400, "the request ends inside its body") from None


def parse_head(head: bytes) -> Request:
    """Request line and headers; ``BadRequest`` if they are malformed."""
    first, *lines = head.removesuffix(b"\r\n\r\n").decode("latin-1").split("\r\n")
    method, target, version = _request_line(first)
    headers = _headers(lines)
    keep_alive = version == "HTTP/1.1" and "close" not in headers.get("connection", "").lower()
    return Request(method, target.partition("?")[0], headers, keep_alive)


def body_length(headers: Mapping[str, str]) -> int:
    """How many bytes of body follow the head; ``BadRequest`` if that is too many or cannot be known."""
    if "transfer-encoding" in headers:
        raise BadRequest(411, "chunked request bodies are not supported: send Content-Length")
    text = headers.get("content-length", "0")
    if not _LENGTH.fullmatch(text):
        raise BadRequest(400, "malformed Content-Length")
    if int(text) > BODY_LIMIT:
        raise BadRequest(413, f"the body is larger than {BODY_LIMIT} bytes")
    return int(text)


def _request_line(line: str) -> tuple[str, str, str]:
    match line.split(" "):
        case [method, target, "HTTP/1.1" | "HTTP/1.0" as version] if _TOKEN.fullmatch(method) and target[:1] == "/":
            return method, target, version
        case _:
            raise BadRequest(400, "malformed request line: expected METHOD /path HTTP/1.1")


def _headers(lines: list[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not _TOKEN.fullmatch(name):
            raise BadRequest(400, "malformed header: expected Name: value")
        key, value = name.lower(), value.strip(" \t")
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    return headers


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
