"""`harness tune retry` on the reference system, and what it shows."""

import json
import math
import time
import tomllib
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from harness.configuration.load import load
from harness.configuration.schema import RetryNames, TuneRetry
from harness.errors import ExitCode
from harness.measure.http import Response
from harness.retry import RetryPolicy
from harness.tune.candidates import Candidate, Confirmed, Search, picked, searched
from harness.tune.estimates import estimate, paired
from harness.tune.faults import Fate, Outage
from harness.tune.picture import draw
from harness.tune.present import Tuning, gap, settings_block, to_json, to_markdown, to_terminal
from harness.tune.retry_model import ANSWERED, OBJECTIVES, WAITING
from harness.tune.retry_trial import RetryTrial
from tests.tune.conftest import Tune


def candidate(waiting: float, answered: float, attempts: float, name: str = "") -> Candidate:
    values = {"waiting": waiting, "answered": answered, "attempts": attempts}
    return Candidate({"RETRIES": "3", "DELAY": repr(waiting)}, values, name)


BEFORE = candidate(5.0, 0.97, 1.3, "before")
AFTER = candidate(3.0, 0.9, 1.3, "after")
TRIED = [candidate(4.0, 0.97, 1.3), candidate(2.0, 0.9, 1.3), candidate(2.9, 0.95, 1.25), candidate(6.0, 0.5, 2.0)]


def search() -> Search:
    return searched(OBJECTIVES, TRIED, [BEFORE, AFTER])


def tuning(**more: object) -> Tuning:
    found = search()
    return Tuning("retry", "backend", found, tuple(picked(found, 3)), notes=("Mix of faults: <500>|x.",), **more)


def confirmed(name: str = "1", *, rounds: int = 2) -> Confirmed:
    chosen = Candidate(TRIED[0].settings, TRIED[0].predicted, name)
    series = [[1.0, 0.0], [1.0, 1.0]][:rounds]
    measured = {objective.name: estimate(objective, series) for objective in OBJECTIVES}
    means = {objective.name: [sum(values) / 2 for values in series] for objective in OBJECTIVES}
    return Confirmed(chosen, measured, {o.name: 0.75 for o in OBJECTIVES}, measured, means)


def test_the_search_measures_what_it_predicts(tune: Tune, tmp_path: Path) -> None:
    faults = ("--mix", "500=0.25,outage:1=0.1", "--scale", "0.05", "--seed", "3")
    done = tune("retry", *faults, "--confirm", "1", "--rounds", "2", "--calls", "8")
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "reports" / "out" / "tune-retry"
    told = json.loads((folder / "tune-retry.json").read_text("utf-8"))
    assert [one["name"] for one in told["variants"]] == ["before", "after"]
    assert [one["name"] for one in told["measured"]] == ["before", "after", "1"]
    for one in told["measured"]:
        # Which calls are answered, and after how many attempts, is decided by the draws alone.
        for objective in ("answered", "attempts"):
            assert one["measured"][objective]["mean"] == pytest.approx(one["model"][objective]), one["name"]
            assert one["measured"][objective]["n"] == 16
    assert len({one["model"]["attempts"] for one in told["measured"]}) > 1
    assert "Mix of faults: 500=0.25,outage:1=0.1." in done.stdout
    assert "[variants.after.backend.settings]" in done.stdout
    ElementTree.parse(folder / "tune-retry.svg")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--mix", "500=2"), "mix: '500=2': a share from 0 to 1 is needed"),
        (("--mix", "ok=0.5"), "mix: the shares of attempts add up to 0.5, not to 1"),
    ],
)
def test_a_bad_mix_is_told_in_one_line(tune: Tune, arguments: tuple[str, ...], says: str) -> None:
    done = tune("retry", *arguments)
    assert done.returncode == ExitCode.USAGE
    assert done.stderr.count("\n") == 1
    assert says in done.stderr


def test_a_system_that_says_nothing_of_it_is_told_so(tune: Tune, tmp_path: Path) -> None:
    system = '[system.services.backend]\ncommand = ["run"]\nready = "/"\n[system.variants.before]\n'
    (tmp_path / "harness.toml").write_text(system, "utf-8")
    done = tune("retry")
    assert done.returncode == ExitCode.USAGE
    assert "[tune.retry] of the system is missing" in done.stderr


def test_the_picked_are_better_than_the_variants_and_say_why() -> None:
    chosen = picked(search(), 3)
    assert [one.name for one in chosen] == ["1", "2", "3"]
    assert chosen[0].predicted == TRIED[0].predicted
    assert chosen[0].why == "dominates before: least waiting"
    assert chosen[1].predicted == TRIED[2].predicted
    assert chosen[1].why == "dominates after: most answered"
    assert len(picked(search(), 5)) == 3, "there are no others on the front"


def test_the_front_names_its_variants_and_the_dominated_ones() -> None:
    assert [one.predicted["waiting"] for one in search().front] == [2.0, 2.9, 4.0]
    told = to_terminal(tuning())
    assert "4 candidates, 3 on the front; dominated: before and after" in told
    alone = searched(OBJECTIVES, [TRIED[3]], [BEFORE])
    assert [one.name for one in alone.front] == ["before"]
    assert picked(alone, 3) == []
    assert "no variant is dominated" in to_terminal(Tuning("retry", "backend", alone, ()))


