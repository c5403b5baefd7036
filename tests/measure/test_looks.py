"""Looks between rounds: what goes on, what stops, when time is up, and how a session is taken up again."""

from collections.abc import Collection
from pathlib import Path

from harness.files.records import Looked, Noted, RoundDone
from harness.judge.policy import Policy
from harness.judgement import judge
from harness.measure.rounds import MAX_FAILURES, MAX_REPEATS, Stopping
from harness.measure.scenario import Scenario
from harness.measure.turn import Turn
from harness.progress import progress_line
from tests.measure.simulated import Session, works

A = Scenario("load/a", works, looks=(2, 4, 7))
B = Scenario("load/b", works, looks=(2, 4, 7))
OWN = Scenario("load/own", works, looks=(5,))


def rounds_of(session: Session, scenario: Scenario) -> int:
    return len({value.round for value in session.values if value.scenario == scenario.id})


def asking(*answers: Collection[str]) -> tuple[list[int], Stopping]:
    """A stop rule that gives these answers in turn, and when it was asked."""
    asked: list[int] = []

    def still_open(done: int) -> Collection[str]:
        asked.append(done)
        return answers[len(asked) - 1]

    return asked, Stopping(still_open)


def test_what_is_decided_stops_and_the_rest_goes_on(tmp_path: Path) -> None:
    session = Session(tmp_path)
    asked, session.stopping = asking(["load/a", "load/own"], [])
    session.run(A, B, OWN)
    assert asked == [2, 4]
    assert {s.id: rounds_of(session, s) for s in (A, B, OWN)} == {"load/a": 4, "load/b": 2, "load/own": 5}
    assert session.records(Looked) == [Looked(2, ("load/a",)), Looked(4, ())]


def test_the_last_look_needs_no_question(tmp_path: Path) -> None:
    session = Session(tmp_path)
    asked, session.stopping = asking(["load/a"], ["load/a"])
    session.run(A)
    assert asked == [2, 4]
    assert rounds_of(session, A) == 7


def test_one_look_asks_nothing(tmp_path: Path) -> None:
    session = Session(tmp_path)
    asked, session.stopping = asking()
    session.run(OWN)
    assert (asked, rounds_of(session, OWN)) == ([], 5)


def test_no_stretch_begins_that_would_pass_the_time_limit(tmp_path: Path) -> None:
    session = Session(tmp_path, before=1.0, after=1.0, noise=0.0)  # a round of A takes 4 s, the first starts 2 s
    session.stopping = Stopping(lambda done: {"load/a"}, time_limit=20.0)
    session.run(A)
    assert rounds_of(session, A) == 4
    (note,) = session.records(Noted)
    assert note.text == (
        "Stopped after 4 rounds with 1 scenario undecided: 3 more rounds would have taken about 12 s, beyond the time "
        "limit of 20 s."
    )
    assert session.records(Looked)[-1] == Looked(4, ())
    assert note.text in session.runs[0].notes


def test_the_first_look_is_reached_whatever_the_time_limit(tmp_path: Path) -> None:
    session = Session(tmp_path)
    session.stopping = Stopping(lambda done: {"load/a"}, time_limit=0.001)
    session.run(A, OWN)
    assert {s.id: rounds_of(session, s) for s in (A, OWN)} == {"load/a": 2, "load/own": 5}


def test_a_resumed_session_keeps_to_what_was_decided(tmp_path: Path) -> None:
    session = Session(tmp_path)
    asked, session.stopping = asking(["load/a", "load/b"])
    session.run(A, B, first=3, done=3, looked=Looked(2, ("load/a",)))
    assert asked == [4]
    assert (rounds_of(session, A), rounds_of(session, B)) == (4, 0)


def test_a_session_killed_before_its_look_looks_first(tmp_path: Path) -> None:
    session = Session(tmp_path)
    asked, session.stopping = asking([])
    session.run(A, first=4, done=4, looked=Looked(2, ("load/a",)))
    assert (asked, session.values) == ([4], [])


def test_rounds_asleep_do_not_count_and_are_repeated(tmp_path: Path) -> None:
    session = Session(tmp_path)

    def sleeps(turn: object) -> None:
        if turn.round in (1, 3):  # type: ignore[attr-defined]
            session.asleep += 30.0  # in both turns of the round
        works(turn)  # type: ignore[arg-type]

    session.run(Scenario("load/works", sleeps, looks=(3,)))
    assert [record.round for record in session.records(RoundDone)] == [0, 2, 4]
    before, after = session.runs
    assert before.rounds == after.rounds == 3
    assert [(dropped.round, dropped.why) for dropped in after.dropped] == [
        (1, "the machine slept 60 s"),
        (3, "the machine slept 60 s"),
    ]
    assert {number for sample in after.samples for number in sample.rounds} == {0, 2, 4}


def test_what_fails_in_a_round_asleep_is_a_note_and_no_failure(tmp_path: Path) -> None:
    session = Session(tmp_path)

    def times_out(turn: Turn) -> None:
        if turn.round < MAX_FAILURES + 1 and turn.side == "after":
            session.asleep += 30.0
            raise RuntimeError("no answer in 10 s")
        works(turn)

    rounds = session.run(Scenario("load/works", times_out, looks=(3,)))
    assert rounds.errors == {}
    before, after = session.runs
    assert before.failures == after.failures == ()
    assert (after.rounds, len(after.dropped)) == (3, MAX_FAILURES + 1)  # nor was the scenario given up
    assert "Failed in round 1, which does not count: load/works: after: RuntimeError: no answer in 10 s" in after.notes
    gate = judge(before, after, Policy()).gate
    assert not [reason for reason in gate.reasons if "failed" in reason]


def test_a_failure_in_a_disturbed_round_that_counts_is_a_failure(tmp_path: Path) -> None:
    session = Session(tmp_path)

    def times_out(turn: Turn) -> None:
        session.asleep += 5.0
        if turn.round == MAX_REPEATS:
            raise RuntimeError("no answer in 10 s")
        works(turn)

    rounds = session.run(Scenario("load/works", times_out, looks=(3,)))
    assert isinstance(rounds.errors["load/works"], RuntimeError)
    assert [(failure.round, run.rounds) for run in session.runs for failure in run.failures] == [(MAX_REPEATS, 3)] * 2


def test_a_machine_that_never_lets_go_does_not_keep_a_session_from_ending(tmp_path: Path) -> None:
    session = Session(tmp_path)

    def sleeps(turn: object) -> None:
        session.asleep += 5.0
        works(turn)  # type: ignore[arg-type]

    session.run(Scenario("load/works", sleeps, looks=(3,)))
    before, _ = session.runs
    assert (before.rounds, len(before.dropped)) == (3, 5)
    assert any(note.startswith("Counted although disturbed") for note in before.notes)


def test_progress_tells_how_many_scenarios_are_open(tmp_path: Path) -> None:
    session = Session(tmp_path, before=1.0, after=1.0, noise=0.0)
    _, session.stopping = asking(["load/a"], [])
    session.run(A, B)
    assert progress_line(session.told[-1]) == (
        "round 4/7 · 1 of 2 scenarios still open · 20 s so far · about 16 s left · load/a"
    )
