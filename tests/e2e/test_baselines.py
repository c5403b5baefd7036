"""Choosing a baseline: by name, by file, the latest before the commit checked out; on real git repositories."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from harness import git
from harness.baselines import choose, spreads_for
from harness.cli.baseline import refuse_worse
from harness.configuration.load import Project, load
from harness.errors import ExitCode, HarnessError
from harness.files import baselines
from harness.files.runfile import write_run
from harness.judge.compare import compare_runs
from harness.judge.policy import Policy
from harness.model import Environment, Metric, Run
from tests.e2e.conftest import Harness
from tests.judge.build import HERE, TIME, run, sample


def command(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *who, "-C", str(folder), *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def commit(folder: Path, message: str) -> str:
    command(folder, "add", "-A")
    command(folder, "commit", "-q", "--allow-empty", "-m", message)
    return command(folder, "rev-parse", "--short=12", "HEAD")


@pytest.fixture
def project(tiny: Path) -> Project:
    """The tiny project as a repository of one commit."""
    command(tiny, "init", "-q", "-b", "main")
    commit(tiny, "first")
    return load(tiny / "harness.toml")


def kept(project: Project, name: str, at: str, started: str, **fields: object) -> Run:
    """A baseline measured at the commit ``at``."""
    environment = Environment(HERE.stable, {"commit": at})
    one = run("after", sample(TIME, [1.0, 1.1]), started=started, environment=environment, session=name, **fields)
    baselines.save(project.reports / "baselines", name, one)
    return one


def test_the_latest_is_the_newest_one_at_or_before_the_commit(project: Project) -> None:
    first = command(project.folder, "rev-parse", "--short=12", "HEAD")
    kept(project, "old", first, "2026-01-01T00:00:00Z")
    kept(project, "newer", f"{first} with changes", "2026-01-02T00:00:00Z")
    second = commit(project.folder, "second")
    command(project.folder, "checkout", "-q", "--detach", first)
    aside = commit(project.folder, "aside")
    kept(project, "aside", aside, "2026-01-09T00:00:00Z")
    kept(project, "elsewhere", "none", "2026-01-08T00:00:00Z")
    command(project.folder, "checkout", "-q", second)
    chosen = choose(project, "latest")
    assert (chosen.name, chosen.run.variant.name) == ("newer", "before")


def test_the_latest_of_none_says_what_to_do(project: Project) -> None:
    with pytest.raises(HarnessError, match=r"there is none yet.*harness baseline save NAME") as caught:
        choose(project, "latest")
    assert caught.value.code is ExitCode.BASELINE
    kept(project, "foreign", "0123456789ab", "2026-01-01T00:00:00Z")
    with pytest.raises(HarnessError, match=r"of 1 \(foreign\) none was measured at HEAD or a commit before it"):
        choose(project, "latest")


def test_a_broken_baseline_is_never_replaced_by_an_older_one(project: Project) -> None:
    head = command(project.folder, "rev-parse", "HEAD")
    kept(project, "good", head, "2026-01-01T00:00:00Z")
    (project.reports / "baselines" / "broken.json").write_text("{")
    with pytest.raises(HarnessError, match=r"broken\.json") as caught:
        choose(project, "latest")
    assert caught.value.code is ExitCode.BASELINE


def test_a_shallow_clone_cannot_tell_and_says_so(project: Project, tmp_path: Path) -> None:
    first = command(project.folder, "rev-parse", "--short=12", "HEAD")
    kept(project, "main", first, "2026-01-01T00:00:00Z")
    commit(project.folder, "second")
    commit(project.folder, "third")
    shallow = tmp_path / "shallow"
    command(tmp_path, "clone", "-q", "--depth", "1", f"file://{project.folder}", str(shallow))
    with pytest.raises(HarnessError, match=r"this clone is shallow.*git fetch --unshallow") as caught:
        choose(load(shallow / "harness.toml"), "latest")
    assert caught.value.code is ExitCode.BASELINE
    command(shallow, "fetch", "-q", "--unshallow")
    assert choose(load(shallow / "harness.toml"), "latest").name == "main"


def test_a_commit_that_is_an_option_is_none(project: Project) -> None:
    kept(project, "sly", "--help", "2026-01-01T00:00:00Z")
    with pytest.raises(HarnessError, match="none was measured"):
        choose(project, "latest")


def test_by_name_and_by_file(project: Project, tmp_path: Path) -> None:
    one = kept(project, "main", "none", "2026-01-01T00:00:00Z")
    write_run(one, tmp_path / "elsewhere.json")
    assert choose(project, "main").run == choose(project, str(tmp_path / "elsewhere.json")).run
    with pytest.raises(HarnessError, match="no such baseline; there are: main"):
        choose(project, "mian")


def test_a_baseline_is_not_replaced_by_a_file_of_its_name(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = kept(project, "main", "0123456789ab", "2026-01-01T00:00:00Z")
    (tmp_path / "cwd").mkdir()
    other = replace(mine, session="other", samples=(sample(TIME, [9.0, 9.1]),))
    write_run(other, tmp_path / "cwd" / "main")
    monkeypatch.chdir(tmp_path / "cwd")
    assert choose(project, "main").run.session == "main"
    assert choose(project, "./main").run.session == "other"


def test_an_update_is_held_against_the_baseline_that_it_replaces(harness: Harness, tiny: Path) -> None:
    folder = tiny / "reports" / "out" / "20260101T000000Z-00000000"
    folder.mkdir(parents=True)
    values = [1.0 + 0.001 * i for i in range(20)]
    fast, slow = (
        run("after", sample(TIME, [by * v for v in values]), session=name, rounds=20)
        for name, by in (("fast", 1.0), ("slow", 9.0))
    )
    baselines.save(tiny / "reports" / "baselines", "main", fast)
    write_run(slow, folder / "after.json")
    write_run(slow, tiny / "main")  # a file of that name, beside which the slow one would be no worse
    done = harness("baseline", "update", "main", folder.name)
    assert done.returncode == 10, done.stdout + done.stderr
    assert baselines.load_baseline(tiny / "reports" / "baselines", "main").session == "fast"


BUDGETED = replace(TIME, name="new", budget=0.5)


@pytest.mark.parametrize(
    ("metric", "code"), [(BUDGETED, 10), (replace(BUDGETED, budget=2.0), 0), (replace(TIME, name="new"), 0)]
)
def test_what_is_new_may_come_along_if_it_is_within_its_budget(metric: Metric, code: int) -> None:
    values = [1.0 + 0.001 * i for i in range(20)]
    old = run("before", sample(TIME, values), session="old", rounds=20)
    new = run("after", sample(TIME, values), sample(metric, values), session="new", rounds=20)
    comparisons = compare_runs(old, new, Policy())
    if code:
        with pytest.raises(HarnessError, match="budget 500 ms") as caught:
            refuse_worse("main", comparisons, Policy())
        assert caught.value.code == code
    else:
        refuse_worse("main", comparisons, Policy())


def test_latest_is_no_name(project: Project) -> None:
    with pytest.raises(HarnessError, match="latest means the newest one") as caught:
        kept(project, "latest", "none", "2026-01-01T00:00:00Z")
    assert caught.value.code is ExitCode.USAGE


def test_what_is_no_repository_has_no_commit(tmp_path: Path) -> None:
    assert git.commit_of(tmp_path) == "none"
    assert git.is_ancestor(tmp_path, "0123456789ab") is False


def test_other_sessions_tell_how_much_sessions_differ(project: Project) -> None:
    """From session folders and baselines; not from the judged session itself, nor from what cannot be read."""
    out = project.reports / "out"
    for i in range(4):
        folder = out / f"2026010{i + 1}T000000Z-0000000{i}"
        folder.mkdir(parents=True)
        one = run("after", sample(TIME, [1.0 + i / 50] * 3), session=folder.name)
        write_run(one, folder / "after.json")
        (folder / "before.json").write_text("torn")
    before = kept(project, "kept", "none", "2026-01-01T00:00:00Z")
    after = run("after", sample(TIME, [9.0] * 3), session="20260109T000000Z-00000009")
    assert spreads_for(project, before, replace(after, session=before.session)) == {}
    found = spreads_for(project, before, after)["s", "time"]
    assert found.sessions == 5
    assert found.deviation < 0.1
