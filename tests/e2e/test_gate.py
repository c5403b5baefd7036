"""The gate from end to end: limits, what is required, baselines, test cases, and beside other plugins."""

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from harness.files.journal import read_journal
from harness.files.records import Value
from harness.files.runfile import read_run
from tests.e2e.conftest import Harness

SAME = ("--before", "before", "--after", "before")
Case = tuple[str, str, str]


def edit(file: Path, *changes: tuple[str, str]) -> None:
    text = file.read_text("utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    file.write_text(text, "utf-8")


@pytest.fixture
def scenarios(tiny: Path) -> Path:
    return tiny / "scenarios" / "speed" / "test_speed.py"


def configure(tiny: Path, text: str) -> None:
    with (tiny / "harness.toml").open("a", encoding="utf-8") as stream:
        stream.write(f"\n{text}\n")


def verdict(output: str) -> dict[str, object]:
    (line,) = (line for line in output.splitlines() if line.startswith("HARNESS-VERDICT "))
    found: dict[str, object] = json.loads(line.removeprefix("HARNESS-VERDICT "))
    return found


def cases(file: Path) -> list[Case]:
    """Class, name and outcome of every test case, in order."""
    found = []
    for case in ElementTree.parse(file).iter("testcase"):
        outcomes = [child.tag for child in case if child.tag in ("failure", "skipped", "error")]
        found.append((case.attrib["classname"], case.attrib["name"], outcomes[0] if outcomes else "passed"))
    return found


def session_of(tiny: Path) -> Path:
    return tiny / "reports" / "out" / "latest"


def test_every_gated_metric_is_a_test_case_after_all_scenarios(harness: Harness, tiny: Path) -> None:
    done = harness("scenarios", "--junitxml", "junit.xml", "-p", "no:terminal", "-x", program="pytest")
    assert done.returncode == 10, done.stdout + done.stderr
    found = cases(tiny / "junit.xml")
    assert found == [
        ("scenarios.speed.test_speed", "test_work", "passed"),
        ("scenarios.speed.test_speed", "test_start", "passed"),
        ("gate", "speed/work:latency", "failure"),
        ("gate", "exit code", "failure"),
    ]
    text = (tiny / "junit.xml").read_text("utf-8")
    assert "regressed: speed/work:latency" in text
    properties = dict(re.findall(r'<property name="([^"]+)" value="([^"]*)"', text))
    assert properties["verdict"] == "regressed"
    assert float(properties["after_median"]) > float(properties["before_median"]) > 0
    assert float(properties["change_low"]) > 1


def test_what_is_undecided_is_a_skipped_case_and_nothing_fails(harness: Harness, tiny: Path, scenarios: Path) -> None:
    doubled_or_halved = "turn.record(LATENCY, 2.0 ** (1 - 2 * (turn.round % 2)) if turn.side == 'after' else 1.0)"
    edit(scenarios, ("    assert answer.status == 200", f"    {doubled_or_halved}"))
    edit(scenarios, ("    with turn.timed(LATENCY):\n        answer = ", "    "))
    done = harness("scenarios", "-k", "work", "--harness-rounds", "10", "--junitxml", "junit.xml", program="pytest")
    assert done.returncode == 0, done.stdout + done.stderr
    assert cases(tiny / "junit.xml")[1:] == [
        ("gate", "speed/work:latency", "skipped"),
        ("gate", "exit code", "passed"),
    ]
    strict = harness(
        "scenarios", "-k", "work", "--harness-rounds", "10", "--junitxml", "junit.xml", "--harness-strict",
        program="pytest",
    )  # fmt: skip
    assert strict.returncode == 11, strict.stdout + strict.stderr
    assert ("gate", "speed/work:latency", "failure") in cases(tiny / "junit.xml")


def test_a_scenario_that_fails_under_x_leaves_the_verdicts(harness: Harness, tiny: Path, scenarios: Path) -> None:
    edit(scenarios, ('turn.startup("backend").ready)', 'turn.startup("backend").ready)\n    assert turn.round < 0'))
    edit(scenarios, ("test_start", "test_a"), ("def test_work", "def test_z"))
    text = scenarios.read_text("utf-8")
    first, second = (
        text.index("@pytest.mark.scenario(rounds=12, pairs=2)"),
        text.index("@pytest.mark.scenario(rounds=12)"),
    )
    scenarios.write_text(text[:first] + text[second:] + "\n\n" + text[first:second], "utf-8")
    done = harness("scenarios", "-x", "--junitxml", "junit.xml", program="pytest")
    assert done.returncode == 12, done.stdout + done.stderr
    found = cases(tiny / "junit.xml")
    assert found[0] == ("scenarios.speed.test_speed", "test_a", "failure")
    assert ("gate", "speed/z:latency", "failure") in found
    assert ("scenarios.speed.test_speed", "test_z", "passed") not in found


ALWAYS_FAILS = ("status == 200", "status == 201")


def test_a_scenario_that_fails_is_what_the_gate_says_and_pytests_code_without_a_gate(
    harness: Harness, scenarios: Path
) -> None:
    edit(scenarios, ALWAYS_FAILS)
    done = harness("run", *SAME)
    assert done.returncode == 12, done.stdout + done.stderr
    assert verdict(done.stdout)["exit_code"] == 12
    assert harness("run", *SAME, "--no-gate", "--rounds", "2").returncode == 1


def test_a_test_beside_the_scenarios_that_fails_keeps_pytests_code(harness: Harness, scenarios: Path) -> None:
    edit(scenarios, ALWAYS_FAILS)
    (scenarios.parent / "test_other.py").write_text("def test_other():\n    assert False\n", "utf-8")
    done = harness("run", *SAME, "--rounds", "2")
    assert done.returncode == 1, done.stdout + done.stderr


def test_a_fixture_that_fails_is_no_pass_though_the_gate_is_content(harness: Harness, scenarios: Path) -> None:
    broken = "@pytest.fixture\ndef broken():\n    yield\n    raise RuntimeError('at the end')\n\n\n"
    edit(
        scenarios,
        ("@pytest.mark.scenario(rounds=12)", f"{broken}@pytest.mark.usefixtures('broken')\n@pytest.mark.scenario"),
    )
    done = harness("run", *SAME)
    assert done.returncode == 1, done.stdout + done.stderr


@pytest.mark.parametrize("arguments", [["--harness-no-gate"], ["--collect-only"], ["-k", "nothing"]])
def test_without_a_gate_or_a_measurement_there_are_no_cases(harness: Harness, tiny: Path, arguments: list[str]) -> None:
    done = harness("scenarios", "--harness-rounds", "2", "--junitxml", "junit.xml", *arguments, program="pytest")
    assert done.returncode in (0, 5), done.stdout + done.stderr
    assert not [case for case in cases(tiny / "junit.xml") if case[0].startswith("gate")]


def test_a_limit_in_the_marker_tolerates_and_is_shown(harness: Harness, tiny: Path, scenarios: Path) -> None:
    configure(tiny, '[metrics."speed/*"]\nlimit = 0.01\nsmallest_effect = 0.2')
    edit(scenarios, ("rounds=12, pairs=2", 'rounds=12, pairs=2, limits={"latency": {"limit": 90.0, "budget": 1.5}}'))
    done = harness("run", "-k", "work")
    assert done.returncode == 0, done.stdout + done.stderr
    assert verdict(done.stdout)["verdicts"] == {"speed/work:latency": "regressed"}
    assert "limit ×91" in done.stdout
    assert "budget 1.50 s" in done.stdout
    (latency,) = (s.metric for s in read_run(session_of(tiny) / "after.json").samples if s.metric.name == "latency")
    assert (latency.limit, latency.budget, latency.smallest_effect) == (90.0, 1.5, 0.2)


def test_a_broken_budget_fails_although_nothing_changed(harness: Harness, tiny: Path) -> None:
    configure(tiny, '[metrics."*:latency"]\nbudget = 1e-6')
    done = harness("run", "-k", "work", *SAME)
    assert done.returncode == 10, done.stdout + done.stderr
    assert "budget 1 µs: [" in done.stdout


def test_a_limit_gates_what_its_author_did_not(harness: Harness, tiny: Path) -> None:
    configure(tiny, '[metrics."*:ready"]\nbudget = 1e-6')
    done = harness("run", "-k", "start", *SAME)
    assert done.returncode == 10, done.stdout + done.stderr


def test_a_bound_that_is_misspelt_is_no_pass_and_every_such_pattern_is_told(harness: Harness, tiny: Path) -> None:
    configure(
        tiny, '[metrics."*:latnecy"]\nbudget = 1.0\n[metrics."old/*"]\nfloor = 0.1\n[gate]\nallow_missing = ["x:y"]'
    )
    done = harness("run", *SAME)
    assert done.returncode == 13, done.stdout + done.stderr
    output = " ".join(done.stdout.split())
    assert "missing: *:latnecy bounds are set for it, but nothing measured is called so" in output
    assert '[metrics."old/*"] of the configuration applied to nothing that was measured.' in output
    assert 'allow_missing = "x:y" of the configuration names nothing that there was.' in output
    assert "missing: *:latnecy bounds are set for it" in " ".join(harness("report").stdout.split())
    selected = harness("run", "-k", "work", *SAME)
    assert selected.returncode == 0, selected.stdout + selected.stderr


def test_a_bound_of_a_parametrized_scenario_holds(harness: Harness, tiny: Path, scenarios: Path) -> None:
    configure(tiny, '[metrics."speed/work[10]:*"]\nbudget = 1e-6')
    marked = "@pytest.mark.scenario(rounds=12, pairs=2)\ndef test_work(turn: Turn)"
    edit(scenarios, (marked, f'@pytest.mark.parametrize("n", [10])\n{marked[:-1]}, n: int)'))
    done = harness("run", "-k", "work", *SAME)
    assert done.returncode == 10, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        ('{"latency": {"limit": -1}}', "scenario(limits): latency.limit: input should be greater than or equal to 0"),
        ('{"latency": {"limti": 1}}', "scenario(limits): latency.limti: extra inputs are not permitted"),
        ('{"latency": {"budget": float("nan")}}', "latency.budget: input should be a finite number"),
        ('["latency"]', "allowed is a metric's name -> a dict"),
    ],
)
def test_a_mistake_in_a_marker_is_one_line(harness: Harness, scenarios: Path, limits: str, told: str) -> None:
    edit(scenarios, ("rounds=12, pairs=2", f"rounds=12, pairs=2, limits={limits}"))
    done = harness("run")
    assert done.returncode == 4, done.stdout + done.stderr
    assert told in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_a_skipped_scenario_is_missing_and_not_measured(harness: Harness, tiny: Path, scenarios: Path) -> None:
    edit(scenarios, ("@pytest.mark.scenario(rounds=12)", '@pytest.mark.skip(reason="later")\n@pytest.mark.scenario'))
    done = harness("run", *SAME)
    assert done.returncode == 13, done.stdout + done.stderr
    assert "missing: speed/start:* not measured: skipped: later" in " ".join(done.stdout.split())
    assert {s.scenario for s in read_run(session_of(tiny) / "after.json").samples} >= {"speed/work"}
    assert "speed/start" not in {s.scenario for s in read_run(session_of(tiny) / "after.json").samples}
    configure(tiny, '[gate]\nallow_missing = ["speed/start:*"]')
    assert harness("run", *SAME).returncode == 0


