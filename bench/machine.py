"""Where and when a bench ran: the lines that stand above every table. No host name."""

import os
import platform
from datetime import UTC, datetime
from pathlib import Path


def describe() -> str:
    """Processor, cores, system, Python, time and load average (1, 5 and 15 minutes)."""
    load = ", ".join(f"{average:.2f}" for average in os.getloadavg())
    return (
        f"{_processor()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}\n{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, load average {load}"
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
