"""The oracles of the analytics scenarios: a truth table that would accept anything proves nothing."""

import importlib.util
import sys
from copy import deepcopy
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SUITE = Path(__file__).parents[2] / "scenarios" / "analytics"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"scenarios_analytics_{name}", SUITE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


table, advice = load("test_truth_table"), load("test_advice")


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where the numbers and texts of an answer are."""
    if isinstance(value, dict):
        return [place for key, item in value.items() for place in places(item, (*path, key))]
    if isinstance(value, list):
        return [place for at, item in enumerate(value) for place in places(item, (*path, at))]
    return [path]


def spoiled(answer: Any, place: tuple[Any, ...]) -> Any:
    copy = deepcopy(answer)
    inside = copy
    for key in place[:-1]:
        inside = inside[key]
    old = inside[place[-1]]
    inside[place[-1]] = old + 1e-6 * (1 + abs(old)) if isinstance(old, int | float) else f"not {old}"
    return copy


@pytest.mark.parametrize("case", table.CASES)
def test_every_single_figure_counts(case: str) -> None:
    wanted = table.expected(table.CASES[case])
    assert list(table.differences(wanted, wanted)) == []
    everywhere = places(wanted)
    assert len(everywhere) >= 12
    for place in everywhere:
        assert len(list(table.differences(spoiled(wanted, place), wanted))) == 1, place


def test_a_missing_or_further_kind_is_noticed() -> None:
    wanted = table.expected(table.CASES["many kinds"])
    for kinds in (wanted["slowest_kinds"][:-1], [*wanted["slowest_kinds"], wanted["slowest_kinds"][0]]):
        assert list(table.differences({**wanted, "slowest_kinds": kinds}, wanted))


def test_the_labelled_workloads_cover_every_rule_alone_in_company_and_absent() -> None:
    labels = [set(shape.due) for shape in advice.WORKLOADS.values()]
    assert len(labels) >= 24
    assert labels.count(set()) >= 10
    for rule in advice.RULES:
        assert labels.count({rule}) >= 2
        assert any(rule in due and len(due) > 1 for due in labels)


@pytest.mark.parametrize("share", [0.0, 0.004, 0.1, 0.43, 0.8, 1.0])
@pytest.mark.parametrize("n", [600, 3000])
def test_shares_are_met_to_one_query(share: float, n: int) -> None:
    met = [index for index in range(n) if advice.nth(index, share)]
    assert abs(len(met) - share * n) < 1
    for half in (range(n // 2), range(n // 2, n)):
        assert abs(len(set(met) & set(half)) - share * n / 2) <= 1
