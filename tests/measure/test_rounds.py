"""The whole pipeline on a simulated stack, and what the rounds promise."""

from collections import Counter
from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.files.journal import read_journal
from harness.files.records import RoundDone
from harness.files.runfile import read_run, write_run
from harness.judge.comparison import Verdict
from harness.judge.policy import Policy
from harness.judgement import judge, to_terminal, write_reports
from harness.measure.order import side_order
from harness.measure.rounds import MAX_FAILURES
from harness.measure.scenario import Scenario
from harness.measure.turn import Turn
from harness.model import SIDES, Metric, Side
from tests.measure.simulated import CALLS, LATENCY, Session, works


def test_whole_pipeline_without_sleeping(tmp_path: Path) -> None:
    session = Session(tmp_path, before=0.1, after=0.05)
    session.run(Scenario("load/works", works, looks=(16,), pairs=2))
    for run in session.runs:
        write_run(run, tmp_path / f"{run.variant.name}.json")
    before, after = (read_run(tmp_path / f"{side}.json") for side in SIDES)
    judgement = judge(before, after, Policy())
    verdicts = {c.metric.name: c.verdict for c in judgement.comparisons}
    assert verdicts == {"latency": Verdict.IMPROVED, "cpu": Verdict.IMPROVED, "calls": Verdict.UNCHANGED}
    (latency,) = (c for c in judgement.comparisons if c.metric.name == "latency")
    assert latency.effect is not None
    assert latency.effect.low < -0.5 < latency.effect.high
    assert judgement.gate.exit_code == 0
    assert "load/works" in to_terminal(judgement, width=120, color=False)
    for path in write_reports(judgement, tmp_path):
        assert "load/works" in path.read_text("utf-8")


def test_no_difference_is_not_called_one(tmp_path: Path) -> None:
    session = Session(tmp_path)
    session.run(Scenario("load/works", works, looks=(16,), pairs=2))
    verdicts = {c.verdict for c in judge(*session.runs, Policy()).comparisons}
    assert verdicts == {Verdict.UNCHANGED}


def test_both_variants_start_afresh_in_every_round_and_take_turns(tmp_path: Path) -> None:
    session = Session(tmp_path)
    session.run(Scenario("load/works", works, looks=(8,), pairs=3))
    assert [stack.starts for stack in session.stacks.values()] == [9, 9]  # one first start that does not count
    latencies = [value for value in session.values if value.metric == "latency"]
    assert Counter((v.side, v.round) for v in latencies) == {(s, r): 3 for s in SIDES for r in range(8)}
    for first, second in zip(latencies[::2], latencies[1::2], strict=True):
        assert (first.round, first.pair) == (second.round, second.pair)
        assert {first.side, second.side} == set(SIDES)
    firsts = Counter(value.side for value in latencies[::2])
    assert firsts == {"before": 12, "after": 12}


def test_order_is_drawn_balanced_and_repeatable() -> None:
    orders = [side_order(3, "retry/hangs", index) for index in range(400)]
    assert orders == [side_order(3, "retry/hangs", index) for index in range(400)]
    assert orders != [side_order(4, "retry/hangs", index) for index in range(400)]
    assert Counter(first for first, _ in orders) == {"before": 200, "after": 200}
    blocks = {tuple(order[0] for order in orders[i : i + 4]) for i in range(0, 400, 4)}
    assert len(blocks) == 6  # every way to arrange two and two occurs


def test_warm_up_turns_leave_no_values(tmp_path: Path) -> None:
    seen: list[tuple[Side, int, bool]] = []

    def scenario(turn: Turn) -> None:
        seen.append((turn.side, turn.pair, turn.warmup))
        works(turn)

    session = Session(tmp_path)
    session.run(Scenario("load/works", scenario, looks=(2,), pairs=1, warmup=2))
    assert Counter(warm for _, _, warm in seen) == {True: 8, False: 4}
    assert len([value for value in session.values if value.metric == "latency"]) == 4


def test_parametrized_values_reach_the_scenario(tmp_path: Path) -> None:
    got: set[int] = set()
    session = Session(tmp_path)
    session.run(Scenario("load/rows[10]", lambda turn, rows: got.add(rows), {"rows": 10}, looks=(1,)))
    assert got == {10}


def test_a_failed_check_leaves_no_value_of_its_turn(tmp_path: Path) -> None:
    def scenario(turn: Turn) -> None:
        works(turn)
        assert turn.side == "before" or turn.round != 1, "wrong answer"

    session = Session(tmp_path)
    rounds = session.run(Scenario("load/wrong", scenario, looks=(3,)))
    assert isinstance(rounds.errors["load/wrong"], AssertionError)
    assert Counter((v.side, v.round) for v in session.values if v.metric == "latency") == {
        ("before", 0): 1,
        ("before", 1): 1,
        ("before", 2): 1,
        ("after", 0): 1,
        ("after", 2): 1,
    }
    before, after = session.runs
    assert before.failures == ()
    (failure,) = after.failures
    assert (failure.scenario, failure.round) == ("load/wrong", 1)
    assert "wrong answer" in failure.message


