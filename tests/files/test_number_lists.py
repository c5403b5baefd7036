"""Long lists of numbers, read apart: the same documents, the same refusals, the same hashes as without."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import ExitCode, HarnessError
from harness.files import strict_json
from harness.files.codec import decode
from harness.files.json_text import as_written, compact, reviewable
from harness.files.number_lists import NumberList, cut_out
from harness.files.runfile import read_run, run_bytes
from harness.files.strict_json import Mismatch, parse_object
from harness.model import Metric, Run, Sample, Variant

LONG = 150
numbers = st.floats(-1e17, 1e17) | st.integers(-(2**53), 2**53) | st.floats(-1, 1)
long_lists = st.lists(numbers, min_size=LONG, max_size=LONG + 5) | st.lists(
    st.integers(-99, 99), min_size=LONG, max_size=LONG
)
awkward = st.sampled_from(["[" + "1, " * 200 + "1]", 'a"b', "\\", "NaN", "\\\\", '\\"[1,2]', "Infinity", "é"])
leaves = st.none() | st.booleans() | numbers | st.text(max_size=5) | awkward | long_lists
documents = st.dictionaries(
    st.text(max_size=4) | awkward,
    st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner)),
    max_size=5,
)


@pytest.fixture
def apart(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Small documents are read as large ones are."""
    monkeypatch.setattr(strict_json, "_LARGE", -1)
    return monkeypatch


def plain(node: Any) -> Any:
    match node:
        case NumberList():
            return node.plain()
        case dict():
            return {name: plain(member) for name, member in node.items()}
        case list():
            return [plain(item) for item in node]
        case _:
            return node


unhealthy = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]  # the fixture changes nothing between examples
few_and_large = settings(max_examples=50, suppress_health_check=unhealthy)


@few_and_large
@given(documents, st.sampled_from([None, 1]))
def test_any_document_is_the_same(apart: pytest.MonkeyPatch, document: dict[str, Any], indent: int | None) -> None:
    for ascii_only in (True, False):
        data = json.dumps(document, indent=indent, ensure_ascii=ascii_only).encode()
        parsed = parse_object(data)
        assert plain(parsed) == document
        assert json.loads(compact(parsed)) == document


@few_and_large
@given(documents)
def test_what_we_write_is_hashed_as_written(apart: pytest.MonkeyPatch, document: dict[str, Any]) -> None:
    for text in (compact(document), reviewable(document).encode()):
        assert as_written(parse_object(text)) == compact(document)


def test_long_lists_are_cut_out() -> None:
    long = json.dumps([0.5] * LONG)
    rest, lists = cut_out(f'{{"a": {long}, "b": "[NaN]", "c": [1, 2]}}'.encode())
    assert rest == b'{"a": NaN, "b": "[NaN]", "c": [1, 2]}'
    assert [(numbers.plain(), numbers.integers()) for numbers in lists] == [([0.5] * LONG, None)]


def test_what_only_looks_like_a_list_stays_what_it_is() -> None:
    long = json.dumps([0.5] * LONG)
    text = f'{{"a": {long}, "b": {json.dumps(long)}}}'.encode()
    with pytest.raises(ValueError, match="inside a string"):
        cut_out(text)
    assert parse_object(text)["b"] == long


@pytest.mark.parametrize(
    "item",
    ["NaN", "-Infinity", "true", "null", "1,,2", "01", "1.", "+1", ".5", "1e19", "9" * 25, "9" * 5000, "1e400", "0x1",
     "1 2", "-", "1e", "[1]", '"1"'],
)  # fmt: skip
def test_what_is_refused_otherwise_is_refused_with_the_same_words(apart: pytest.MonkeyPatch, item: str) -> None:
    ones = ", ".join(["1"] * LONG)
    data = f'{{"a": 1,\n "b": [{ones}, {item}, {ones}]}}'.encode()
    found = refusal(data)
    apart.setattr(strict_json, "_LARGE", len(data))
    assert found == refusal(data)


def refusal(data: bytes) -> str:
    """Why the list ``b`` in ``data`` cannot be read; what it holds, if it can."""
    try:
        return repr(decode(tuple[float, ...], parse_object(data)["b"]))  # type: ignore[arg-type]
    except Mismatch as mismatch:
        return str(mismatch)


@pytest.mark.parametrize("text", ['{"a": NaN}', '{"a": [-Infinity]}', '{"a": "' + "x" * 300, "[1]", '{"a": 1} NaN'])
def test_a_placeholder_cannot_be_smuggled_in(apart: pytest.MonkeyPatch, text: str) -> None:
    with pytest.raises(Mismatch):
        parse_object(text.encode())


def test_an_unfinished_string_of_quotes_takes_no_longer_than_its_length(apart: pytest.MonkeyPatch) -> None:
    cut_out(b'{"a": "' + b'\\"' * 2_000_000)  # quadratic, it would take hours


def test_depth_and_number_of_lists_stay_bounded(apart: pytest.MonkeyPatch) -> None:
    ones = json.dumps([1] * LONG)
    deep = strict_json.MAX_DEPTH - 1
    assert parse_object(b'{"a":' + b"[" * (deep - 1) + ones.encode() + b"]" * (deep - 1) + b"}")
    with pytest.raises(Mismatch, match="nested 33 deep"):
        parse_object(b'{"a":' + b"[" * deep + ones.encode() + b"]" * deep + b"}")
    apart.setattr(strict_json, "MAX_CONTAINERS", 3)
    with pytest.raises(Mismatch, match="4 objects and lists"):
        parse_object(f'{{"a":{ones},"b":{ones},"c":{ones}}}'.encode())


def test_integers_stay_integers_and_numbers_become_floats() -> None:
    _, (whole,) = cut_out(json.dumps([2**53, *range(LONG)]).encode())
    assert decode(tuple[int, ...], whole) == (2**53, *range(LONG))  # type: ignore[arg-type]
    assert {type(number) for number in decode(tuple[float, ...], whole)} == {float}  # type: ignore[arg-type]
    _, (mixed,) = cut_out(json.dumps([0.5, *range(LONG)]).encode())
    with pytest.raises(Mismatch, match=r"\[0\]: found 0.5, allowed: a whole number"):
        decode(tuple[int, ...], mixed)  # type: ignore[arg-type]


def run() -> Run:
    values = tuple(1 / (number + 3) for number in range(5000))
    sample = Sample("s/a", Metric("time", "s"), values, tuple(range(5000)), (0,) * 5000)
    return Run("x", Variant("before", "before"), "2026-01-01T00:00:00+00:00", 1, 5000, "complete", (sample,))


def with_tuples(run: Run) -> Run:
    return replace(run, samples=tuple(replace(sample, values=tuple(sample.values)) for sample in run.samples))


def test_a_large_run_file_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_bytes(run_bytes(run()))
    assert path.stat().st_size > strict_json._LARGE
    assert with_tuples(read_run(path)) == run()


def test_a_large_run_file_is_held_to_its_values_not_to_their_spelling(tmp_path: Path) -> None:
    path, text = tmp_path / "run.json", run_bytes(run())
    assert b"[0.3333333333333333, 0.25, " in text
    path.write_bytes(text.replace(b"0.25, ", b"2.50e-1,  "))
    assert with_tuples(read_run(path)) == run()
    path.write_bytes(text.replace(b"0.25, ", b"0.26, "))
    with pytest.raises(HarnessError, match="content hash differs") as raised:
        read_run(path)
    assert raised.value.code == ExitCode.INTEGRITY
