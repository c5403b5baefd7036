"""Pictures as SVG text. Every string and number passes through ``_element`` or ``_text``, which escape.

Colours are given twice: as attributes, for a file of its own or a page whose styles are blocked, and by class, where a
page overrides them for its light or dark scheme.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from harness.model import SIDES, Mark, Side
from harness.report import wording
from harness.report.escape import shorten, visible
from harness.report.pictures import Call, Phase, Spread, Startup, Timeline
from harness.report.scale import CHANGE_LIMIT, on_change_axis, ticks, time_limit
from harness.report.view import Row
from harness.units import format_value

MAX_POINTS = 2000
"""At most this many values of a series are drawn."""

_BEFORE, _AFTER, _INK, _FAINT = "#64748b", "#1d6fd8", "#475569", "#cbd5e1"
_FILL = {"before": _BEFORE, "after": _AFTER, "ink": _INK}
_FONT = "system-ui, sans-serif"


@dataclass(frozen=True, slots=True)
class _Axis:
    """Maps numbers from ``low`` to ``high`` onto pixels from ``start`` to ``end``."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        return self.start + (self.end - self.start) * max(0.0, min(1.0, share))


def change_axis() -> str:
    """The labels of the axis on which ``change_bar`` draws."""
    labels = ((-1.0, "−100 %"), (-0.2, "−20"), (0.0, "0"), (0.2, "+20"), (1.0, "+100 %"))
    anchors = {-1.0: "start", 1.0: "end"}
    shapes = [
        _text(
            100 + (100 if abs(at) == 1 else 92) * on_change_axis(at),
            12,
            text,
            anchor=anchors.get(at, "middle"),
            class_="small",
            font_size=10,
        )
        for at, text in labels
    ]
    return _svg(200, 16, "Change, from −100 % to +100 %", "", shapes, class_="bar")


def change_bar(row: Row) -> str:
    """The change inside its interval on the common axis, over a band of ± the smallest effect; empty without one."""
    effect = row.effect
    if effect is None or not row.on_axis:
        return ""
    width, height, middle = 200, 20, 10
    low, value, high = (width / 2 + 92 * on_change_axis(x) for x in (effect.low, effect.value, effect.high))
    band = 92 * on_change_axis(row.metric.smallest_effect)
    shapes = [
        _element("rect", x=width / 2 - band, y=0, width=2 * band, height=height, class_="band", fill="#e2e8f0"),
        _line(width / 2, 0, width / 2, height, class_="axis", stroke="#94a3b8"),
        _line(low, middle, high, middle, class_=f"v-{row.verdict}", stroke=_INK, stroke_width=2),
        *(
            _arrow(x, middle, sign, row)
            for x, bound, sign in ((low, effect.low, -1), (high, effect.high, 1))
            if abs(bound) > CHANGE_LIMIT and bound * sign > 0
        ),
        _element("circle", cx=value, cy=middle, r=3.5, class_=f"v-{row.verdict}", fill=_INK),
    ]
    return _svg(width, height, f"{row.change}", "", shapes, class_="bar")


def _arrow(x: float, y: float, sign: int, row: Row) -> str:
    path = f"M{_n(x + 7 * sign)} {_n(y)}l{-6 * sign} -5v10z"
    return _element("path", d=path, class_=f"v-{row.verdict}", fill=_INK)


def startup(picture: Startup) -> str:
    """A waterfall: for each mark, the time since the one before it; medians over the rounds with quartile whiskers."""
    times = [s.median for phase in picture.phases for s in (phase.before, phase.after) if s]
    axis = _Axis(0, time_limit(times), 112, 560)
    top, pitch = 24, 34
    height = top + pitch * len(picture.phases) + 6
    shapes = _time_grid(axis, top - 4, height - 4)
    for x, side in ((660, "before"), (752, "after")):
        shapes.append(_text(x, 14, side, anchor="end", class_=f"t-{side}", fill=_FILL[side], font_weight=600))
    previous = dict.fromkeys(SIDES, 0.0)
    for index, phase in enumerate(picture.phases):
        y = top + pitch * index
        shapes.append(_text(104, y + 17, shorten(phase.name, 18), anchor="end"))
        shapes += _phase(phase, previous, axis, y)
    return _svg(760, height, f"Start-up of {picture.scenario}", _told(picture.phases), shapes)


def _phase(phase: Phase, previous: dict[Side, float], axis: _Axis, y: float) -> list[str]:
    shapes = []
    for row, (side, x) in enumerate(zip(SIDES, (660, 752), strict=True)):
        spread = phase.on(side)
        text = format_value(spread.median, "s") if spread else "not measured"
        shapes.append(_text(x, y + 17, text, anchor="end", class_="num"))
        if spread:
            shapes += _phase_bar(side, previous[side], spread, axis, y + 2 + 12 * row)
            previous[side] = spread.median
    return shapes


