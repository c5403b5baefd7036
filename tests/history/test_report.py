"""The history in a report: kept and asked by a process of its own, drawn, and never in the way of a verdict."""

from pathlib import Path

import pytest

from harness.configuration.load import load
from harness.files.runfile import read_run
from harness.judge.policy import Policy
from harness.judgement import judge, write_reports
from harness.model import Trend
from harness.remember import recall, remember
from tests.history.build import CONFIGURATION, save_session


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, tuple[Trend, ...]]:
    """Twelve sessions, slower from the eighth on: the project's folder, and what its history answers."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "harness.toml").write_text(CONFIGURATION)
    for number in range(12):
        save_session(folder / "reports", number, 0.05 if number < 7 else 0.06)
    project = load(folder / "harness.toml")
    assert remember(project) == "history: 24 runs added"
    trends, problem = recall(project, "after")
    assert problem == ""
    return folder, trends


def test_every_metric_comes_back_with_its_steps(history: tuple[Path, tuple[Trend, ...]]) -> None:
    trends = {trend.metric.name: trend for trend in history[1]}
    assert set(trends) == {"hit", "latency"}
    assert [round(point.value, 9) for point in trends["latency"].points] == [0.05] * 7 + [0.06] * 5
    assert (trends["latency"].steps, trends["hit"].steps) == ((7,), ())
    assert trends["latency"].points[0].commit == "c0"


def test_the_report_draws_it(history: tuple[Path, tuple[Trend, ...]], tmp_path: Path) -> None:
    session = max((history[0] / "reports" / "out").iterdir())
    runs = read_run(session / "before.json"), read_run(session / "after.json")
    judgement = judge(*runs, Policy(), history[1])
    assert [trend.metric.name for trend in judgement.view.trends] == ["latency", "hit"]  # the one with a step first
    assert judgement.gate == judge(*runs, Policy()).gate
    markdown, html = write_reports(judgement, tmp_path)
    page = html.read_text()
    assert page.count("<title>History of speed/lookup:") == 2
    assert "step +20.0 %" in page
    assert "](pictures/history.svg)" in markdown.read_text()
    assert "step +20.0 %" in (tmp_path / "pictures" / "history.svg").read_text()


def test_what_fails_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "harness.toml").write_text(CONFIGURATION + "[history]\nurl = 'clickhouse://127.0.0.1:1/perf'\n")
    project = load(tmp_path / "harness.toml")
    save_session(tmp_path / "reports", 1)
    kept = remember(project)
    trends, problem = recall(project, "after")
    assert trends == ()
    for line in (kept, problem):
        assert line.startswith("warning: ")
        assert "127.0.0.1:1" in line
        assert "\n" not in line