@pytest.mark.parametrize("mark", ["skip", "skipif(True, reason='x')", "xfail(run=False)"])
def test_when_everything_is_skipped_nothing_passes(harness: Harness, tiny: Path, scenarios: Path, mark: str) -> None:
    edit(scenarios, ("@pytest.mark.scenario", f"@pytest.mark.{mark}\n@pytest.mark.scenario"))
    done = harness("run", "--rounds", "2")
    assert done.returncode == 13, done.stdout + done.stderr
    assert not session_of(tiny).exists()


def test_a_scenario_that_is_expected_to_fail_is_no_pass(harness: Harness, scenarios: Path) -> None:
    edit(
        scenarios, ("@pytest.mark.scenario(rounds=12, pairs=2)", "@pytest.mark.xfail\n@pytest.mark.scenario(rounds=4)")
    )
    edit(scenarios, ("status == 200", "status == 201"))
    done = harness("run")
    assert done.returncode == 12, done.stdout + done.stderr
    assert "1 xfailed" in done.stdout


def test_what_is_required_counts_for_a_selection_only_in_ci(harness: Harness, tiny: Path) -> None:
    configure(tiny, '[gate]\nrequired = ["speed/starts:ready"]')
    selected = harness("run", "-k", "work", *SAME)
    assert selected.returncode == 0, selected.stdout + selected.stderr
    assert "a selection: 1 of 2 collected scenarios" in selected.stdout
    in_ci = harness("run", "-k", "work", *SAME, "--ci")
    assert in_ci.returncode == 13, in_ci.stdout + in_ci.stderr
    everything = harness("run", *SAME)
    assert everything.returncode == 13, everything.stdout + everything.stderr
    assert "missing: speed/starts:ready required, but not measured; is it speed/start?" in " ".join(
        everything.stdout.split()
    )


