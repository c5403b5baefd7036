"""Text from the system under test, made harmless: one function for each place it is written to.

HTML has its own escaping (Jinja's, always on); ``visible`` comes before it.
"""

import hashlib
import re
import unicodedata

_JOINER = "\u2060"
"""Shows nothing and breaks nothing, but stops what looks for names, numbers and addresses in finished text."""
_MARKDOWN_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_MARKDOWN_SIGNS = re.compile(r"[\\`*\[\]|~$#!]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_MARKDOWN_LINKS = re.compile(r"@|#|://|(?i:www)(?=\.)|(?i:gh)(?=-\d)")
_COMMAND = re.compile(r"(?<!\S):(?=:)|#(?=#(?:vso)?\[)")
_COMMAND_LINE = re.compile(r"(?m)^((?:\x1b\[[\d;]*m|[^\S\n])*):(?=:)")


def visible(text: str) -> str:
    """``text`` on one line, with characters that cannot be seen as escapes such as ``\\x1b``.

    Those are control characters, direction marks, zero-width characters, and lone surrogates, so that the result can
    always be encoded as UTF-8.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or unicodedata.category(c) == "Zs" else _escaped(c) for c in text)


def terminal(text: str) -> str:
    """``text`` for a terminal or a build log: ``visible``, and no command of a build server."""
    return _COMMAND.sub(lambda match: f"\\x{ord(match[0]):02x}", visible(text))


def log_lines(text: str) -> str:
    """Finished output in which no line starts with ``::`` because a long word was broken there."""
    return _COMMAND_LINE.sub(r"\1\\x3a", text)


def markdown(text: str) -> str:
    """``text`` inside a line or table cell of GitHub-flavoured Markdown: no markup, mention, reference or link."""
    broken = _MARKDOWN_LINKS.sub(lambda match: f"{match[0][0]}{_JOINER}{match[0][1:]}", visible(text))
    return _MARKDOWN_SIGNS.sub(r"\\\g<0>", broken.translate(_MARKDOWN_ENTITIES))


def shorten(text: str, limit: int = 120) -> str:
    """``text`` of at most ``limit`` characters; a cut one ends with an ellipsis and a hash of the whole."""
    if len(text) <= limit:
        return text
    digest = hashlib.sha256(text.encode(errors="backslashreplace")).hexdigest()
    return f"{text[: limit - 9]}…{digest[:8]}"


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
