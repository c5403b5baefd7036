"""Pictures of what happened in time: start-up phases and attempts."""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.model import SIDES, Mark, Side
from harness.report import wording
from harness.report.escape import shorten
from harness.report.pictures import Call, Phase, Spread, Startup, Timeline
from harness.report.scale import ticks, time_limit
from harness.report.svg import FILL, INK, Axis, element, grid, line, number, picture, small, standalone, text
from harness.report.trend import sheet
from harness.report.view import ReportView
from harness.units import format_value

_WIDTH, _LEFT, _TOP = 760, 112, 24
_COLUMNS: Mapping[Side, float] = {"before": 660, "after": 752}
"""Where the columns of numbers end, in pixels."""


@dataclass(frozen=True, slots=True)
class PictureFile:
    """A picture for a folder beside a Markdown report."""

    title: str
    name: str
    """A file name of lower-case letters, digits and dashes, different for every scenario."""
    content: str


def files(view: ReportView) -> Iterator[PictureFile]:
    """The start-ups and timelines of a report, and its history, as SVG files."""
    for start in view.startups:
        yield _file("Start-up", start.scenario, standalone(startup(start)))
    for attempts in view.timelines:
        yield _file("Attempts", attempts.scenario, standalone(timeline(attempts)))
    if view.trends:
        yield PictureFile("History", "history.svg", standalone(sheet(view.trends)))


def startup(drawn: Startup) -> str:
    """A waterfall: for each mark, the time since the one before it; medians over the rounds with quartile whiskers."""
    latest = [max(s.median for s in (phase.before, phase.after) if s) for phase in drawn.phases]
    axis = Axis(0, 1.03 * time_limit(latest), _LEFT, 575)
    pitch = 34
    height = _TOP + pitch * len(drawn.phases) + 6
    shapes = _time_grid(axis, height)
    shapes += [_side(x, 14, side) for side, x in _COLUMNS.items()]
    previous: dict[Side, float] = dict.fromkeys(SIDES, 0.0)
    for index, phase in enumerate(drawn.phases):
        shapes += _phase(phase, previous, axis, _TOP + pitch * index)
        previous |= {side: spread.median for side in SIDES if (spread := phase.on(side))}
    told = "; ".join(f"{p.name}: " + ", ".join(f"{side} {_time(p.on(side))}" for side in SIDES) for p in drawn.phases)
    return picture((_WIDTH, height), f"Start-up of {drawn.scenario}", told, shapes)


def timeline(drawn: Timeline) -> str:
    """The attempts of one call a variant on one time axis: solid while it runs, dashed while it waits."""
    axis = Axis(0, max(call.total for call in drawn.calls), _LEFT, 640)
    pitch = 44
    height = _TOP + pitch * len(drawn.calls) + 4
    shapes = _time_grid(axis, height)
    for index, call in enumerate(drawn.calls):
        y = _TOP + pitch * index + 20
        total = text(axis.at(call.total) + 12, y + 4, format_value(call.total, "s"), css="num")
        shapes += [_side(_LEFT - 8, y + 4, call.side), *_call(call, axis, y), total]
    told = "; ".join(f"{call.side}: {_told(call.marks)}" for call in drawn.calls)
    return picture((_WIDTH, height), f"Attempts of {drawn.scenario}", told, shapes)


def _file(kind: str, scenario: str, content: str) -> PictureFile:
    slug = re.sub(r"[^a-z0-9]+", "-", f"{kind} {scenario}".lower())[:60].strip("-")
    digest = hashlib.sha256(scenario.encode(errors="backslashreplace")).hexdigest()[:6]
    return PictureFile(f"{kind} of {scenario}", f"{slug}-{digest}.svg", content)


def _phase(phase: Phase, previous: Mapping[Side, float], axis: Axis, y: float) -> list[str]:
    shapes = [text(_LEFT - 8, y + 17, shorten(phase.name, 18), text_anchor="end")]
    for row, (side, x) in enumerate(_COLUMNS.items()):
        spread = phase.on(side)
        shapes.append(text(x, y + 17, _time(spread), css="num", text_anchor="end"))
        if spread:
            top = y + 2 + 12 * row
            bar = _bar(side, axis.at(previous[side]), axis.at(spread.median), top, 10)
            shapes += [bar, _end(side, spread, axis, top)]
    return shapes


def _end(side: Side, spread: Spread, axis: Axis, y: float) -> str:
    """A whisker from quartile to quartile, or an arrow where the median lies beyond the axis."""
    if spread.median > axis.high:
        path = f"M{number(axis.end + 2)} {number(y)}l6 5l-6 5z"
        return element("path", d=path, class_=f"s-{side}", fill=FILL[side])
    low, high = number(axis.at(spread.q1)), number(axis.at(spread.q3))
    path = f"M{low} {number(y + 5)}H{high}M{low} {number(y + 2)}v6M{high} {number(y + 2)}v6"
    return element("path", d=path, class_="whisker", stroke="#0f172a", fill="none")


def _call(call: Call, axis: Axis, y: float) -> list[str]:
    shapes = [line(axis.at(0), y, axis.at(call.total), y, css="wait", stroke_dasharray="3 3")]
    started: float | None = None
    for mark in call.marks:
        x = axis.at(mark.at)
        if mark.name.startswith("attempt"):
            started = x
        elif started is not None:
            shapes.append(_bar(call.side, started, x, y - 6, 12))
            started = None
        shapes.append(_mark(mark, x, y))
    return shapes


def _mark(mark: Mark, x: float, y: float) -> str:
    if mark.name.startswith("attempt"):
        return small(x, y - 10, mark.name.removeprefix("attempt").strip())
    if mark.name.startswith("failed"):
        path = f"M{number(x - 4)} {number(y - 4)}l8 8m0 -8l-8 8"
        return element("path", d=path, class_="fail", stroke="#b42318", stroke_width=2, fill="none")
    if mark.name == "answer":
        return element("circle", cx=x, cy=y, r=5, class_="good", fill="#15803d")
    tick = line(x, y - 7, x, y + 7, css="axis", stroke=INK)
    return tick if mark.name == "request" else tick + small(x, y + 18, mark.name)


def _bar(side: Side, left: float, right: float, y: float, height: float) -> str:
    width = max(right - left, 1)
    return element("rect", x=left, y=y, width=width, height=height, rx=1.5, class_=f"s-{side}", fill=FILL[side])


def _side(x: float, y: float, side: Side) -> str:
    return text(x, y, side, css=f"t-{side}", text_anchor="end", fill=FILL[side], font_weight=600)


def _time_grid(axis: Axis, height: float) -> list[str]:
    at = ticks(axis.low, axis.high, 5)
    lines = [grid(axis.at(tick), _TOP - 4, axis.at(tick), height - 4) for tick in at]
    return lines + [small(axis.at(tick), _TOP - 10, format_value(tick, "s")) for tick in at]


def _time(spread: Spread | None) -> str:
    return format_value(spread.median, "s") if spread else wording.NOT_MEASURED


def _told(marks: Sequence[Mark]) -> str:
    return ", ".join(f"{mark.name} at {format_value(mark.at, 's')}" for mark in marks)