def test_a_baseline_is_compared_with_replaced_only_by_what_is_no_worse(harness: Harness, tiny: Path) -> None:
    unknown = harness("run", "--baseline", "main")
    assert unknown.returncode == 13, unknown.stdout + unknown.stderr
    assert "no such baseline; there is none yet" in unknown.stdout + unknown.stderr
    assert not session_of(tiny).exists()

    assert harness("run", *SAME).returncode == 0
    assert harness("baseline", "save", "main").returncode == 0
    fast = (tiny / "reports" / "baselines" / "main.json").read_bytes()

    slower = harness("run", "--before", "after", "--after", "after", "--baseline", "main", "--rounds", "16")
    assert slower.returncode == 10, slower.stdout + slower.stderr
    assert "after / baseline main" in slower.stdout
    assert "measured in different sessions" in " ".join(slower.stdout.split())
    against = verdict(slower.stdout)["baseline"]
    assert isinstance(against, dict)
    assert against["verdicts"]["speed/work:latency"] == "regressed"
    assert {"baseline.md", "baseline.html"} <= {path.name for path in session_of(tiny).iterdir()}

    refused = harness("baseline", "update", "main")
    assert refused.returncode == 10, refused.stdout + refused.stderr
    assert "baseline main not updated: regressed: speed/work:latency" in refused.stderr
    assert (tiny / "reports" / "baselines" / "main.json").read_bytes() == fast

    assert harness("baseline", "save", "main", "--replace").returncode == 0
    assert harness("run", *SAME, "--baseline", "main").returncode == 0
    updated = harness("baseline", "update", "main")
    assert updated.returncode == 0, updated.stdout + updated.stderr
    assert "improved" in updated.stdout
    assert read_run(tiny / "reports" / "baselines" / "main.json").variant.origin == "before"


