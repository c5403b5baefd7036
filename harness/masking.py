"""Secrets stay out of what is written: journals, run files, reports."""

import hashlib
import re
from collections.abc import Mapping

MASK = "•••"

_SECRET_KEY = re.compile(r"PASSWORD|SECRET|TOKEN|KEY", re.IGNORECASE)
_PLACEHOLDER = re.compile(r"\{[\w.-]+\}")
_SECRET_IN_TEXT = (
    (re.compile(r"(://)[^/@\s]+@"), rf"\1{MASK}@"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}"), rf"\1 {MASK}"),
    (re.compile(r"(?i)\b(\w*(?:password|secret|token|api_?key)\w*[\"']?\s*[=:]\s*)[^\s&,;]+"), rf"\1{MASK}"),
)


def mask(settings: Mapping[str, str]) -> dict[str, str]:
    """``settings`` without secrets: the values of keys that look like one, and what ``redact`` finds in the others.

    A masked value ends with four digits of its hash, so that a changed secret shows as a change. A placeholder such as
    ``{secret}`` is no secret yet and stays; so does what was masked before.
    """
    return {key: _masked(value) if _SECRET_KEY.search(key) else redact(value) for key, value in settings.items()}


def _masked(value: str) -> str:
    if not value or value.startswith(MASK) or _PLACEHOLDER.fullmatch(value):
        return value
    return f"{MASK} {hashlib.sha256(value.encode(errors='backslashreplace')).hexdigest()[:4]}"


def redact(text: str) -> str:
    """``text`` without credentials in addresses, ``Bearer`` headers and ``password=...`` pairs."""
    for pattern, replacement in _SECRET_IN_TEXT:
        text = pattern.sub(replacement, text)
    return text
