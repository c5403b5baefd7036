"""Control arms on simulated stacks: what they measure, what they change of the rest, and what becomes of a session."""

from collections import Counter
from pathlib import Path
from statistics import median

import pytest

from harness.configuration.load import Project
from harness.errors import ExitCode, HarnessError
from harness.judge.policy import Policy
from harness.judgement import Judgement, judge, to_terminal
from harness.measure.controls import PAIRS, ControlArms, Workload, workload
from harness.measure.scenario import Scenario
from harness.measure.stack import Stack
from harness.model import PLACEBO, SIDES, SPIKE_IN, SPIKE_SIZE
from tests.measure.simulated import Session, SimulatedStack, works

TICK = 1e-6
WORKS = Scenario("load/works", works, looks=(12,))


class Certified(Session):
    """A session with control arms, on a clock that moves while somebody waits."""

    def __init__(self, folder: Path, *, control: float = 0.002, noise: float = 0.02) -> None:
        super().__init__(folder, before=0.002, after=0.002, noise=noise)
        self.clock.tick = TICK
        self.control = self.stack("after", control)
        self.arms = ControlArms(self.control, Workload("backend", "/ready"))

    def values_of(self, scenario: str, side: str) -> list[float]:
        return [v.value for v in self.values if (v.scenario, v.side) == (scenario, side)]

    @property
    def judgement(self) -> Judgement:
        return judge(*self.runs, Policy())


def test_both_arms_are_measured_in_every_round_by_turns(tmp_path: Path) -> None:
    session = Certified(tmp_path)
    session.run(WORKS)
    for arm in (PLACEBO, SPIKE_IN):
        values = [value for value in session.values if value.scenario == arm]
        assert Counter((v.side, v.round) for v in values) == {(s, r): PAIRS for s in SIDES for r in range(12)}
        assert all((a.round, a.pair) == (b.round, b.pair) for a, b in zip(values[::2], values[1::2], strict=True))
        assert Counter(value.side for value in values[::2]) == {"before": PAIRS * 6, "after": PAIRS * 6}


def test_the_spike_in_is_a_share_of_the_placebos_median_of_its_round(tmp_path: Path) -> None:
    session = Certified(tmp_path, noise=0.0)
    session.run(WORKS)
    placebo = median(session.values_of(PLACEBO, "before"))
    assert session.values_of(SPIKE_IN, "before") == pytest.approx([placebo] * 12 * PAIRS, abs=3 * TICK)
    assert session.values_of(SPIKE_IN, "after") == pytest.approx(
        [placebo * (1 + SPIKE_SIZE)] * 12 * PAIRS, abs=5 * TICK
    )


def test_a_healthy_session_is_certified_and_its_scenarios_are_judged_as_ever(tmp_path: Path) -> None:
    session = Certified(tmp_path)
    session.run(WORKS)
    judgement = session.judgement
    assert {c.scenario for c in judgement.comparisons} == {"load/works"}
    assert judgement.gate.exit_code == ExitCode.OK
    assert "controls: placebo unchanged (" in judgement.view.controls
    assert "spike-in of +20.0 % found (" in judgement.view.controls
    assert judgement.view.controls in " ".join(to_terminal(judgement, width=200, color=False).split())


def test_a_second_before_that_is_slower_voids_the_session(tmp_path: Path) -> None:
    session = Certified(tmp_path, control=0.0022)
    session.run(WORKS)
    gate = session.judgement.gate
    assert gate.exit_code == ExitCode.ENVIRONMENT
    assert gate.reasons[0].startswith("verdicts of this session are void: controls: placebo regressed (+")


def test_a_slowdown_that_does_not_arrive_voids_the_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.measure.controls.busy_wait", lambda seconds, clock: None)
    session = Certified(tmp_path)
    session.run(WORKS)
    gate = session.judgement.gate
    assert gate.exit_code == ExitCode.ENVIRONMENT
    assert "spike-in of +20.0 % MISSED" in gate.reasons[0]


