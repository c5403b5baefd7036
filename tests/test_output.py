"""What a service prints: whole lines from any pieces, marks apart, a log that stays small."""

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import output
from harness.output import Output


def mark(name: str, at: int) -> bytes:
    return json.dumps({"mark": name, "monotonic_ns": at}).encode() + b"\n"


@given(st.lists(st.integers(0, 200), max_size=8))
def test_pieces_of_any_size_are_the_same_lines(tmp_path_factory: pytest.TempPathFactory, cuts: list[int]) -> None:
    text = b"first\n" + mark("ready", 2_000_000_000) + "zwei ü\n".encode() + b"\xff\nlast without end"
    log = tmp_path_factory.mktemp("logs") / "log"
    seen = Output(log)
    bounds = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    for start, end in pairwise(bounds):
        seen.feed(text[start:end])
    seen.end()
    assert seen.marks == {"ready": 2.0}
    assert seen.last_lines.split("\n    ") == ["", "first", "zwei ü", "\\xff", "last without end"]
    assert log.read_bytes() == text


def test_the_first_of_equal_marks_counts_and_waiting_ends_with_the_output(tmp_path: Path) -> None:
    seen = Output(tmp_path / "log")
    seen.feed(mark("ready", 1) + mark("ready", 2))
    assert seen.wait_for_mark("ready", 0)
    assert seen.marks == {"ready": 1e-9}
    seen.end()
    assert not seen.wait_for_mark("settled", 60)


def test_the_log_is_bounded_and_may_be_impossible(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "MAX_LOG", 1000)
    seen = Output(tmp_path / "log")
    for number in range(100):
        seen.feed(f"{number:099}\n".encode())
    assert (tmp_path / "log").stat().st_size == 1000
    assert seen.last_lines.endswith(f"{99:099}")
    nowhere = Output(tmp_path / "no" / "folder")
    nowhere.feed(b"said\n")
    assert nowhere.last_lines == "\n    said"


def test_the_bound_is_the_files_over_all_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "MAX_LOG", 100)
    for _ in range(3):
        Output(tmp_path / "log").feed(b"x" * 59 + b"\n")
    assert (tmp_path / "log").stat().st_size == 100


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("\x1b[2J\x07gone\rforged", r"\x1b[2J\x07gone\rforged"),
        ("\u202etfel", r"\u202etfel"),
        ("::error file=x::forged", r"\::error file=x::forged"),
        (" \t::stop-commands::x", r"\    ::stop-commands::x"),
        ("ok ##[error]x ##vso[task.setvariable]y", r"ok #\#[error]x #\#vso[task.setvariable]y"),
        ("std::vector # ## heading [1]", "std::vector # ## heading [1]"),
        ("postgres://ada:hunter2@db/x password=hunter3", "postgres://•••@db/x password=•••"),
        ("x" * 10**6, "x" * 300),
    ],
)
def test_what_a_service_prints_takes_no_effect_where_it_is_quoted(said: str, shown: str, tmp_path: Path) -> None:
    seen = Output(tmp_path / "log")
    seen.feed(said.encode() + b"\n")
    assert seen.last_lines == f"\n    {shown}"


@given(
    st.binary() | st.sampled_from([b'{"mark": ' + b"[" * 10**5, b'{"mark": "x", "monotonic_ns": ' + b"9" * 5000 + b"}"])
)
def test_nothing_that_is_printed_stops_the_reading(tmp_path_factory: pytest.TempPathFactory, said: bytes) -> None:
    seen = Output(tmp_path_factory.getbasetemp() / "log")
    seen.feed(said + b"\n" + mark("ready", 5))
    seen.end()
    assert seen.marks == {"ready": 5e-9}
    assert seen.last_lines.replace("\n", "").isprintable()


@pytest.mark.parametrize("at", [True, 0, -1, 2**63, 1.5, "1", None])
def test_a_time_that_none_can_be_is_no_mark(at: object, tmp_path: Path) -> None:
    seen = Output(tmp_path / "log")
    seen.feed(json.dumps({"mark": "ready", "monotonic_ns": at}).encode() + b"\n")
    assert seen.marks == {}


def test_a_line_without_end_does_not_grow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "_MAX_LINE", 100)
    seen = Output(tmp_path / "log")
    for _ in range(50):
        seen.feed(b"x" * 60)
    assert len(seen._begun) <= 160
