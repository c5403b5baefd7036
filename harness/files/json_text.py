"""JSON as text: one form for hashes and journal lines, one for people who read diffs. Both are ASCII and stable."""

import json
import math
from collections.abc import Mapping

from harness.files.number_lists import NumberList, put_back


def compact(document: object) -> bytes:
    """The canonical form: sorted keys, no blanks, shortest round-trip floats."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False, default=_plain).encode("ascii")


def as_written(document: object) -> bytes:
    """The canonical form of a parsed document, but for the numbers in its NumberLists, which are as they were written.

    The same as ``compact`` for what ``compact`` or ``reviewable`` wrote, and far quicker.
    """
    lists: list[NumberList] = []

    def set_aside(node: object) -> float:
        if not isinstance(node, NumberList):
            raise TypeError(f"{type(node).__name__} cannot be stored")
        lists.append(node)
        return math.nan

    rest = json.dumps(document, sort_keys=True, separators=(",", ":"), default=set_aside).encode("ascii")
    texts = iter(lists)
    return put_back(rest, lambda: next(texts).canonical())


def _plain(node: object) -> object:
    if isinstance(node, NumberList):
        return node.plain()
    raise TypeError(f"{type(node).__name__} cannot be stored")


def reviewable(document: object) -> str:
    """Sorted keys, one line per member; a list of plain values stays on one line."""
    return _layout(document, "") + "\n"


def _layout(node: object, indent: str) -> str:
    inner = indent + " "
    if isinstance(node, Mapping) and node:
        members = (f"{inner}{json.dumps(name)}: {_layout(node[name], inner)}" for name in sorted(node))
        return "{\n" + ",\n".join(members) + f"\n{indent}}}"
    if isinstance(node, list) and any(isinstance(item, Mapping | list) for item in node):
        return "[\n" + ",\n".join(inner + _layout(item, inner) for item in node) + f"\n{indent}]"
    return json.dumps(node, allow_nan=False)
