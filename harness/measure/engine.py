"""What a service says that it runs on."""

import json
from typing import Protocol

from harness.errors import HarnessError
from harness.measure.http import Response

_MOST = 80


class RunningClient(Protocol):
    """A client of a running service."""

    @property
    def url(self) -> str:
        """Where it is."""
        ...

    def get(self, path: str) -> Response:
        """GET ``path``."""
        ...


def engine(service: RunningClient, path: str) -> str:
    """What ``service`` answers at ``path``, as one line; the values, when it is a JSON object.

    Raises HarnessError when it does not answer 200.
    """
    answer = service.get(path)
    if answer.status != 200:
        raise HarnessError(f"{service.url}{path}: answered {answer.status}, allowed: 200")
    return describe(answer.body)


def describe(body: bytes) -> str:
    """``{"engine": "x", "version": "1.2"}`` is ``x 1.2``; any other text is its first 80 printable characters."""
    text = body.decode(errors="replace")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    if isinstance(document, dict):
        text = " ".join(str(value) for value in document.values() if isinstance(value, str | int | float))
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:_MOST]
