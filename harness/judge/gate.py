"""The policy that turns verdicts into an exit code."""

from dataclasses import dataclass

from harness.errors import ExitCode


@dataclass(frozen=True, slots=True)
class Gate:
    """What the gate decided."""

    exit_code: ExitCode
    compared: int
    """Gated comparisons that ended in a judgement (improved, regressed, unchanged, inconclusive)."""
    expected: int
    """Gated comparisons there should have been: "compared N of M"."""
    headline: str
    """One sentence for people: counts, worst first."""
    reasons: tuple[str, ...] = ()
    """Why the exit code is not 0, one line a reason, worst first."""
