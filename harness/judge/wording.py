"""Short texts for reasons and warnings."""

from harness.judge.comparison import Bound, Scale
from harness.model import Kind, Metric
from harness.units import format_change, format_value, three_digits


def one_line(text: str, limit: int = 200) -> str:
    """``text`` from somewhere else as one printable line of at most ``limit`` characters. Sinks still escape it."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * limit]).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def describe_change(change: float, kind: Kind, scale: Scale) -> str:
    """A change with its sign: ``+8.0 %``, for a rate ``+2.1 points`` (per cent), for a count from zero ``+3``."""
    if scale == "relative":
        return format_change(change)
    sign = "−" if change < 0 else "+"
    return f"{sign}{abs(change) * 100:.1f} points" if kind == "rate" else f"{sign}{three_digits(abs(change))}"


def describe_bound(bound: Bound, metric: Metric) -> str:
    """A bound, what was held against it and what became of it: ``limit +5.0 %: [+8.0 %, +12.0 %], broken``."""
    value, low, high = (_amount(x, bound.name, metric) for x in (bound.value, *bound.interval))
    held = low if low == high else f"[{low}, {high}]"
    return f"{bound.name} {value}: {held}, {bound.state}"


def describe_rule(metric: Metric) -> str:
    """The bounds that are set on a metric: ``limit +5.0 %, budget 200 ms``; empty when there are none."""
    set_on = (("limit", metric.limit), ("absolute limit", metric.absolute_limit), ("budget", metric.budget))
    return ", ".join(f"{name} {_amount(value, name, metric)}" for name, value in set_on if value is not None)


def _amount(value: float, name: str, metric: Metric) -> str:
    if name == "limit":
        return describe_change(value, metric.kind, "absolute" if metric.kind == "rate" else "relative")
    if metric.kind == "rate":
        return f"{three_digits(100 * value)} {'points' if name == 'absolute limit' else '%'}"
    return format_value(value, one_line(metric.unit, 20))


def plural(number: int, noun: str) -> str:
    """``1 round``, ``2 rounds``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