def test_the_settings_block_is_accepted_by_the_configuration(tmp_path: Path) -> None:
    block = settings_block(tuning(), TRIED[0])
    assert tomllib.loads(block)["variants"]["after"]["backend"]["settings"] == {"RETRIES": 3, "DELAY": 4.0}
    system = f'[services.backend]\ncommand = ["run"]\nready = "/"\n[variants.before]\n{block}\n'
    (tmp_path / "system.toml").write_text(system, "utf-8")
    (tmp_path / "harness.toml").write_text('system = "system.toml"\n', "utf-8")
    project = load(tmp_path / "harness.toml")
    assert project.system.variants["after"]["backend"].settings == TRIED[0].settings


def test_a_document_escapes_what_it_is_given_and_has_every_number() -> None:
    text = to_markdown(tuning(confirmed=(confirmed(),)), "picture.svg")
    assert "&lt;500&gt;\\|x" in text
    assert "75 % \\[30.1 %, 95.4 %\\]" in text, "3 of 4, Wilson's interval"
    assert "![Candidates and their front](picture.svg)" in text
    told = to_json(tuning(confirmed=(confirmed(rounds=1),)))
    assert json.loads(json.dumps(told, allow_nan=False))["measured"][0]["measured"]["waiting"]["low"] is None


def test_an_interval_over_rounds_is_student_s() -> None:
    seen = estimate(WAITING, [[1.0, 3.0], [3.0, 5.0], [2.0, 4.0]])
    half = 4.302653 * 1.0 / math.sqrt(3)  # t(0.975, 2) and the standard deviation of 2, 4, 3
    assert (seen.value, seen.low, seen.high) == (3.0, pytest.approx(3 - half), pytest.approx(3 + half))
    assert (seen.rounds, seen.n) == (3, 6)
    assert gap(confirmed(), ANSWERED).endswith("points]")


def test_what_was_picked_is_compared_with_the_variants_in_the_same_rounds() -> None:
    before = replace(confirmed("before"), candidate=BEFORE, rounds={o.name: [2.0, 3.0] for o in OBJECTIVES})
    difference = paired(confirmed(), before, WAITING)
    assert difference.value == -1.75  # 0.5 and 1 against 2 and 3
    text = to_markdown(tuning(confirmed=(before, confirmed())), "picture.svg")
    assert "| 1 − before | −1.75 s" in text


def test_the_picture_shows_every_candidate_that_is_named() -> None:
    drawn = ElementTree.fromstring(draw(tuning(confirmed=(confirmed(),))))
    texts = {element.text for element in drawn.iter("{http://www.w3.org/2000/svg}text")}
    assert {"before", "after", "1", "2", "waiting (lower is better)", "answered (higher is better)"} <= texts


def test_the_picture_has_no_more_dots_than_can_be_seen() -> None:
    many = searched(OBJECTIVES, [candidate(2.0 + i / 1e4, 0.9, 1.3) for i in range(7000)], [BEFORE, AFTER])
    drawn = ElementTree.fromstring(draw(Tuning("retry", "backend", many, ())))
    (dots,) = (path for path in drawn.iter("{http://www.w3.org/2000/svg}path") if path.get("class") == "dots")
    assert 1000 < dots.get("d", "").count("M") <= 4000


class Patient:
    """A service that notes how long it may take."""

    name = "backend"

    def __init__(self) -> None:
        self.deadlines: list[float] = []

    def post(self, *_: object, deadline: float) -> Response:
        self.deadlines.append(deadline)
        return Response(200, {}, b'{"outcome": "answered"}')


class Gone(Patient):
    """A provider that is gone when the outage that it plays should end."""

    host, port = "127.0.0.1", 9

    def put(self, *_: object) -> Response:
        return Response(200, {}, b"")


def test_an_outage_that_could_not_be_ended_is_no_measurement() -> None:
    names = RetryNames(attempts="A", base="B", factor="F", cap="C", timeout="T")
    subject = TuneRetry(service="backend", path="/ask", provider="llm", settings=names, mix="hang=1")
    trial = RetryTrial(subject, [], [[]], 1.0, 0)
    with pytest.raises(OSError, match="refused"), trial._playing(Gone(), Fate(Outage(seconds=0.01), ())):
        time.sleep(0.1)


def test_a_call_may_take_as_long_as_its_policy() -> None:
    names = RetryNames(attempts="A", base="B", factor="F", cap="C", timeout="T")
    subject = TuneRetry(service="backend", path="/ask", provider="llm", settings=names, mix="hang=1")
    policy, service = RetryPolicy(3, 1.0, 2.0, 30.0, 60.0), Patient()
    assert RetryTrial(subject, [policy], [[]], 1.0, 0)._ask(service, policy)[1]
    assert service.deadlines[0] > 3 * 60 + 3 * 1.3, "three attempts, two waits, in real time"
