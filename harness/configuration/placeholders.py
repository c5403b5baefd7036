"""``{port}`` and ``{clickhouse.url}`` in commands and settings."""

import re
from collections.abc import Mapping

from harness.errors import ExitCode, HarnessError

_PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([A-Za-z_][\w-]*(?:\.[A-Za-z_]\w*)?)\}")


def fill(text: str, values: Mapping[str, str], where: str) -> str:
    """Replace each ``{name}`` of ``text`` by ``values[name]``, ``{{`` by ``{``; an unknown name is a HarnessError."""

    def replacement(match: re.Match[str]) -> str:
        if match[1] is None:
            return match[0][0]
        if match[1] not in values:
            allowed = ", ".join(sorted(values))
            raise HarnessError(f"{where}: unknown placeholder {match[0]}; allowed: {allowed}", ExitCode.USAGE)
        return values[match[1]]

    return _PLACEHOLDER.sub(replacement, text)


def named(text: str) -> frozenset[str]:
    """The placeholders that ``text`` has."""
    return frozenset(match[1] for match in _PLACEHOLDER.finditer(text) if match[1] is not None)
