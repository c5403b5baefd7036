"""What the history is asked by those who measure and report. A process of its own answers: the engine never enters
this one."""

import subprocess
import sys

from harness.configuration.load import Project
from harness.errors import HarnessError
from harness.files.strict_json import Mismatch
from harness.files.trends import trends_from_json
from harness.model import Trend
from harness.report.escape import terminal

WARNING = "warning: "
"""How a line begins that tells what went wrong."""
PATIENCE = 120.0
"""Seconds. The run files are written already: what is not added now is added after a later session."""
_IN_REPORT = 60
"""The newest runs that a report shows of each metric."""


def remember(project: Project) -> str:
    """Add every session that the history lacks; what came of it in one line, a warning when it failed."""
    try:
        said = _ask(project, "add").decode(errors="replace").strip().splitlines()
    except HarnessError as error:
        return f"{WARNING}not all runs are in the history: {error}; they are saved and will be added next time"
    return terminal(said[-1]) if said else ""


def recall(project: Project, variant: str) -> tuple[tuple[Trend, ...], str]:
    """How each metric of the variant called ``variant`` moved over its newest runs; a warning when that failed."""
    try:
        answer = _ask(project, "show", "--variant", variant, "--runs", str(_IN_REPORT), "--format", "json")
        return trends_from_json(answer), ""
    except (HarnessError, Mismatch) as error:
        return (), f"{WARNING}the report is without history: {error}"


def _ask(project: Project, *arguments: str) -> bytes:
    """What ``harness history ARGUMENTS`` prints. Raises HarnessError with its last line when it fails."""
    command = [sys.executable, "-P", "-m", "harness", "history", *arguments, "--config", str(project.file)]
    try:
        done = subprocess.run(
            command, cwd=project.folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        raise HarnessError(f"no answer in {PATIENCE:g} s") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise HarnessError(terminal(said[-1]) if said else f"exit code {done.returncode}")
    return done.stdout
