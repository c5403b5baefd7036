"""Errors counted by kind: in which round, of which variant, and 0 for every round without one."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from harness.configuration.load import load
from harness.files.journal import Journal, read_journal
from harness.files.records import Record, RoundDone, Value
from harness.kinds import COMMON
from harness.measure import errors
from harness.measure.callers import at_once
from harness.measure.errors import ErrorCounts, ErrorWatch
from harness.measure.http import Response
from harness.measure.recorder import Recorder
from harness.model import SIDES, Side
from tests.measure.conftest import Stacks

GONE, LATE = "ERROR: row 7 gone", "ERROR: late by 3 s"


class Watched:
    """One service of both variants, listened to over rounds, with a journal."""

    def __init__(self, folder: Path, *, always: bool = False) -> None:
        self.path = folder / "journal.jsonl"
        self.journal = Journal.create(self.path)
        self.always = always
        self.begin()

    def begin(self) -> None:
        self.recorder = Recorder(self.journal, {})
        self.counts: dict[Side, ErrorCounts] = {side: ErrorCounts(COMMON, always=self.always) for side in SIDES}
        self.watch = ErrorWatch({side: {"backend": self.counts[side]} for side in SIDES})

    def again(self) -> None:
        """A later process goes on."""
        self.begin()
        self.watch.go_on(read_journal(self.path).records, self.recorder)

    def says(self, side: Side, *lines: str, stopping: bool = False) -> None:
        heard = self.counts[side].listener()
        for line in lines:
            heard(line, stopping)

    def round(self, number: int) -> None:
        self.watch.end_round(number, self.recorder)
        self.journal.write(RoundDone(number))

    def told(self) -> Mapping[str, Mapping[Side, Mapping[int, float]]]:
        """Kind -> side -> round -> count; every value once."""
        found: dict[str, dict[Side, dict[int, float]]] = {}
        for value in (r for r in read_journal(self.path).records if isinstance(r, Value)):
            assert value.scenario == "errors/backend"
            of_side = found.setdefault(value.metric, {side: {} for side in SIDES})[value.side]
            assert value.round not in of_side, "told twice"
            of_side[value.round] = value.value
        return found


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


def test_a_kind_is_told_of_both_variants_and_of_the_rounds_before_it(watched: Watched) -> None:
    watched.round(0)
    watched.says("before", GONE, "INFO: fine", GONE.replace("7", "8"))
    watched.round(1)
    watched.says("after", LATE)
    watched.round(2)
    watched.round(3)
    zeros = dict.fromkeys(range(4), 0)
    assert watched.told() == {
        "total": {"before": zeros | {1: 2}, "after": zeros | {2: 1}},
        "row <n> gone": {"before": zeros | {1: 2}, "after": zeros},
        "late by <n> s": {"before": zeros, "after": zeros | {2: 1}},
    }


def test_without_errors_there_is_nothing_unless_the_service_says_what_one_is(watched: Watched, tmp_path: Path) -> None:
    watched.round(0)
    assert watched.told() == {}
    (tmp_path / "other").mkdir()
    always = Watched(tmp_path / "other", always=True)
    always.round(0)
    assert always.told() == {"total": {"before": {0: 0}, "after": {0: 0}}}


def test_what_happened_before_the_first_round_is_forgotten(watched: Watched) -> None:
    watched.says("before", GONE)
    watched.watch.forget()
    watched.round(0)
    assert watched.told() == {}


def test_errors_at_shutdown_and_error_answers_have_kinds_of_their_own(watched: Watched) -> None:
    watched.says("after", GONE)
    watched.says("after", GONE, stopping=True)
    watched.counts["after"].answered(Response(501, {}, b'{"error": "method 3 not found"}'))
    watched.round(0)
    counted = {kind: sides["after"][0] for kind, sides in watched.told().items()}
    assert counted == {
        "total": 3,
        "row <n> gone": 1,
        "at shutdown: row <n> gone": 1,
        "status 501: method <n> not found": 1,
    }


def test_a_session_that_goes_on_knows_the_kinds_and_the_rounds(watched: Watched) -> None:
    watched.round(0)
    watched.says("before", GONE)
    watched.round(1)
    watched.again()
    watched.says("after", LATE)
    watched.round(2)
    assert watched.told() == {
        "total": {"before": {0: 0, 1: 1, 2: 0}, "after": {0: 0, 1: 0, 2: 1}},
        "row <n> gone": {"before": {0: 0, 1: 1, 2: 0}, "after": {0: 0, 1: 0, 2: 0}},
        "late by <n> s": {"before": {0: 0, 1: 0, 2: 0}, "after": {0: 0, 1: 0, 2: 1}},
    }


def test_zeros_that_were_cut_off_are_written_by_the_one_that_goes_on(tmp_path: Path) -> None:
    """Killed after any record, while the zeros of a kind that is new in round 2 are written."""
    whole = Watched(tmp_path)
    for number in range(2):
        whole.round(number)
    whole.says("before", GONE)
    whole.round(2)
    records = read_journal(whole.path).records
    for end in range(2, len(records)):
        _cut_after(tmp_path, end, records[:end])


def test_what_was_damaged_is_not_told_to_be_nothing(tmp_path: Path) -> None:
    whole = Watched(tmp_path)
    for number in range(3):
        whole.says("before", GONE)
        whole.round(number)
    (tmp_path / "damaged").mkdir()
    damaged = Watched(tmp_path / "damaged")
    for record in read_journal(whole.path).records:
        if not (isinstance(record, Value) and (record.round, record.side, record.metric) == (1, "before", "total")):
            damaged.journal.write(record)
    damaged.again()
    assert damaged.told()["total"]["before"] == {0: 1, 2: 1}


def _cut_after(tmp_path: Path, end: int, records: tuple[Record, ...]) -> None:
    folder = tmp_path / str(end)
    folder.mkdir()
    cut = Watched(folder)
    for record in records:
        cut.journal.write(record)
    cut.again()
    cut.round(3)
    for sides in cut.told().values():
        for counts in sides.values():
            assert {0, 1, 3} <= set(counts)
            assert not any(count for number, count in counts.items() if number != 2)


def test_secrets_and_control_signs_do_not_get_into_a_kind(watched: Watched) -> None:
    watched.says("before", "ERROR: password=hunter2 at \x1b]0;x\x07 http://me:hunter3@db/x")
    watched.round(0)
    (kind,) = watched.told().keys() - {"total"}
    assert "hunter" not in kind
    assert kind.isprintable()


def test_a_message_that_is_called_as_a_sum_is_a_kind_of_its_own(watched: Watched) -> None:
    watched.round(0)
    watched.says("before", "ERROR: total", "ERROR: other kinds", GONE)
    watched.round(1)
    counted = {kind: sides["before"] for kind, sides in watched.told().items()}
    assert counted == {
        "total": {0: 0, 1: 3},
        '"total"': {0: 0, 1: 1},
        '"other kinds"': {0: 0, 1: 1},
        "row <n> gone": {0: 0, 1: 1},
    }


def test_of_which_kind_an_answer_is_is_not_asked_while_a_scenario_may_be_timing_it(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = []
    monkeypatch.setattr(errors, "told_by", lambda body: looked.append(body) or "gone")
    monkeypatch.setattr(errors, "_ANSWERS", 3)
    counts = watched.counts["after"]
    for _ in range(2):
        counts.answered(Response(500, {}, b"x" * 10**6))
    assert looked == []
    for _ in range(2):  # not for ever: there may be very many
        counts.answered(Response(500, {}, b"x" * 10**6))
    assert len(looked) == 3
    assert counts.take() == Counter({"status 500: gone": 4})
    assert max(map(len, looked)) < 10**5


def test_there_are_not_too_many_kinds(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errors, "MAX_KINDS", 3)
    monkeypatch.setattr(errors, "_HELD", 8)
    names = [f"ERROR: kind {chr(ord('a') + number)}" for number in range(20)]
    watched.says("before", *names)
    watched.round(0)
    watched.says("after", *names[:4], *reversed(names))
    watched.round(1)
    counted = {kind: (sides["before"][0], sides["after"][1]) for kind, sides in watched.told().items()}
    assert set(counted) == {"total", "kind a", "kind b", "kind c", "other kinds"}
    assert counted["total"] == (20, 24)
    for column in range(2):
        assert sum(pair[column] for kind, pair in counted.items() if kind != "total") == counted["total"][column]


def test_taking_starts_anew() -> None:
    counts = ErrorCounts(COMMON)
    counts.listener()(GONE, False)  # noqa: FBT003
    assert counts.take() == Counter({"row <n> gone": 1})
    assert counts.take() == Counter()
    silent = ErrorCounts("")
    silent.listener()(GONE, False)  # noqa: FBT003
    assert silent.take() == Counter()


def test_what_scenarios_are_refused_counts_and_what_the_harness_asks_does_not(stacks: Stacks, tiny: Path) -> None:
    """While it comes up the service answers 503 until it is ready."""
    file = tiny / "harness.toml"
    file.write_text(file.read_text("utf-8").replace("WORK = 0.002,", 'WORK = 0.002, DELAY = "0.1",'), "utf-8")
    stack = stacks.open(load(file))
    stack.restart()
    counts = stack.errors["backend"]
    assert counts.take() == Counter()
    backend = stack.service("backend")
    assert backend.get("/nothing").status == 404
    at_once(backend, 3, lambda client, _: client.get("/nothing"))
    with stack.another("backend", {"DELAY": "0.2"}, settled=False) as (other, _):
        assert counts.take() == Counter({"status 404: no such thing": 4})
        other.get("/nothing")
    assert backend.get("/work").status == 200
    assert counts.take() == Counter({"status 404: no such thing": 1})
    assert set(stack.errors) == {"backend"}


def test_what_a_service_prints_counts_over_its_starts(stacks: Stacks, tiny: Path) -> None:
    """Two processes, each of which complains when it starts and when it is told to stop."""
    service = tiny / "service.py"
    said = 'print("ERROR: hello 1", flush=True)\n    __import__("signal").signal(15, bye)\n    mark("exec")'
    bye = 'def bye(*_):\n    print("ERROR: bye 1", flush=True)\n    os._exit(0)\n\n\nif __name__ =='
    text = service.read_text("utf-8").replace('mark("exec")', said).replace("if __name__ ==", bye)
    service.write_text(text, "utf-8")
    stack = stacks.open(load(tiny / "harness.toml"))
    stack.restart()
    stack.restart()
    stack.end_round()
    counted = stack.errors["backend"].take()
    assert counted == Counter({"hello <n>": 2, "at shutdown: bye <n>": 2})
