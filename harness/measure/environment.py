"""Where a run is measured: what has to agree for a comparison, and what may differ."""

import os
import platform
import subprocess
from pathlib import Path

import psutil

import harness
from harness.model import Environment


def environment(folder: Path, stack: str) -> Environment:
    """Describe this machine and the state of the repository around ``folder``; ``stack`` is the kind of stack used."""
    stable = {
        "stack": stack,
        "system": platform.system(),
        "machine": platform.machine(),
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }
    volatile = {
        "kernel": platform.release(),
        "memory": f"{psutil.virtual_memory().total / 2**30:.1f} GiB",
        "load at start": " ".join(f"{load:.2f}" for load in os.getloadavg()),
        "commit": _commit(folder),
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


def _commit(folder: Path) -> str:
    """The commit checked out around ``folder``, marked when files differ from it; "none" outside a repository."""
    head = _git(folder, "rev-parse", "--short=12", "HEAD")
    if not head:
        return "none"
    return f"{head} with changes" if _git(folder, "status", "--porcelain") else head


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
