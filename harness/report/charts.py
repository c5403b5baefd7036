"""Pictures of one comparison: its change on the common axis, its distributions, its values in order."""

import math

from harness.model import SIDES, Side
from harness.report import wording
from harness.report.rows import Row
from harness.report.scale import CHANGE_LIMIT, on_change_axis, ticks
from harness.report.svg import FILL, INK, Axis, element, grid, line, number, picture, small

MAX_POINTS = 2000
"""At most this many values of a series are drawn."""

_BAR_WIDTH, _BAR_HEIGHT, _BAR_REACH = 200, 20, 90
"""Pixels of a bar, and from its middle to the end of the axis; the rest is for arrows."""
_WIDTH, _HEIGHT, _TOP, _BOTTOM, _RIGHT = 360, 164, 14, 140, 348
"""Pixels of the other pictures and of the field in them."""


def change_axis() -> str:
    """The labels of the axis on which ``change_bar`` draws."""
    labels = ((-1.0, "−100"), (-0.2, "−20"), (-0.05, "−5"), (0.0, "0"), (0.05, "+5"), (0.2, "+20"), (1.0, "+100"))
    shapes = [small(_bar_x(at), 12, label) for at, label in labels]
    return picture((_BAR_WIDTH, 16), "Change in per cent", "", shapes, css="bar")


def change_bar(row: Row) -> str:
    """The change inside its interval on the common axis, over a band of ± the smallest effect; empty without one."""
    effect = row.effect
    if effect is None or not row.on_axis:
        return ""
    middle = _BAR_HEIGHT / 2
    low, value, high = map(_bar_x, (effect.low, effect.value, effect.high))
    left, right = map(_bar_x, (-row.metric.smallest_effect, row.metric.smallest_effect))
    ends = ((low, effect.low, -1), (high, effect.high, 1))
    css = f"v-{row.verdict}"
    shapes = [
        element("rect", x=left, y=0, width=right - left, height=_BAR_HEIGHT, class_="band", fill="#e2e8f0"),
        line(_bar_x(0), 0, _bar_x(0), _BAR_HEIGHT, css="axis"),
        line(low, middle, high, middle, css=css, stroke=INK, stroke_width=2),
        element("circle", cx=value, cy=middle, r=3, class_=css, fill=INK),
        *(_arrow(x, middle, sign, css) for x, bound, sign in ends if bound * sign > CHANGE_LIMIT),
    ]
    return picture((_BAR_WIDTH, _BAR_HEIGHT), row.change, "", shapes, css="bar")


def distribution(row: Row) -> str:
    """The share of values at or below each value (ECDF), of both variants on one axis."""
    series = {side: sorted(values) for side, values in _series(row).items()}
    low, high = _range(series)
    x, y, left = Axis(low, high, 40, _RIGHT - 4), Axis(0, 1, _BOTTOM, _TOP), 36
    shapes = []
    for tick in ticks(low, high, 3):
        shapes.append(grid(x.at(tick), _TOP, x.at(tick), _BOTTOM))
        shapes.append(small(x.at(tick), _HEIGHT - 8, wording.amount(tick, row.metric)))
    for share in (0.0, 0.5, 1.0):
        shapes.append(grid(left, y.at(share), _RIGHT, y.at(share)))
        shapes.append(small(left - 5, y.at(share) + 4, f"{share * 100:.0f} %", "end"))
    for side, values in series.items():
        steps = "".join(f"H{number(x.at(v))}V{number(y.at((i + 1) / len(values)))}" for i, v in enumerate(values))
        shapes.append(_path(f"M{left} {_BOTTOM}{steps}H{_RIGHT}", side, stroke_width=1.8) if values else "")
    told = f"before {row.before.median}, after {row.after.median}"
    return picture((_WIDTH, _HEIGHT), f"Distribution of {row.label}", told, shapes)


def drawn_order(row: Row) -> str:
    """Every value in the order in which it was measured: drift, outliers and disturbances show here."""
    series = _series(row)
    low, high = _range(series)
    left = 58
    x = Axis(0, max(map(len, series.values())) - 1, left + 6, _RIGHT - 4)
    y = Axis(low, high, _BOTTOM - 4, _TOP)
    shapes = []
    for tick in ticks(low, high, 3):
        shapes.append(grid(left, y.at(tick), _RIGHT, y.at(tick)))
        shapes.append(small(left - 4, y.at(tick) + 4, wording.amount(tick, row.metric), "end"))
    for side, values in series.items():
        dots = "".join(f"M{number(x.at(i))} {number(y.at(v))}h0" for i, v in enumerate(values))
        shapes.append(_path(dots, side, stroke_width=4, stroke_linecap="round", stroke_opacity=0.75) if dots else "")
    shapes.append(small((left + _RIGHT) / 2, _HEIGHT - 6, "order of measuring"))
    return picture((_WIDTH, _HEIGHT), f"Values of {row.label} in the order measured", "", shapes)


def has_values(row: Row) -> bool:
    """Whether there is anything to draw: values of a noisy metric."""
    return row.metric.kind == "noisy" and any(_series(row).values())


def _bar_x(change: float) -> float:
    return _BAR_WIDTH / 2 + _BAR_REACH * on_change_axis(change)


def _arrow(x: float, y: float, sign: int, css: str) -> str:
    return element("path", d=f"M{number(x + 9 * sign)} {number(y)}l{-6 * sign} -4v8z", class_=css, fill=INK)


def _path(d: str, side: Side, **attributes: str | float) -> str:
    return element("path", d=d, class_=f"l-{side}", stroke=FILL[side], fill="none", **attributes)


def _series(row: Row) -> dict[Side, list[float]]:
    """The finite values of both variants in order, evenly thinned to ``MAX_POINTS``."""
    found: dict[Side, list[float]] = {}
    for side, values in zip(SIDES, (row.before.values, row.after.values), strict=True):
        finite = [value for value in values if math.isfinite(value)]
        count = min(len(finite), MAX_POINTS)
        found[side] = [finite[i * len(finite) // count] for i in range(count)]
    return found


def _range(series: dict[Side, list[float]]) -> tuple[float, float]:
    everything = [value for values in series.values() for value in values]
    return min(everything), max(everything)
