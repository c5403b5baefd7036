"""Kinds of errors: which lines of a log tell of one, and what of a message is the same each time. Pure.

Everything here comes from the system under test: a kind is printable and bounded, whatever was said.
"""

import json
import re

COMMON = (
    r"^[\s\d.,:TZ+/\[\]-]*(?:\[[^\]]{0,60}\]\s*)?(?:ERROR|CRITICAL|FATAL|SEVERE)\b"  # 12:00:01 [main] ERROR, ERROR:
    r"|\|\s*(?:ERROR|CRITICAL|FATAL)\s*\|"
    r"|\s-\s(?:ERROR|CRITICAL|FATAL)\s-\s"
    r"|\[\s*(?i:error|crit|critical|fatal|alert|emerg|panic)\s*\]"
    r"|<(?:Error|Critical|Fatal)>"
    r"|\b(?i:level|lvl|levelname|severity)\"?\s*[=:]\s*\"?(?i:error|critical|crit|fatal|panic|alert|emergency)\b"
    r"|\"level\":\s?[56]0\b"  # pino
    r"|^[EF]\d{4}\s\d\d:\d\d:\d\d"  # glog
)
"""How common formats of log lines say that a line is of level error or above, as a regular expression."""
_WORDS = ("error", "crit", "fatal", "severe", "panic", "alert", "emerg", '":50', '":60', '": 50', '": 60')
"""None of them in a line, in lower case: ``COMMON`` finds nothing in it either, glog's lines apart. So it is with
nearly all lines, and looking for words takes a tenth of the time."""
LONGEST = 160
"""Characters of a kind."""
_READ = 2000
"""Characters of a line that are looked at."""
_TRACEBACK = "Traceback (most recent call last):"
_CHAINED = ("During handling of the above exception", "The above exception was the direct cause")
_EXCEPTION = re.compile(r"[A-Za-z_][\w.]*(?::\s|$)")
_MESSAGE_KEYS = ("message", "msg", "event", "error", "detail")
_FORMS = (
    (re.compile(r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b"), "<id>"),
    (re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s\"'<>),;]+"), "<address>"),
    (re.compile(r"(?P<quote>[\"'])(?:[A-Za-z]:\\|\.{0,2}/)[^\"']*(?P=quote)"), "<path>"),
    (re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b"), "<address>"),
    (re.compile(r"\b(?:0[xX][0-9a-fA-F]+|(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{8,})\b"), "<hex>"),
    (re.compile(r"\d+(?:[.,:T/-]?\d+)*"), "<n>"),
)


def kind_of(text: str) -> str:
    """``text`` on one line, without what differs from case to case: numbers and times become ``<n>``, UUIDs ``<id>``,
    hexadecimal numbers ``<hex>``, quoted paths ``<path>``, addresses ``<address>``; cut to ``LONGEST``. What is a kind
    already stays as it is."""
    kind = " ".join(text[:_READ].split())
    kind = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in kind)
    before = ""
    while kind != before:  # what was put in, or a cut, may make something else readable: until nothing is
        before = kind
        for pattern, form in _FORMS:
            kind = pattern.sub(form, kind)
        kind = kind if len(kind) <= LONGEST else kind[: LONGEST - 1] + "…"
    return kind or "(no text)"


def told_by(body: str) -> str:
    """What an error answer says: the message of a JSON object, else its first line."""
    first = next((line for line in body[: 4 * _READ].splitlines() if line.strip()), "")
    return _message_in(body[: 4 * _READ]) or first


class ErrorLines:
    """Finds the errors among the lines of one process, in order.

    A traceback is one error: of the line that came with it, or else of the exception it ends with; of several that
    caused each other, of the first.
    """

    def __init__(self, pattern: re.Pattern[str]) -> None:
        """``pattern`` is searched for in a line: found means that it is an error."""
        self._pattern = pattern
        self._words = _WORDS if pattern.pattern == COMMON else ()
        self._inside = False
        """In a traceback."""
        self._told = False
        """What comes with the next traceback is counted already."""
        self._ended = False
        """A traceback has just ended; another that it caused may follow."""

    def message(self, line: str) -> str | None:
        """What the error says that this line completes; None when it completes none."""
        whole, line = line, line[:_READ]
        if _TRACEBACK in line and "\\n" in whole:  # all of it on this line, escaped
            self._told = self._ended = False
            return _message_in(whole) or whole.replace("\\n", "\n").strip().rpartition("\n")[2]
        if _TRACEBACK in line:
            told, self._inside = self._told, True
            if told or not self._level(line):
                return None
            self._told = True
            return self._after_level(line)
        if self._inside:
            if not line.strip() or line[:1].isspace():
                return None
            told, self._inside, self._told, self._ended = self._told, False, False, True
            return None if told else line if _EXCEPTION.match(line) else _TRACEBACK
        if not line.strip():
            return None
        if self._ended and line.startswith(_CHAINED):
            self._told = True
            return None
        self._told, self._ended = self._level(line) is not None, False
        return self._after_level(line) if self._told else None

    def _level(self, line: str) -> re.Match[str] | None:
        if self._words and not line.startswith(("E", "F")):
            lower = line.lower()
            if not any(map(lower.__contains__, self._words)):
                return None
        return self._pattern.search(line)

    def _after_level(self, line: str) -> str:
        """The text after the level; before it, where nothing comes after."""
        if message := _message_in(line):
            return message
        found = self._pattern.search(line)
        assert found is not None, "only asked of lines that have one"
        return line[found.end() :].strip(" \t|:-]>\"'},") or line[: found.start()].strip(" \t|:-[<{\"'") or line


def _message_in(text: str) -> str:
    """The message of a JSON object; empty when it is none, or has none."""
    if not text.lstrip().startswith("{"):
        return ""
    try:
        members = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    texts = (members.get(key) for key in _MESSAGE_KEYS)
    return next((text for text in texts if isinstance(text, str) and text.strip()), "")
