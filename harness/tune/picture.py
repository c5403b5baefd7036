"""The picture of a search: all candidates by their first two objectives, the front, the variants, what was picked."""

from collections.abc import Iterable, Sequence
from itertools import accumulate

from harness.model import Metric
from harness.report import wording
from harness.report.scale import ticks
from harness.report.svg import FILL, INK, QUIET, Axis, element, grid, line, number, picture, small, standalone, text
from harness.tune.candidates import Candidate, Confirmed
from harness.tune.present import Tuning

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 720, 440, 70, 700, 46, 386
_PICKED = "#b45309"
_DOTS = 4000
"""At most so many candidates are drawn."""


def draw(tuning: Tuning) -> str:
    """An SVG file: first objective to the right, second one upwards, the third as the size of a dot and beside it."""
    first, second = tuning.search.objectives[:2]
    x, y = _axes(tuning, first, second)
    shapes = [*_frame(x, y, first, second)]
    shapes += [_dots(tuning, x, y), _line(tuning.search.front, x, y, first, second)]
    shapes += [shape for candidate in tuning.named for shape in _named(tuning, candidate, x, y)]
    shapes += [shape for one in tuning.confirmed for shape in _measured(one, x, y, first, second)]
    shapes += _legend(tuning)
    told = "; ".join(_label(tuning, candidate) for candidate in tuning.named)
    return standalone(picture((_WIDTH, _HEIGHT), f"harness tune {tuning.name}", told, shapes))


def _axes(tuning: Tuning, first: Metric, second: Metric) -> tuple[Axis, Axis]:
    """Axes that hold the front and the variants; candidates far from both lie outside."""
    shown = [*tuning.search.front, *tuning.named]
    ends = []
    for objective in (first, second):
        values = [candidate.predicted[objective.name] for candidate in shown]
        values += [one.measured[objective.name].value for one in tuning.confirmed]
        margin = (max(values) - min(values)) * 0.06 or 1.0
        ends.append((max(0.0, min(values) - margin), max(values) + margin))
    if second.kind == "rate":
        ends[1] = (ends[1][0], min(ends[1][1], 1.02))
    return Axis(*ends[0], _LEFT, _RIGHT), Axis(*ends[1], _BOTTOM, _TOP)


def _frame(x: Axis, y: Axis, first: Metric, second: Metric) -> Iterable[str]:
    for tick in ticks(x.low, x.high, 6):
        yield grid(x.at(tick), _TOP, x.at(tick), _BOTTOM)
        yield small(x.at(tick), _BOTTOM + 15, wording.amount(tick, first))
    for tick in ticks(y.low, y.high, 5):
        yield grid(_LEFT, y.at(tick), _RIGHT, y.at(tick))
        yield small(_LEFT - 6, y.at(tick) + 4, wording.amount(tick, second), "end")
    yield text((_LEFT + _RIGHT) / 2, _BOTTOM + 34, f"{first.name} ({first.better} is better)", text_anchor="middle")
    yield text(_LEFT - 40, _TOP - 14, f"{second.name} ({second.better} is better)")


def _dots(tuning: Tuning, x: Axis, y: Axis) -> str:
    tried = tuning.search.tried
    points = [_at(tuning, candidate) for candidate in tried[:: max(1, -(-len(tried) // _DOTS))]]
    inside = [(a, b) for a, b in points if x.low <= a <= x.high and y.low <= b <= y.high]
    path = "".join(f"M{number(x.at(a))} {number(y.at(b))}h0" for a, b in inside)
    return element(
        "path", d=path, class_="dots", fill="none", stroke=QUIET, stroke_width=3, stroke_linecap="round",
        stroke_opacity=0.5,
    )  # fmt: skip


def _line(front: Sequence[Candidate], x: Axis, y: Axis, first: Metric, second: Metric) -> str:
    """The front as it is seen in these two objectives: the best in the second so far, in the order of the first."""
    ordered = sorted(front, key=lambda c: c.predicted[first.name] * (-1 if first.better == "higher" else 1))
    best = max if second.better == "higher" else min
    levels = list(accumulate((c.predicted[second.name] for c in ordered), best))
    steps = [f"M{number(x.at(ordered[0].predicted[first.name]))} {number(y.at(levels[0]))}"]
    for candidate, level in zip(ordered, levels, strict=True):
        steps.append(f"H{number(x.at(candidate.predicted[first.name]))}V{number(y.at(level))}")
    return element("path", d="".join(steps), class_="front", stroke=INK, fill="none", stroke_width=1.5)


def _named(tuning: Tuning, candidate: Candidate, x: Axis, y: Axis) -> Iterable[str]:
    first, second = _at(tuning, candidate)
    css = f"l-{candidate.name}" if candidate.name in FILL else "picked"
    yield element(
        "circle", cx=x.at(first), cy=y.at(second), r=_radius(tuning, candidate), class_=css, fill=_colour(candidate)
    )
    yield text(x.at(first) + 11, y.at(second) + 15, candidate.name, font_weight="bold", fill=_colour(candidate))


def _measured(one: Confirmed, x: Axis, y: Axis, first: Metric, second: Metric) -> Iterable[str]:
    """A cross of both intervals where it was measured."""
    across, up = one.measured[first.name], one.measured[second.name]
    colour = _colour(one.candidate)
    yield line(x.at(across.low), y.at(up.value), x.at(across.high), y.at(up.value), css="measured", stroke=colour)
    yield line(x.at(across.value), y.at(up.low), x.at(across.value), y.at(up.high), css="measured", stroke=colour)


def _legend(tuning: Tuning) -> Iterable[str]:
    signs = "discs: predicted; line: the front; dots: other candidates"
    if tuning.confirmed:
        signs += "; crosses: measured, with 95 % intervals"
    yield small(_RIGHT, _HEIGHT - 6, signs, "end")
    size = tuning.search.objectives[2:]
    if size:
        yield small(_RIGHT, _TOP - 14, f"size of a disc: {size[0].name}", "end")


def _label(tuning: Tuning, candidate: Candidate) -> str:
    values = (f"{o.name} {wording.amount(candidate.predicted[o.name], o)}" for o in tuning.search.objectives)
    return f"{candidate.name}: {', '.join(values)}"


def _radius(tuning: Tuning, candidate: Candidate) -> float:
    """From 4 to 10 pixels by the third objective over all that are named."""
    third = tuning.search.objectives[2:]
    if not third:
        return 6.0
    values = [other.predicted[third[0].name] for other in tuning.named]
    return Axis(min(values), max(values), 4, 10).at(candidate.predicted[third[0].name])


def _colour(candidate: Candidate) -> str:
    return FILL["before"] if candidate.name == "before" else FILL["after"] if candidate.name == "after" else _PICKED


def _at(tuning: Tuning, candidate: Candidate) -> tuple[float, float]:
    first, second = tuning.search.objectives[:2]
    return candidate.predicted[first.name], candidate.predicted[second.name]
