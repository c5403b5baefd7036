"""How numbers and verdicts are said. Every format prints these words, so none has words of its own."""

from harness.judge.comparison import Comparison, Estimate, Scale, Verdict
from harness.model import Metric
from harness.report.escape import shorten
from harness.units import format_change, format_value, three_digits

NOT_MEASURED = "not measured"

SYMBOLS = {
    Verdict.REGRESSED: "✗",
    Verdict.MISSING: "∅",
    Verdict.INCOMPARABLE: "≠",
    Verdict.INVALID: "!",
    Verdict.INCONCLUSIVE: "?",
    Verdict.IMPROVED: "✓",
    Verdict.UNCHANGED: "=",
}
"""A sign for each verdict, worst first; always printed beside the word."""

DEFINITIONS = {
    Verdict.REGRESSED: "the whole interval is worse by more than the floor",
    Verdict.MISSING: "not measured on both sides",
    Verdict.INCOMPARABLE: "the two runs may not be compared",
    Verdict.INVALID: "the measurement cannot be trusted",
    Verdict.INCONCLUSIVE: "too little evidence to call",
    Verdict.IMPROVED: "the whole interval is better by more than the floor",
    Verdict.UNCHANGED: "shown to be smaller than the smallest effect that matters",
}

_BY_UNIT = {"s": ("{} takes less time", "{} takes more time"), "B": ("less {}", "more {}")}
_BY_KIND = {"rate": ("{} less often", "{} more often"), "count": ("fewer {}", "more {}")}


def verdict(said: Verdict, *, minor: bool) -> str:
    """The word for a verdict; a minor change is one that is certainly smaller than what matters."""
    return f"{said} (minor)" if minor else said.value


def amount(value: float, metric: Metric) -> str:
    """A value of ``metric`` in its base unit, for people; a rate as a percentage."""
    if metric.kind == "rate":
        return f"{three_digits(100 * value)} %"
    return shorten(format_value(value, metric.unit), 60)


def change(value: float, metric: Metric, scale: Scale) -> str:
    """A signed change: relative in per cent, absolute in percentage points (rates) or in the unit of ``metric``."""
    if scale == "relative":
        return format_change(value)
    if metric.kind == "rate":
        return format_change(value).replace(" %", " points")
    sign = "−" if value < 0 else "+"
    return f"{sign}{amount(abs(value), metric)}"


def estimate(effect: Estimate, metric: Metric, scale: Scale) -> str:
    """A change inside its interval, such as ``−48.9 % [−49.8, −47.0]``; an exact one (level 1) without."""
    if effect.level == 1:
        return f"{change(effect.value, metric, scale)} exactly"
    value, low, high = (change(x, metric, scale) for x in (effect.value, effect.low, effect.high))
    symbol = value.rpartition(" ")[2]
    if all(text.endswith(f" {symbol}") for text in (value, low, high)):
        low, high = low.removesuffix(f" {symbol}"), high.removesuffix(f" {symbol}")
    return f"{value} [{low}, {high}]"


def rule(metric: Metric) -> tuple[str, str]:
    """Floor and smallest effect that matters, such as ``("±1 %", "±5 %")``."""
    symbol = "points" if metric.kind == "rate" else "%"
    return f"±{three_digits(100 * metric.floor)} {symbol}", f"±{three_digits(100 * metric.smallest_effect)} {symbol}"


def probability(p_value: float | None) -> str:
    """A p-value: ``0.034``, ``< 0.001``, or a dash when there is none."""
    if p_value is None:
        return "–"
    return "< 0.001" if p_value < 0.001 else f"{p_value:.3f}"


def level(value: float) -> str:
    """The level of an interval as a percentage, never rounded up to 100; an exact effect has level 1."""
    text = f"{100 * value:.4g}"
    if text == "100":
        return "exact" if value == 1 else "> 99.99 %"
    return f"{text} %"


def meaning(comparison: Comparison) -> str:
    """What the verdict means for this metric, in plain English, without the numbers of the change."""
    metric, effect = comparison.metric, comparison.effect
    match comparison.verdict:
        case Verdict.IMPROVED | Verdict.REGRESSED if effect is not None:
            small = f", by less than what matters ({rule(metric)[1]})" if comparison.minor else ""
            return _moves(metric, effect.value) + small
        case Verdict.UNCHANGED:
            return f"no change that matters, within {rule(metric)[1]}"
        case Verdict.INCONCLUSIVE:
            return "cannot tell from this much evidence"
        case _:
            return "not judged"


def _moves(metric: Metric, value: float) -> str:
    less, more = _BY_KIND.get(metric.kind) or _BY_UNIT.get(metric.unit, ("{} is lower", "{} is higher"))
    return (less if value < 0 else more).replace("{}", metric.name)
