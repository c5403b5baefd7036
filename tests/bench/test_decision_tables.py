"""What is printed of blocks and of slowdowns really executed, on traces whose answer is known."""

from pathlib import Path

import numpy as np
import pytest

from bench.decisions import blocks, live
from bench.decisions.traces import Trace

SAMPLE = Path(blocks.__file__).with_name("sample")


def _blocks(levels: list[float]) -> Trace:
    generator = np.random.default_rng(0)
    values = {
        f"{workload}_wall": np.array([level * np.exp(0.01 * generator.normal(size=requests)) for level in levels])[None]
        for workload, requests in blocks.REQUESTS.items()
    }
    return Trace("simulated", (0.0,), np.full(len(levels), 1.0), values)


def test_blocks_of_one_level_are_not_called_and_others_are() -> None:
    same = blocks.table(_blocks([1.0] * 11))
    assert "| mean:5% (pytest-benchmark) | 0 [0.0, 27.8] | 0 [0.0, 27.8] |" in same
    other = blocks.table(_blocks([1.0, 1.2] * 5 + [1.0]))
    assert other.count("| 100 [72.2, 100.0] | 100 [72.2, 100.0] |") == 4


@pytest.mark.parametrize("condition", ["calm", "neighbour"])
def test_the_recorded_blocks_have_as_many_values_as_the_rules_get_of_rounds(condition: str) -> None:
    trace = Trace.load(SAMPLE / f"blocks-{condition}.npz")
    assert {name: values.shape[2] for name, values in trace.values.items()} == {"http_wall": 224, "query_wall": 168}
    assert f"n = {len(trace.seconds) - 1} a workload" in blocks.table(trace)


def test_slots_are_judged_against_the_first_window_by_window() -> None:
    generator = np.random.default_rng(0)
    level = np.array([1.0, 1.0, 1.1])[:, None, None]
    trace = Trace(
        "simulated",
        (0.0, 0.0, 0.10),
        np.full(60, 1.0),
        {"http_wall": level * np.exp(0.01 * generator.normal(size=(3, 60, 4)))},
    )
    lines = live.table(trace, ["http_wall"], (14, 20, 28)).splitlines()
    assert lines[0].startswith("2 disjoint windows of 28 rounds")
    same, slower = lines[2:]
    assert same.startswith("     0 %")
    assert same.endswith("0 [0.0, 65.8]    0 [0.0, 65.8]")
    assert slower.startswith("    10 %")
    assert "100 [34.2, 100.0]" in slower
