"""Marks: lines by which a starting process says how far it is.

A service may print JSON lines such as ``{"mark": "ready", "monotonic_ns": 123456789}`` to its standard output, with the
time of the happening on the machine's monotonic clock (``CLOCK_MONOTONIC``, the same for all processes of a machine).
The harness reads them without disturbing the process. The names it knows: ``exec`` (first line of the program ran),
``imported``, ``listening``, ``ready``, ``settled`` (background work is done). Any language can print them; a service
that prints none is timed by requests alone.
"""

import json
import sys
import time


def emit(name: str) -> None:
    """Print the mark ``name`` with the current time, at once."""
    sys.stdout.write(json.dumps({"mark": name, "monotonic_ns": time.monotonic_ns()}) + "\n")
    sys.stdout.flush()


def parse(line: str) -> tuple[str, int] | None:
    """The mark on a line, as (name, monotonic nanoseconds), or None when the line is no mark."""
    if not line.startswith("{") or '"mark"' not in line:
        return None
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    match record:
        case {"mark": str(name), "monotonic_ns": int(at)} if not isinstance(at, bool) and 0 < at < 2**63:
            return name, at
        case _:
            return None
