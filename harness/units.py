"""Units: values are kept in base units everywhere and scaled only when printed."""

import math

_DECIMAL = ((1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"))
_BINARY = ((2.0**30, "Gi"), (2.0**20, "Mi"), (2.0**10, "Ki"), (1.0, ""))
_PREFIXES = {"s": _DECIMAL, "B": _BINARY}

COUNT = "1"
"""The unit of a plain number: a count or a share."""


def format_value(value: float, unit: str) -> str:
    """Print ``value`` (in the base unit ``unit``) with three significant digits and a fitting prefix.

    ``format_value(0.0421, "s")`` is ``"42.1 ms"``. Units without prefixes are printed as they are; the unit ``"1"`` is
    not printed at all.
    """
    if not math.isfinite(value):
        return f"{value} {unit}".removesuffix(f" {COUNT}")
    prefixes = _PREFIXES.get(unit, ((1.0, ""),))
    factor, prefix = next((p for p in prefixes if abs(value) >= p[0]), prefixes[-1])
    if value == 0:
        factor, prefix = 1.0, ""
    text = three_digits(value / factor)
    return text if unit == COUNT else f"{text} {prefix}{unit}"


def three_digits(value: float) -> str:
    """``value`` with three significant digits, never in exponent form below a million, whole numbers whole."""
    if value == int(value) and abs(value) < 1e6:
        return str(int(value))
    if abs(value) >= 1e6 or abs(value) < 1e-4:
        return f"{value:.3g}"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:.{digits}f}"


def format_change(change: float) -> str:
    """A relative change as a signed percentage: ``-0.055`` is ``"−5.5 %"``; large ratios are printed as factors."""
    if not math.isfinite(change):
        return "−∞" if change < 0 else "+∞" if change > 0 else "?"
    if change >= 9:
        return f"×{three_digits(change + 1)}"
    sign = "−" if change < 0 else "+"
    percent = abs(change) * 100
    return f"{sign}{percent:.1f} %" if percent < 99.95 else f"{sign}{percent:.0f} %"