def _phase_bar(side: Side, start: float, spread: Spread, axis: _Axis, y: float) -> list[str]:
    left, right = axis(start), axis(spread.median)
    if spread.median > axis.high:
        mark = _element("path", d=f"M{_n(axis.end + 2)} {_n(y)}l6 5l-6 5z", class_=f"s-{side}", fill=_FILL[side])
    else:
        low, high, middle = axis(spread.q1), axis(spread.q3), y + 5
        path = f"M{_n(low)} {_n(middle)}H{_n(high)}M{_n(low)} {_n(y + 2)}v6M{_n(high)} {_n(y + 2)}v6"
        mark = _element("path", d=path, class_="whisker", stroke="#0f172a", fill="none")
    bar = _element(
        "rect", x=left, y=y, width=max(right - left, 1), height=10, rx=1.5, class_=f"s-{side}", fill=_FILL[side]
    )
    return [bar, mark]


def _told(phases: Sequence[Phase]) -> str:
    def one(spread: Spread | None) -> str:
        return format_value(spread.median, "s") if spread else "not measured"

    return "; ".join(f"{phase.name}: before {one(phase.before)}, after {one(phase.after)}" for phase in phases)


def timeline(picture: Timeline) -> str:
    """The attempts of one call a variant on one time axis: solid while it runs, dashed while it waits."""
    axis = _Axis(0, max(call.total for call in picture.calls), 112, 640)
    top, pitch = 24, 44
    height = top + pitch * len(picture.calls) + 4
    shapes = _time_grid(axis, top - 4, height - 4)
    for index, call in enumerate(picture.calls):
        y = top + pitch * index + 20
        shapes.append(
            _text(104, y + 4, call.side, anchor="end", class_=f"t-{call.side}", fill=_FILL[call.side], font_weight=600)
        )
        shapes += _call(call, axis, y)
        shapes.append(_text(axis(call.total) + 12, y + 4, format_value(call.total, "s"), class_="num"))
    told = "; ".join(
        f"{call.side}: " + ", ".join(f"{m.name} at {format_value(m.at, 's')}" for m in call.marks)
        for call in picture.calls
    )
    return _svg(760, height, f"Attempts of {picture.scenario}", told, shapes)


def _call(call: Call, axis: _Axis, y: float) -> list[str]:
    shapes = [_line(axis(0), y, axis(call.total), y, class_="wait", stroke="#94a3b8", stroke_dasharray="3 3")]
    started: float | None = None
    for mark in call.marks:
        x = axis(mark.at)
        if mark.name.startswith("attempt"):
            started = mark.at
        elif started is not None:
            left = axis(started)
            shapes.append(
                _element(
                    "rect",
                    x=left,
                    y=y - 6,
                    width=max(x - left, 1.5),
                    height=12,
                    rx=1.5,
                    class_=f"s-{call.side}",
                    fill=_FILL[call.side],
                )
            )
            started = None
        shapes.append(_mark(mark, x, y))
    return shapes


def _mark(mark: Mark, x: float, y: float) -> str:
    if mark.name.startswith("attempt"):
        return _text(
            x, y - 10, mark.name.removeprefix("attempt").strip(), anchor="middle", class_="small", font_size=10
        )
    if mark.name.startswith("failed"):
        path = f"M{_n(x - 4)} {_n(y - 4)}l8 8m0 -8l-8 8"
        return _element("path", d=path, class_="fail", stroke="#b42318", stroke_width=2, fill="none")
    if mark.name == "answer":
        return _element("circle", cx=x, cy=y, r=5, class_="good", fill="#15803d")
    tick = _line(x, y - 7, x, y + 7, class_="axis", stroke=_INK)
    return (
        tick
        if mark.name == "request"
        else tick + _text(x, y + 18, mark.name, anchor="middle", class_="small", font_size=10)
    )


def distribution(row: Row) -> str:
    """The share of values at or below each value (ECDF), of both variants on one axis."""
    series = {side: sorted(values) for side, values in _series(row).items()}
    if not any(series.values()):
        return ""
    x, shapes = _value_axis([v for values in series.values() for v in values], row, 36, 348)
    y = _Axis(0, 1, 140, 14)
    for share in (0.0, 0.5, 1.0):
        shapes.append(_line(36, y(share), 348, y(share), class_="grid", stroke=_FAINT))
        shapes.append(_text(31, y(share) + 4, f"{share:.0%}", anchor="end", class_="small", font_size=10))
    for side, values in series.items():
        steps = "".join(f"H{_n(x(v))}V{_n(y((i + 1) / len(values)))}" for i, v in enumerate(values))
        if values:
            shapes.append(_path(f"M36 140{steps}H348", side))
    return _svg(
        360, 164, f"Distribution of {row.label}", f"before {row.before.median}, after {row.after.median}", shapes
    )


