"""One metric over the runs of a history: as a picture, and as lines of text."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from harness.model import Trend
from harness.report import wording
from harness.report.escape import shorten, terminal
from harness.report.scale import ticks
from harness.report.svg import FILL, INK, Axis, element, grid, line, number, picture, small, text

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 720, 190, 76, 704, 44, 156
"""Pixels of the picture and of the field in it."""
_LEVEL = "#b45309"
"""The colour of levels and of the steps between them."""
_MARKS_APART = 46
"""Pixels between two labels, so that they do not overlap."""
_BLOCKS = "▁▂▃▄▅▆▇█"
_LAST = 5
"""Values that are printed."""


@dataclass(frozen=True, slots=True)
class Level:
    """The runs between two change points."""

    start: int
    end: int
    """Positions in the trend: from ``start`` up to, not including, ``end``."""
    median: float


def levels(trend: Trend) -> tuple[Level, ...]:
    """The levels between the change points of ``trend``; one when there is none."""
    bounds = (0, *trend.steps, len(trend.points))
    return tuple(
        Level(start, end, statistics.median(point.value for point in trend.points[start:end]))
        for start, end in pairwise(bounds)
    )


def change(before: Level, after: Level, trend: Trend) -> str:
    """From one level to the next: relative, or absolute for a rate and from a level that is not positive."""
    if trend.metric.kind == "rate" or before.median <= 0:
        return wording.change(after.median - before.median, trend.metric, "absolute")
    return wording.change(after.median / before.median - 1, trend.metric, "relative")


def trend_picture(trend: Trend) -> str:
    """Every run as a dot, each level as a line, change points upright, runs kept as baselines ringed."""
    values = [point.value for point in trend.points]
    x = Axis(0, max(1, len(values) - 1), _LEFT + 8, _RIGHT - 8)
    y = Axis(min(values), max(values), _BOTTOM - 6, _TOP + 6)
    shapes = [text(_LEFT, 16, _label(trend), font_weight="bold"), *_frame(trend, y)]
    dots = "".join(f"M{number(x.at(i))} {number(y.at(value))}h0" for i, value in enumerate(values))
    shapes.append(_round_dots(dots))
    shapes += _levels(trend, x, y)
    shapes += _baselines(trend, x, y)
    return picture((_WIDTH, _HEIGHT), f"History of {_label(trend)}", _told(trend), shapes)


def sheet(trends: Sequence[Trend]) -> str:
    """The pictures of all ``trends`` below each other, as one."""
    rows = [
        element("g", trend_picture(trend), transform=f"translate(0 {row * _HEIGHT})")
        for row, trend in enumerate(trends)
    ]
    return picture((_WIDTH, _HEIGHT * max(1, len(rows))), "History", f"{len(rows)} metrics", rows)


def trend_text(trend: Trend, *, runs: int = 60) -> list[str]:
    """The same for a terminal: a line of bars of the newest ``runs``, the last values, the steps."""
    values = [point.value for point in trend.points]
    last = " · ".join(wording.amount(value, trend.metric) for value in values[-_LAST:])
    lines = [_label(trend), f"  {sparkline(values[-runs:])}  {last}", *(f"  {step}" for step in _steps(trend))]
    lines += [f"  baseline {point.baseline}: {_amount(trend, point.value)}" for point in trend.points if point.baseline]
    if trend.elsewhere:
        lines.append(f"  {trend.elsewhere} runs of other environments left out")
    return [terminal(entry) for entry in lines]


def sparkline(values: Sequence[float]) -> str:
    """A bar for each value, from the lowest to the highest of them; all in the middle when they are equal."""
    low, high = min(values), max(values)
    if not high > low:
        return _BLOCKS[3] * len(values)
    return "".join(_BLOCKS[round((value / 2 - low / 2) / (high / 2 - low / 2) * 7)] for value in values)


def _steps(trend: Trend) -> list[str]:
    found = levels(trend)
    return [
        f"step {change(before, after, trend)} at {_when(trend, after.start)}: "
        f"{_amount(trend, before.median)} → {_amount(trend, after.median)}"
        for before, after in pairwise(found)
    ]


def _when(trend: Trend, position: int) -> str:
    point = trend.points[position]
    commit = f", commit {shorten(point.commit, 12)}" if point.commit else ""
    return f"{shorten(point.session, 40)} ({point.started}{commit})"


def _label(trend: Trend) -> str:
    name = shorten(f"{trend.scenario}:{trend.metric.name}", 70)
    return f"{name} · {shorten(trend.variant, 20)} · {len(trend.points)} runs"


def _told(trend: Trend) -> str:
    last = f"the last value is {_amount(trend, trend.points[-1].value)}"
    return "; ".join([last, *(_steps(trend) or ["no change point"])])


def _amount(trend: Trend, value: float) -> str:
    return wording.amount(value, trend.metric)


def _frame(trend: Trend, y: Axis) -> list[str]:
    shapes = []
    for tick in ticks(y.low, y.high, 3):
        shapes.append(grid(_LEFT, y.at(tick), _RIGHT, y.at(tick)))
        shapes.append(small(_LEFT - 6, y.at(tick) + 4, _amount(trend, tick), "end"))
    first, last = (trend.points[i].started[:10] for i in (0, -1))
    shapes.append(small(_LEFT, _HEIGHT - 16, first, "start"))
    shapes.append(small(_RIGHT, _HEIGHT - 16, last, "end"))
    return shapes


def _round_dots(dots: str) -> str:
    return element(
        "path", d=dots, class_="l-after", stroke=FILL["after"], fill="none", stroke_width=5, stroke_linecap="round"
    )


def _levels(trend: Trend, x: Axis, y: Axis) -> list[str]:
    found = levels(trend)
    shapes = [_flat(x.at(one.start), x.at(one.end - 1), y.at(one.median)) for one in found]
    labelled = -float(_MARKS_APART)
    for before, after in pairwise(found):
        at = x.at(after.start - 0.5)
        shapes.append(line(at, _TOP, at, _BOTTOM, css="step", stroke=_LEVEL, stroke_dasharray="3 3"))
        if at - labelled >= _MARKS_APART:
            labelled = at
            shapes.append(small(at, _TOP - 6, change(before, after, trend)))
    return shapes


def _baselines(trend: Trend, x: Axis, y: Axis) -> list[str]:
    shapes = []
    for position, point in enumerate(trend.points):
        if point.baseline:
            at = x.at(position)
            shapes.append(_ring(at, y.at(point.value)))
            shapes.append(small(at, _HEIGHT - 2, shorten(point.baseline, 24)))
    return shapes


def _flat(left: float, right: float, height: float) -> str:
    return line(left, height, right, height, css="level", stroke=_LEVEL, stroke_width=1.5)


def _ring(x: float, y: float) -> str:
    return element("circle", cx=x, cy=y, r=6, class_="baseline", fill="none", stroke=INK, stroke_width=1.5)
