"""The HTML file: complete, small, offline, well-formed, readable by everyone."""

import random
import re
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest

from harness.errors import ExitCode
from harness.judge.comparison import Verdict
from harness.judge.gate import Gate
from harness.model import Metric
from harness.report import html, markdown, traces
from harness.report.view import build_view
from tests.report import data, reading

TEXT = html.render(data.view())
PAGE = reading.page(TEXT)


def attributes(name: str) -> list[str]:
    return [value for _, attribute, value in PAGE.attributes if attribute == name]


def test_the_policy_allows_no_script_and_no_network() -> None:
    assert attributes("content")[0] == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    assert not {tag for tag, _ in PAGE.elements} & {
        "script",
        "iframe",
        "object",
        "embed",
        "link",
        "img",
        "base",
        "form",
    }
    assert not re.search(r"https?:|url\(|@import|//[a-z]", TEXT)


def test_thirty_noisy_metrics_of_fifty_values_stay_below_300_kilobytes() -> None:
    rng = random.Random(1)
    before, after = data.run("before"), data.run("after")
    base = next(s for s in before.samples if s.metric is data.READY)
    samples = tuple(
        replace(base, scenario=f"load/number_{i}", metric=Metric("latency", "s"),
                values=tuple(rng.lognormvariate(0, 0.2) for _ in range(50)), rounds=tuple(range(50)), pairs=(0,) * 50)
        for i in range(30)
    )  # fmt: skip
    comparisons = [
        replace(data.comparisons(before, after)[0], scenario=s.scenario, metric=s.metric, verdict=Verdict.REGRESSED)
        for s in samples
    ]
    before, after = replace(before, samples=samples), replace(after, samples=samples)
    view = build_view(before, after, comparisons, Gate(ExitCode.REGRESSED, 30, 30, "30 regressed"))
    assert len(html.render(view).encode()) < 300_000


def test_a_warning_of_many_rows_is_said_once_above_them() -> None:
    before, after = data.run("before"), data.run("after")
    found = [replace(one, warnings=("the machine was busy",)) for one in data.comparisons(before, after)]
    found[0] = replace(found[0], warnings=("the machine was busy", "the values drift"))
    text = html.render(build_view(before, after, found, data.GATE))
    overview = text[: text.index("Every comparison in detail")]
    assert overview.count("the machine was busy") == 1
    assert f"and {len(found) - 1} more metrics" in overview
    assert overview.count("the values drift") == 1


def test_the_page_can_be_read_without_seeing_it() -> None:
    assert PAGE.elements[0] == ("html", ("lang",))
    levels = [int(tag[1]) for tag, _ in PAGE.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert all("scope" in names for tag, names in PAGE.elements if tag == "th")
    count = Counter(tag for tag, _ in PAGE.elements)
    assert count["svg"] == sum("role" in names for tag, names in PAGE.elements if tag == "svg") > 30
    assert count["title"] == count["svg"] + 1


def test_only_the_worst_row_is_unfolded() -> None:
    folds = [names for tag, names in PAGE.elements if tag == "details"]
    assert ["open" in names for names in folds] == [True] + [False] * 24


def test_every_picture_is_well_formed_xml() -> None:
    pictures = re.findall(r"<svg.*?</svg>", TEXT, re.DOTALL)
    for picture in pictures:
        ET.fromstring(picture)
    assert len(pictures) > 30


def test_pictures_for_markdown_have_safe_distinct_names_and_are_linked() -> None:
    for view in (data.view(), data.poisoned("../../<b>\n"), data.poisoned("Ä" * 300)):
        files = list(traces.files(view))
        assert len({file.name for file in files}) == len(files) == len(view.startups) + len(view.timelines)
        for file in files:
            assert re.fullmatch(r"[a-z0-9-]+\.svg", file.name)
            assert ET.fromstring(file.content).tag == "{http://www.w3.org/2000/svg}svg"
        text = markdown.render(view, {file.title: f"pictures/{file.name}" for file in files})
        links = [str(t.attrs["src"]) for t in reading.tokens(text) if t.type == "image"]
        assert links == [f"pictures/{file.name}" for file in files]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_enough_contrast(scheme: str) -> None:
    """At least 4.5 to 1 (WCAG 2.2, 1.4.3) for every colour of text on every ground it is printed on."""
    roots = re.findall(r":root \{(.*?)\}", TEXT, re.DOTALL)
    colors = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", roots[scheme == "dark"]))
    grounds = {
        "page": ("ink", "soft", "before", "after", "bad", "good", "unsure", "void"),
        "card": ("ink", "soft", "before", "after", "bad", "good", "unsure", "void"),
        "bad-soft": ("ink", "soft", "bad"), "good-soft": ("ink", "soft", "good"),
        "unsure-soft": ("ink", "unsure"), "void-soft": ("void",), "calm-soft": ("soft",),
    }  # fmt: skip
    for ground, inks in grounds.items():
        for ink in inks:
            assert contrast(colors[ink], colors[ground]) >= 4.5, (ink, ground)


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def luminance(color: str) -> float:
    shares = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
