"""What a user is told when something cannot go on: one line, and a documented exit code."""

from enum import IntEnum


class ExitCode(IntEnum):
    """The process's exit codes. 0-6 are pytest's own and keep their meaning; where several apply the worst wins."""

    OK = 0
    INTERRUPTED = 2
    USAGE = 4
    REGRESSED = 10
    INCONCLUSIVE = 11
    """Only under ``--strict``: something could not be decided."""
    ENVIRONMENT = 12
    """A scenario, a service or the environment failed."""
    BASELINE = 13
    """Something to compare with is missing, invalid or incomparable."""
    NOT_SAVED = 14
    """Results could not be saved."""
    INTEGRITY = 15
    """A policy or a file is not what it says it is."""


SEVERITY = (
    ExitCode.INTEGRITY,
    ExitCode.NOT_SAVED,
    ExitCode.ENVIRONMENT,
    ExitCode.BASELINE,
    ExitCode.REGRESSED,
    ExitCode.INCONCLUSIVE,
    ExitCode.OK,
)
"""The harness's own codes, worst first."""


class HarnessError(Exception):
    """A mistake or failure that the user can act on: printed as one line, never as a traceback."""

    def __init__(self, message: str, code: ExitCode = ExitCode.ENVIRONMENT) -> None:
        super().__init__(message)
        self.code = code