def test_a_scenario_that_the_baseline_has_may_not_vanish(harness: Harness, tiny: Path, scenarios: Path) -> None:
    assert harness("run", *SAME).returncode == 0
    assert harness("baseline", "save", "main").returncode == 0
    edit(scenarios, ("def test_work", "def test_works"))
    renamed = harness("run", *SAME, "--baseline", "main", "--rounds", "2")
    assert renamed.returncode == 13, renamed.stdout + renamed.stderr
    assert "not measured in after; is it speed/works?" in " ".join(renamed.stdout.split())
    assert harness("baseline", "update", "main").returncode == 13


def test_xdist_is_told_off_once_and_never_passes(harness: Harness) -> None:
    done = harness("scenarios", "-n", "2", program="pytest")
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stdout.count("scenarios are not measured in pytest-xdist workers: run them without -n") == 1


def test_pytest_benchmark_measures_its_own_in_the_same_run(harness: Harness, tiny: Path, scenarios: Path) -> None:
    (scenarios.parent / "test_other.py").write_text(
        "def test_sum(benchmark):\n    assert benchmark(sum, range(10)) == 45\n", "utf-8"
    )
    done = harness(
        "scenarios", "--harness-rounds", "2", "--benchmark-json", "other.json", "--benchmark-max-time", "0.05",
        "--harness-no-gate", program="pytest",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout
    (other,) = json.loads((tiny / "other.json").read_text("utf-8"))["benchmarks"]
    assert other["name"] == "test_sum"
    assert {s.scenario for s in read_run(session_of(tiny) / "after.json").samples} >= {"speed/work", "speed/start"}


def test_under_codspeed_scenarios_are_refused_before_they_are_deselected(harness: Harness, tiny: Path) -> None:
    (tiny / "scenarios" / "conftest.py").write_text(
        "import pytest\n\n\n"
        "def pytest_addoption(parser):\n    parser.addoption('--codspeed', action='store_true')\n\n\n"
        "@pytest.hookimpl(tryfirst=True)\n"
        "def pytest_collection_modifyitems(config, items):\n"
        "    config.hook.pytest_deselected(items=list(items))\n    items.clear()\n",
        "utf-8",
    )
    done = harness("scenarios", "--codspeed", program="pytest")
    assert done.returncode == 4, done.stdout + done.stderr
    assert "scenarios are not measured under --codspeed" in done.stdout + done.stderr


def test_the_order_of_collection_does_not_change_what_a_seed_draws(harness: Harness, tiny: Path) -> None:
    def order() -> list[tuple[str, str, int]]:
        done = harness("run", "--rounds", "4", "--seed", "5", "--no-gate")
        assert done.returncode == 0, done.stdout + done.stderr
        records = read_journal(session_of(tiny) / "journal.jsonl").records
        values = [record for record in records if isinstance(record, Value)]
        return [(v.scenario, v.side, v.round) for v in values if v.scenario.startswith("speed/")]

    first = order()
    (tiny / "scenarios" / "conftest.py").write_text(
        "def pytest_collection_modifyitems(items):\n    items.reverse()\n", "utf-8"
    )
    assert order() == first