def test_both_variants_have_done_the_same_work_before_the_scenarios(tmp_path: Path) -> None:
    session = Certified(tmp_path)
    session.run(WORKS)
    asked = {side: [len(service.asked) for service in session.stacks[side].services] for side in SIDES}
    assert asked["before"] == asked["after"] == [0] + [2 * PAIRS] * 12  # the first start does not count


def test_the_second_before_starts_afresh_at_any_place_among_the_variants_and_is_gone_for_the_scenarios(
    tmp_path: Path,
) -> None:
    session = Certified(tmp_path)
    log: list[str] = []
    for name, stack in {**session.stacks, "control": session.control}.items():
        note_starts(stack, name, log)

    def scenario(turn: object) -> None:
        log.append("scenario" if session.control.running is None else "scenario beside it")
        works(turn)  # type: ignore[arg-type]

    session.run(Scenario("load/works", scenario, looks=(20,)))
    starts = [entry for entry in log if entry.startswith("start ")][3:]
    places = Counter(starts[i : i + 3].index("start control") for i in range(0, 60, 3))
    assert set(places) == {0, 1, 2}
    assert "scenario beside it" not in log


def note_starts(stack: SimulatedStack, name: str, log: list[str]) -> None:
    restart = stack.restart

    def noted() -> object:
        log.append(f"start {name}")
        return restart()

    stack.restart = noted  # type: ignore[method-assign, assignment]


def test_slow_requests_take_a_second_an_arm_and_at_least_one_pair(tmp_path: Path) -> None:
    session = Certified(tmp_path, noise=0.0)
    for stack in (*session.stacks.values(), session.control):
        stack.seconds = lambda: 3.0
    session.clock.tick = 1e-3
    session.run(Scenario("load/works", works, looks=(2,)))
    assert len(session.values_of(PLACEBO, "after")) == 2
    assert len(session.values_of(SPIKE_IN, "after")) == 2


def test_an_arm_whose_request_fails_is_a_failure_of_the_session(tmp_path: Path) -> None:
    session = Certified(tmp_path)
    restart = session.control.restart

    def broken() -> object:
        startups = restart()
        assert session.control.running is not None
        session.control.running.status = 503
        return startups

    session.control.restart = broken  # type: ignore[method-assign, assignment]
    session.run(WORKS)
    gate = session.judgement.gate
    assert gate.exit_code == ExitCode.ENVIRONMENT
    assert any("control/placebo failed 3 times in after: " in reason and "503" in reason for reason in gate.reasons)


def test_a_second_before_that_cannot_start_says_how_to_do_without(tmp_path: Path) -> None:
    session = Certified(tmp_path)

    def restart() -> object:
        raise HarnessError("backend exited with code 1")

    session.control.restart = restart  # type: ignore[method-assign, assignment]
    with pytest.raises(HarnessError, match=r"--no-controls measures without it\): backend exited with code 1"):
        session.run(WORKS)


def test_without_arms_the_report_says_so(tmp_path: Path) -> None:
    session = Session(tmp_path)
    session.run(WORKS)
    judgement = judge(*session.runs, Policy())
    assert (judgement.view.controls, judgement.gate.exit_code) == ("no control arms", ExitCode.OK)


def test_the_arms_ask_the_front_of_the_system(project: Project) -> None:
    assert workload(project.system, project.file) == Workload("backend", "/ready")
    kept = project.system.services["backend"].model_copy(update={"lifetime": "session"})
    assert workload(project.system.model_copy(update={"services": {"backend": kept}}), project.file) is None


def test_the_arms_are_a_stack_like_any_other(tmp_path: Path) -> None:
    stack: Stack = Certified(tmp_path).control
    assert stack.variant.name == "after"


def test_few_rounds_neither_certify_nor_void(tmp_path: Path) -> None:
    session = Certified(tmp_path)
    session.run(Scenario("load/works", works, looks=(4,)))
    judgement = session.judgement
    assert "undecided (4 rounds are too few, it takes 8)" in judgement.view.controls
    assert judgement.gate.exit_code == ExitCode.BASELINE  # four rounds cannot call any change either
