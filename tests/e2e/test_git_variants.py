"""``harness run --before git:REF``: a small repository whose server got slower between two commits."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from harness.files.runfile import read_run
from harness.model import Run
from tests.e2e.conftest import TINY, environment, processes_of
from tests.e2e.test_run import Started, verdicts
from tests.repositories import Repository

SLOWER = 10
IDENTICAL = 13


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """Two versions of a server in a sub-folder: `fast`, and `main`, which takes ten times as long."""
    made = Repository.create(tmp_path / "repository")
    shutil.copytree(TINY, made.folder / "shop", ignore=shutil.ignore_patterns("__pycache__"))
    made.put("README.md", "A shop.\n")
    made.put(".gitignore", "reports/\n__pycache__/\n")
    made.commit("fast")
    made.git("tag", "fast")
    server = made.folder / "shop" / "service.py"
    server.write_text(server.read_text("utf-8").replace("time.sleep(float", "time.sleep(0.02 + float"), "utf-8")
    made.commit("slow")
    return made


def harness(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "harness", *arguments]
    return subprocess.run(
        command,
        cwd=folder,
        env=environment() | variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def runs(repository: Repository) -> tuple[Run, Run]:
    folder = repository.folder / "shop" / "reports" / "out" / "latest"
    return read_run(folder / "before.json"), read_run(folder / "after.json")


def exports(folder: Path) -> list[Path]:
    return list(folder.glob("harness-*"))


def test_a_commit_that_made_it_slower_is_found_and_both_are_recorded(repository: Repository, tmp_path: Path) -> None:
    server = repository.folder / "shop" / "service.py"
    server.write_text("raise SystemExit('the working tree ran')\n", "utf-8")
    status, state = repository.git("status", "--porcelain"), repository.state()
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    arguments = ("run", "-k", "work", "--before", "git:fast", "--after", "git:main")
    without = "-p no:benchmark -p no:cacheprovider"  # pytest-benchmark asks git in a way that refreshes the index
    folder = repository.folder / "shop" / "scenarios"
    done = harness(folder, *arguments, TMPDIR=str(temporary), PYTEST_ADDOPTS=without)
    assert done.returncode == SLOWER, done.stdout + done.stderr
    assert verdicts(done.stdout) == {"speed/work:latency": "regressed"}
    for run, ref in zip(runs(repository), ("fast", "main"), strict=True):
        source = run.variant.sources["backend"]
        assert run.variant.origin == f"git:{ref}"
        assert (source.ref, source.commit) == (ref, repository.git("rev-parse", f"{ref}^{{commit}}"))
        assert source.tree == repository.git("rev-parse", f"{ref}^{{tree}}")
        assert run.environment.volatile["commit"] == source.commit[:12]
        assert run.environment.volatile["tree"] == source.tree[:12]
    told = " ".join(done.stdout.split())
    assert "The working tree has uncommitted changes; they are not in git:fast, git:main." in told
    fast = repository.git("rev-parse", "--short=12", "fast")
    assert f"before: backend ran in a clean export of commit {fast} (fast, tree " in told
    now = repository.state()
    now = {path: was for path, was in now.items() if "/reports/" not in path and "/__pycache__/" not in path}
    assert now == state
    assert repository.git("status", "--porcelain") == status
    assert len(repository.git("worktree", "list").splitlines()) == 1
    assert exports(temporary) == []
    assert processes_of(repository.folder) == []


def test_the_working_tree_against_a_commit(repository: Repository) -> None:
    server = repository.folder / "shop" / "service.py"
    server.write_text(server.read_text("utf-8").replace("time.sleep(0.02 + float", "time.sleep(float"), "utf-8")
    done = harness(repository.folder / "shop", "run", "-k", "work", "--before", "git:HEAD", "--after", "before")
    assert done.returncode == 0, done.stdout + done.stderr
    assert verdicts(done.stdout) == {"speed/work:latency": "improved"}
    before, after = runs(repository)
    assert before.environment.volatile["commit"] == repository.git("rev-parse", "--short=12", "HEAD")
    assert after.environment.volatile["commit"] == f"{before.environment.volatile['commit']} with changes"
    assert after.variant.sources == {}


def test_a_baseline_of_a_commit_is_known_by_it(repository: Repository) -> None:
    folder = repository.folder / "shop"
    harness(folder, "run", "--rounds", "8", "--before", "git:main", "--after", "git:fast")
    saved = harness(folder, "baseline", "save", "fast")
    assert saved.returncode == 0, saved.stdout + saved.stderr
    shown = harness(folder, "compare", "latest", str(folder / "reports" / "out" / "latest" / "before.json"))
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "git:fast" in shown.stdout
    repository.git("checkout", "-q", "--orphan", "unrelated")
    repository.commit("another history")
    shown = harness(folder, "compare", "latest", str(folder / "reports" / "out" / "latest" / "before.json"))
    assert shown.returncode == IDENTICAL, shown.stdout + shown.stderr


def test_names_for_the_same_are_refused_before_anything_is_measured(repository: Repository) -> None:
    done = harness(repository.folder / "shop", "run", "--before", "git:main", "--after", "git:HEAD")
    assert done.returncode == IDENTICAL, done.stdout + done.stderr
    assert "variants git:main and git:HEAD are identical" in done.stdout + done.stderr
    assert "for an A/A run give the same name twice" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert not (repository.folder / "shop" / "reports").exists()


def test_the_same_name_twice_is_an_a_a_run(repository: Repository) -> None:
    arguments = ("run", "-k", "work", "--before", "git:HEAD", "--after", "git:HEAD")
    done = harness(repository.folder / "shop", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not {"improved", "regressed"} & set(verdicts(done.stdout).values())
    before, after = runs(repository)
    assert before.variant.sources == after.variant.sources != {}


@pytest.mark.parametrize(
    ("ref", "told"),
    [("nowhere", "git:nowhere: no such commit in "), ("", "git: is no ref"), ("-x", "git:-x is no ref")],
)
def test_a_wrong_ref_is_one_line(repository: Repository, ref: str, told: str) -> None:
    done = harness(repository.folder / "shop", "run", f"--before=git:{ref}", "--after", "git:HEAD")
    assert done.returncode == 4, done.stdout + done.stderr
    assert told in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert not (repository.folder / "shop" / "reports").exists()


def test_a_project_in_no_repository_is_one_line(tiny: Path) -> None:
    done = harness(tiny, "run", "--before", "git:main", "--after", "git:HEAD")
    assert done.returncode == 4, done.stdout + done.stderr
    assert "is in no git repository" in done.stdout + done.stderr


def test_kill_9_leaves_no_export_and_the_session_goes_on_at_the_same_commits_only(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    folder = repository.folder / "shop"
    arguments = ("-k", "work", "--before", "git:fast", "--after", "git:main")
    started = Started(folder, *arguments)
    started.wait_for_rounds(2)
    (session,) = exports(temporary)
    assert {path.name for path in (session / "sources").iterdir()} == {"before", "after"}
    started.process.kill()
    started.process.communicate()
    _, alive = psutil.wait_procs(processes_of(temporary), timeout=10)
    assert alive == []
    end = time.monotonic() + 10
    while exports(temporary):
        assert time.monotonic() < end
        time.sleep(0.05)
    repository.commit("main has moved")
    moved = harness(folder, "run", *arguments, "--resume", "latest")
    assert moved.returncode == 15, moved.stdout + moved.stderr
    repository.git("reset", "-q", "--hard", "HEAD~1")
    resumed = harness(folder, "run", *arguments, "--resume", "latest")
    assert resumed.returncode == SLOWER, resumed.stdout + resumed.stderr
    assert runs(repository)[1].state == "complete"


def test_in_a_hook_of_git(repository: Repository) -> None:
    """Where git runs the harness, its variables name a repository, relative to another folder, and an index."""
    variants = ["--before=git:fast", "--after=git:main"]
    command = json.dumps([sys.executable, "-m", "harness", "run", "-k", "work", *variants])
    hook = repository.put(
        ".git/hooks/pre-commit",
        f"#!{sys.executable}\nimport os, subprocess, sys\nassert os.environ['GIT_INDEX_FILE']\n"
        f"done = subprocess.run({command}, cwd='shop', capture_output=True, text=True)\n"
        "print(done.stdout, done.stderr)\nsys.exit(done.returncode != 10)\n",
    )
    hook.chmod(0o755)
    repository.put("README.md", "Committed by a hook's leave.\n")
    who = ("-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "commit.gpgsign=false")
    done = subprocess.run(
        ["git", *who, "commit", "-q", "-a", "-m", "third"],
        cwd=repository.folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
