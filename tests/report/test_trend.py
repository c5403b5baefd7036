"""The picture and the text of one metric over time."""

import math
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest

from harness.model import Kind, Metric, Trend, TrendPoint
from harness.report.svg import standalone
from harness.report.trend import change, levels, sheet, sparkline, trend_picture, trend_text
from tests.report.payloads import PAYLOADS

SVG = "{http://www.w3.org/2000/svg}"


def trend(
    *values: float, steps: tuple[int, ...] = (), kind: Kind = "noisy", baseline: str = "", name: str = "latency"
) -> Trend:
    points = tuple(
        TrendPoint(f"2026-01-{day:02}T12:00:00+00:00", f"s{day}", f"c{day}", value, 9, baseline if day == 2 else "")
        for day, value in enumerate(values, 1)
    )
    return Trend(name, Metric(name, "s" if kind == "noisy" else "1", kind=kind), name, points, steps)


def drawn(picture: str) -> ET.Element:
    return ET.fromstring(standalone(picture))


def with_class(root: ET.Element, name: str) -> list[ET.Element]:
    return [node for node in root.iter() if node.get("class") == name]


def test_each_level_step_and_baseline_is_drawn() -> None:
    root = drawn(trend_picture(trend(1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, steps=(4, 8), baseline="main")))
    flat = with_class(root, "level")
    assert len(flat) == 3
    assert all(node.get("y1") == node.get("y2") for node in flat)
    heights = [float(node.get("y1", "")) for node in flat]
    assert heights == sorted(heights, reverse=True)
    assert len(with_class(root, "step")) == 2
    assert len(with_class(root, "baseline")) == 1
    texts = [node.text for node in root.iter(f"{SVG}text")]
    assert {"+100 %", "+50.0 %", "main", "2026-01-01", "2026-01-12"} <= set(texts)
    (dots,) = with_class(root, "l-after")
    assert dots.get("d", "").count("M") == 12


def test_labels_of_close_steps_do_not_overlap() -> None:
    values = [1.0 + (run // 4) % 2 for run in range(480)]
    root = drawn(trend_picture(trend(*values, steps=tuple(range(4, 480, 4)))))
    labels = sorted(float(node.get("x", "")) for node in root.iter(f"{SVG}text") if "%" in (node.text or ""))
    assert len(labels) > 5
    assert all(right - left > 40 for left, right in pairwise(labels))


@pytest.mark.parametrize("values", [(1.0,), (2.0, 2.0), (0.0, 0.0), (1e-300, 1e300), (-1e300, 1e300)])
def test_any_values_can_be_drawn(values: tuple[float, ...]) -> None:
    root = drawn(trend_picture(trend(*values)))
    for node in root.iter():
        for key in ("x", "y", "x1", "x2", "y1", "y2", "cx", "cy"):
            assert math.isfinite(float(node.get(key, "0")))
    assert trend_text(trend(*values))


def test_a_sheet_holds_all_of_them_and_none() -> None:
    root = drawn(sheet([trend(1, 2), trend(3, 4)]))
    assert [node.get("transform") for node in root.findall(f"{SVG}g")] == ["translate(0 0)", "translate(0 190)"]
    assert drawn(sheet([])).findall(f"{SVG}g") == []


@pytest.mark.parametrize("text", PAYLOADS)
def test_hostile_text_stays_text(text: str) -> None:
    hostile = trend(1, 1, 1, 1, 2, 2, 2, 2, steps=(4,), baseline=text, name=text)
    allowed = {f"{SVG}{name}" for name in ("svg", "title", "desc", "text", "line", "path", "circle", "g")}
    root = drawn(sheet([hostile]))
    assert {node.tag for node in root.iter()} <= allowed
    assert not any(key.lower().startswith("on") or "href" in key for node in root.iter() for key in node.attrib)
    for line in trend_text(hostile):
        assert line.isprintable()
        assert not line.lstrip().startswith("::")


@pytest.mark.parametrize(
    ("before", "after", "kind", "told"),
    [
        (0.040, 0.042, "noisy", "+5.0 %"),
        (3.0, 2.0, "count", "−33.3 %"),
        (0.0, 2.0, "count", "+2"),
        (0.5, 0.75, "rate", "+25.0 points"),
    ],
)
def test_a_step_is_said_as_a_change_is(before: float, after: float, kind: Kind, told: str) -> None:
    one = trend(*[before] * 4, *[after] * 4, steps=(4,), kind=kind)
    assert change(*levels(one), one) == told
    assert f"step {told} at s5 (2026-01-05T12:00:00+00:00, commit c5)" in trend_text(one)[2]


def test_a_sparkline_goes_from_the_lowest_to_the_highest() -> None:
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7]) == "▁▂▃▄▅▆▇█"
    assert sparkline([5.0, 5.0]) == "▄▄"
    assert sparkline([1.7e308, -1.7e308]) == "█▁"


def test_only_the_newest_runs_are_barred() -> None:
    values = [9.0] * 10 + [1.0] * 60
    assert trend_text(trend(*values))[1].startswith("  " + "▄" * 60 + " ")
