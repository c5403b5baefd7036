"""Errors as ClickHouse reports them: a numeric code, a text, an HTTP status."""

import re

UNKNOWN_EXCEPTION = 1002

_NAMES = {
    36: "BAD_ARGUMENTS",
    48: "NOT_IMPLEMENTED",
    62: "SYNTAX_ERROR",
    115: "UNKNOWN_SETTING",
    164: "READONLY",
    271: "CANNOT_DECOMPRESS",
    358: "INTO_OUTFILE_NOT_ALLOWED",
    372: "SESSION_NOT_FOUND",
    373: "SESSION_IS_LOCKED",
    374: "INVALID_SESSION_TIMEOUT",
    516: "AUTHENTICATION_FAILED",
    UNKNOWN_EXCEPTION: "UNKNOWN_EXCEPTION",
}
"""Names of the codes that this front raises itself; the engine's texts carry their own."""

# The server's own mapping (src/Server/HTTP/exceptionCodeToHTTPStatus.cpp); everything else is 500.
_BAD_REQUEST = (6, 8, 15, 25, 26, 27, 36, 37, 38, 41, 44, 53, 62, 72, 117, 123, 167, 168, 223, 321)
_BAD_REQUEST_TOO = (376, 427, 441, 675, 676)
_NOT_FOUND = (46, 47, 50, 56, 60, 63, 73, 78, 81, 115, 152, 336, 511)
_STATUS = {
    **dict.fromkeys(_BAD_REQUEST + _BAD_REQUEST_TOO, 400),
    **dict.fromkeys(_NOT_FOUND, 404),
    **dict.fromkeys((192, 193, 497, 512, 516), 403),
    48: 501,
    76: 503,
    159: 408,
    194: 401,
    209: 503,
    229: 413,
    381: 411,
    439: 503,
}
_CODE = re.compile(r"Code:\s*(\d+)")


class ClickHouseError(Exception):
    """A request failed: ``code`` is ClickHouse's, the text is what a client is shown."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code

    @property
    def status(self) -> int:
        """The HTTP status a ClickHouse server answers with."""
        return _STATUS.get(self.code, 500)

    def describe(self, version: str) -> str:
        """The text of the answer: as the server writes it, with the engine's ``version`` at the end."""
        text = str(self).rstrip()
        return f"{text}\n" if "(version " in text else f"{text} (version {version})\n"


def failure(code: int, message: str) -> ClickHouseError:
    """An error of this front, in the words of a server: ``Code: 373. DB::Exception: … (SESSION_IS_LOCKED)``."""
    return ClickHouseError(code, f"Code: {code}. DB::Exception: {message} ({_NAMES[code]})")


def engine_failure(error: RuntimeError) -> ClickHouseError:
    """What the engine raised; a text without a code gets 1002, as in the server."""
    text = str(error)
    found = _CODE.search(text)
    if found is None:
        return failure(UNKNOWN_EXCEPTION, text)
    return ClickHouseError(int(found[1]), text[found.start() :])  # drops what the binding put in front