def drawn_order(row: Row) -> str:
    """Every value in the order in which it was measured: drift, outliers and disturbances show here."""
    series = _series(row)
    everything = [v for values in series.values() for v in values]
    if not everything:
        return ""
    low, high = min(everything), max(everything)
    y, x = _Axis(low, high, 136, 14), _Axis(0, max(len(v) for v in series.values()) - 1, 64, 346)
    shapes = []
    for tick in ticks(low, high, 3):
        shapes.append(_line(58, y(tick), 352, y(tick), class_="grid", stroke=_FAINT))
        shapes.append(
            _text(54, y(tick) + 4, wording.amount(tick, row.metric), anchor="end", class_="small", font_size=10)
        )
    for side, values in series.items():
        dots = "".join(f"M{_n(x(i))} {_n(y(v))}h0" for i, v in enumerate(values))
        if dots:
            shapes.append(_path(dots, side, stroke_width=4, stroke_linecap="round", stroke_opacity=0.75))
    shapes.append(_text(205, 158, "order of measuring", anchor="middle", class_="small", font_size=10))
    return _svg(360, 164, f"Values of {row.label} in the order measured", "", shapes)


def _series(row: Row) -> dict[Side, list[float]]:
    """The finite values of both variants in order, evenly thinned to ``MAX_POINTS``."""
    found: dict[Side, list[float]] = {}
    for side, values in zip(SIDES, (row.before.values, row.after.values), strict=True):
        finite = [value for value in values if math.isfinite(value)]
        count = min(len(finite), MAX_POINTS)
        found[side] = [finite[i * len(finite) // count] for i in range(count)]
    return found


def _value_axis(values: Sequence[float], row: Row, start: float, end: float) -> tuple[_Axis, list[str]]:
    low, high = min(values), max(values)
    axis = _Axis(low, high, start + 4, end - 4)
    shapes = []
    for tick in ticks(low, high, 3):
        text = wording.amount(tick, row.metric)
        shapes.append(_line(axis(tick), 14, axis(tick), 140, class_="grid", stroke=_FAINT))
        shapes.append(_text(axis(tick), 156, text, anchor="middle", class_="small", font_size=10))
    return axis, shapes


def _time_grid(axis: _Axis, top: float, bottom: float) -> list[str]:
    shapes = []
    for tick in ticks(axis.low, axis.high, 5):
        shapes.append(_line(axis(tick), top, axis(tick), bottom, class_="grid", stroke=_FAINT))
        shapes.append(
            _text(axis(tick), top - 6, format_value(tick, "s"), anchor="middle", class_="small", font_size=10)
        )
    return shapes


def _svg(width: float, height: float, title: str, told: str, shapes: Sequence[str], class_: str = "picture") -> str:
    names = [f"<title>{_safe(title)}</title>", f"<desc>{_safe(told)}</desc>" if told else ""]
    return _element(
        "svg",
        *names,
        *shapes,
        class_=class_,
        viewBox=f"0 0 {_n(width)} {_n(height)}",
        width=width,
        height=height,
        role="img",
        font_family=_FONT,
        font_size=12,
    )


def _path(d: str, side: Side, **attributes: str | float) -> str:
    return _element(
        "path", d=d, class_=f"l-{side}", stroke=_FILL[side], fill="none", **{"stroke_width": 1.8, **attributes}
    )


def _line(x1: float, y1: float, x2: float, y2: float, **attributes: str | float) -> str:
    return _element("line", x1=x1, y1=y1, x2=x2, y2=y2, **attributes)


def _text(
    x: float, y: float, content: str, *, anchor: str = "start", class_: str = "label", **attributes: str | float
) -> str:
    attributes = {"fill": _INK, **attributes}
    return _element("text", _safe(content), x=x, y=y, text_anchor=anchor, class_=class_, **attributes)


def _element(name: str, *children: str, **attributes: str | float) -> str:
    parts = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_n(value) if isinstance(value, float | int) else _safe(value)}"'
        for key, value in attributes.items()
    )
    return f"<{name}{parts}>{''.join(children)}</{name}>" if children else f"<{name}{parts}/>"


def _safe(text: str) -> str:
    return escape(visible(text))


def _n(number: float) -> str:
    return f"{round(number, 1):g}"
