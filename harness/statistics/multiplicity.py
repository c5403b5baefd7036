"""Many metrics, one error budget."""

from collections.abc import Sequence


def bonferroni(budget: float, tests: int) -> float:
    """The level of each of ``tests`` tests, so that with probability <= ``budget`` any of them is wrong."""
    return budget / max(1, tests)


def able(budget: float, attainable: Sequence[float]) -> int:
    """Over how many of the tests with these smallest attainable p-values a budget has to be shared: at least 1.

    A discrete test whose smallest p-value is above its share can never be wrong, and needs none. The smallest K such
    that at most K tests can reach the share budget / K; each then gets that share, and with probability <= ``budget``
    any of them is wrong. The p-values have to be known before the data.
    R. E. Tarone: A modified Bonferroni method for discrete data. Biometrics 46 (1990).
    """
    shares = range(1, len(attainable) + 1)
    return next((k for k in shares if sum(p <= budget / k for p in attainable) <= k), 1)


def benjamini_hochberg(p_values: Sequence[float], share: float) -> tuple[bool, ...]:
    """Which hypotheses to reject so that the expected share of false ones among them is <= ``share``.

    Benjamini & Hochberg, J. R. Statist. Soc. B 57 (1995).
    """
    ranked = sorted(p_values)
    passed = [p for rank, p in enumerate(ranked, 1) if p <= share * rank / len(ranked)]
    limit = max(passed, default=-1.0)
    return tuple(p <= limit for p in p_values)
