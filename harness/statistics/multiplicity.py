"""Many metrics, one error budget."""

from collections.abc import Sequence


def bonferroni(budget: float, tests: int) -> float:
    """The level of each of ``tests`` tests, so that with probability <= ``budget`` any of them is wrong."""
    return budget / max(1, tests)


def benjamini_hochberg(p_values: Sequence[float], share: float) -> tuple[bool, ...]:
    """Which hypotheses to reject so that the expected share of false ones among them is <= ``share``.

    Benjamini & Hochberg, J. R. Statist. Soc. B 57 (1995).
    """
    ranked = sorted(p_values)
    passed = [p for rank, p in enumerate(ranked, 1) if p <= share * rank / len(ranked)]
    limit = max(passed, default=-1.0)
    return tuple(p <= limit for p in p_values)
