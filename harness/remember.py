"""The runs of a finished session into the history, by a process of its own: the engine never enters this one."""

import subprocess
import sys

from harness.configuration.load import Project
from harness.report.escape import terminal

PATIENCE = 120.0
"""Seconds. The run files are written already: what is not added now is added after a later session."""


def remember(project: Project) -> str:
    """Add every session that the history lacks; what came of it in one line, a warning when it failed."""
    command = [sys.executable, "-P", "-m", "harness", "history", "add", "--config", str(project.file)]
    try:
        done = subprocess.run(
            command,
            cwd=project.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"warning: the history did not answer in {PATIENCE:g} s; the runs are saved and will be added next time"
    said = (done.stderr if done.returncode else done.stdout).strip().splitlines()
    last = terminal(said[-1]) if said else f"exit code {done.returncode}"
    return last if done.returncode == 0 else f"warning: not all runs are in the history: {last}"
