"""JSON as text: one form for hashes and journal lines, one for people who read diffs. Both are ASCII and stable."""

import json
from collections.abc import Mapping


def compact(document: object) -> bytes:
    """The canonical form: sorted keys, no blanks, shortest round-trip floats."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


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
