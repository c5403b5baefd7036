"""Where a run is measured: what has to agree for a comparison, and what may differ."""

import os
import platform
from collections.abc import Mapping
from pathlib import Path

import psutil

import harness
from harness.git import commit_of
from harness.model import Environment

LOAD_WORKERS = "HARNESS_LOAD_WORKERS"
"""The environment variable by which a session's number of load workers reaches its scenarios."""


def environment(folder: Path, stack: str, facts: Mapping[str, str] | None = None) -> Environment:
    """Describe this machine and the state of the repository around ``folder``; ``stack`` is the kind of stack used, and
    ``facts`` what has to agree besides."""
    stable = {
        "stack": stack,
        "system": platform.system(),
        "machine": platform.machine(),
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        **({"load workers": workers} if (workers := os.environ.get(LOAD_WORKERS)) else {}),
        **(facts or {}),
    }
    volatile = {
        "kernel": platform.release(),
        "governor": _governor() or "not told",
        "load at start": " ".join(f"{load:.2f}" for load in os.getloadavg()),
        "commit": commit_of(folder),
        "harness": harness.__version__,
    }
    return Environment(stable, volatile)


def _processor() -> str:
    """The processor's model name; platform.processor() is empty on many systems."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or "unknown")


def _governor() -> str:
    """How the first processor's frequency is steered; empty where it is not told, as on virtual machines."""
    try:
        return Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").read_text("ascii", "replace").strip()
    except OSError:
        return ""