def test_a_scenario_that_keeps_failing_is_given_up_and_others_go_on(tmp_path: Path) -> None:
    def broken(turn: Turn) -> None:
        raise RuntimeError("always")

    session = Session(tmp_path)
    session.run(Scenario("load/broken", broken, looks=(9,)), Scenario("load/works", works, looks=(9,)))
    _, after = session.runs
    assert len(after.failures) == MAX_FAILURES
    assert len([v for v in session.values if v.metric == "latency"]) == 18


def test_a_dead_service_ends_the_session_with_its_own_message(tmp_path: Path) -> None:
    session = Session(tmp_path)

    def kills(turn: Turn) -> None:
        session.stacks["after"].dead = HarnessError("backend was ended by SIGKILL")
        raise ConnectionResetError

    with pytest.raises(HarnessError, match="SIGKILL"):
        session.run(Scenario("load/kills", kills, looks=(3,)))


def test_going_on_after_earlier_rounds_measures_only_the_rest(tmp_path: Path) -> None:
    session = Session(tmp_path)
    session.run(Scenario("load/works", works, looks=(5,)), first=4, done=3)
    assert sorted({value.round for value in session.values}) == [4, 5]
    done = [r.round for r in read_journal(session.path).records if isinstance(r, RoundDone)]
    assert done == [4, 5]


def test_the_variants_of_a_pair_draw_the_same_random_numbers(tmp_path: Path) -> None:
    drawn: dict[tuple[int, int], set[float]] = {}

    def scenario(turn: Turn) -> None:
        drawn.setdefault((turn.round, turn.pair), set()).add(turn.random.random())

    Session(tmp_path).run(Scenario("load/random", scenario, looks=(3,), pairs=2))
    assert [len(numbers) for numbers in drawn.values()] == [1] * 6
    assert len(set.union(*drawn.values())) == 6


def test_a_scenario_that_records_nothing_has_failed(tmp_path: Path) -> None:
    rounds = Session(tmp_path).run(
        Scenario("load/silent", lambda turn: None, looks=(2,)), Scenario("load/works", works)
    )
    assert {name: str(error) for name, error in rounds.errors.items()} == {
        "load/silent": "the scenario recorded no value"
    }


def test_once_is_once_for_each_variant(tmp_path: Path) -> None:
    filled: list[Side] = []
    session = Session(tmp_path)
    session.run(Scenario("load/fill", lambda turn: turn.once("rows", lambda: filled.append(turn.side)), looks=(3,)))
    assert sorted(filled) == ["after", "before"]


@pytest.mark.parametrize(
    ("metric", "value", "complaint"),
    [
        (LATENCY, float("nan"), "not a finite number"),
        (Metric("share", "1", kind="rate"), 0.5, "1 (it happened) or 0"),
        (CALLS, -1, "a count is a whole number"),
        (CALLS, 1.5, "a count is a whole number"),
    ],
)
def test_impossible_values_fail_the_scenario(tmp_path: Path, metric: Metric, value: float, complaint: str) -> None:
    session = Session(tmp_path)
    rounds = session.run(Scenario("load/odd", lambda turn: turn.record(metric, value), looks=(1,)))
    assert complaint in str(rounds.errors["load/odd"])
    assert session.values == []


def test_one_name_cannot_mean_two_metrics(tmp_path: Path) -> None:
    def scenario(turn: Turn) -> None:
        turn.record(Metric("latency", "s"), 1.0)
        turn.record(Metric("latency", "s", better="higher"), 1.0)

    rounds = Session(tmp_path).run(Scenario("load/twice", scenario, looks=(1,)))
    assert "two different metrics" in str(rounds.errors["load/twice"])


def test_progress_says_where_it_stands_and_how_long_it_will_take(tmp_path: Path) -> None:
    session = Session(tmp_path, before=1.0, after=1.0, noise=0.0)
    session.run(Scenario("load/works", works, looks=(4,)))
    assert session.told[0].left is None
    last = session.told[-1]
    assert (last.round, last.rounds, last.open, last.scenarios, last.doing) == (3, 4, 1, 1, "load/works")
    assert last.left == pytest.approx(4.0)  # two starts and two turns of a second


def test_a_turn_knows_the_settings_of_its_variant(tmp_path: Path) -> None:
    def scenario(turn: Turn) -> None:
        assert turn.setting("backend", "SPEED") == turn.side
        turn.record(CALLS, 1)

    assert Session(tmp_path).run(Scenario("load/settings", scenario, looks=(1,))).errors == {}
