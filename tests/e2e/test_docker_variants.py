"""Variants from where users have them: two commits with a Dockerfile, in containers; a service that runs already."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from harness.files.runfile import read_run
from harness.model import Run
from tests.e2e.conftest import TINY
from tests.e2e.test_git_variants import harness
from tests.e2e.test_run import verdicts
from tests.repositories import Repository

SLOWER, USAGE, IDENTICAL = 10, 4, 13
CONFIGURATION = """
[system.services.backend]
live = "/live"
ready = "/ready"
first_answer = "/work"
settings = { WORK = 0.002, BIND = "0.0.0.0" }
stop_within = 2
[system.services.backend.container]
build = { context = "." }
port = 8000
command = ["python3", "service.py", "{port}"]
memory = "64m"
init = true
[system.variants.before]
[system.variants.after]
[controls]
enabled = false
"""
DOCKERFILE = "FROM before-after/base:local\nCOPY service.py /app/\n"
TAG = "before-after.build/backend"


@pytest.fixture
def repository(tmp_path: Path, images: dict[str, str], docker_engine: Any) -> Iterator[Repository]:
    """Two commits of a server with a Dockerfile; `main` takes ten times as long as `fast`."""
    assert images["base"] == "before-after/base:local"
    made = Repository.create(tmp_path / "repository")
    made.put("harness.toml", CONFIGURATION)
    made.put("Dockerfile", f"{DOCKERFILE}LABEL before-after.tests={os.urandom(8).hex()}\n")  # nobody else's image
    made.put("service.py", (TINY / "service.py").read_text("utf-8").replace('"127.0.0.1"', 'os.environ["BIND"]'))
    made.put("scenarios/speed/test_speed.py", (TINY / "scenarios" / "speed" / "test_speed.py").read_bytes())
    made.put(".gitignore", "reports/\n__pycache__/\n.pytest_cache/\n")
    made.commit("fast")
    made.git("tag", "fast")
    server = made.folder / "service.py"
    server.write_text(server.read_text("utf-8").replace("time.sleep(float", "time.sleep(0.02 + float"), "utf-8")
    made.commit("slow")
    yield made
    for tag in tags(docker_engine, made):
        docker_engine.images.remove(tag)


def tags(client: Any, repository: Repository) -> set[str]:
    """Those of the commits of this repository alone: others may test on this engine meanwhile."""
    trees = {tree[:20] for tree in repository.git("log", "--all", "--format=%T").split()}
    found = {tag for image in client.images.list(name=TAG) for tag in image.tags}
    return {tag for tag in found if tag.removeprefix(f"{TAG}:")[:20] in trees}


def runs(folder: Path) -> tuple[Run, Run]:
    latest = folder / "reports" / "out" / "latest"
    return read_run(latest / "before.json"), read_run(latest / "after.json")


def test_two_commits_are_built_measured_and_recorded(repository: Repository, docker_engine: Any) -> None:
    arguments = ("run", "--stack", "docker", "-k", "work", "--before", "git:fast", "--after", "git:main")
    done = harness(repository.folder, *arguments)
    assert done.returncode == SLOWER, done.stdout + done.stderr
    assert verdicts(done.stdout) == {"speed/work:latency": "regressed"}
    before, after = runs(repository.folder)
    for run, ref in ((before, "fast"), (after, "main")):
        tree = repository.git("rev-parse", f"{ref}^{{tree}}")
        assert run.variant.sources["backend"].commit == repository.git("rev-parse", ref)
        assert run.environment.volatile["image of backend"].startswith(f"{TAG}:{tree[:20]}-")
        assert run.environment.stable["stack"] == "docker"
    built = tags(docker_engine, repository)
    assert len(built) == 2
    ids = {tag: docker_engine.images.get(tag).id for tag in built}
    again = harness(repository.folder, *arguments, "--rounds", "1", "--no-gate")
    assert again.returncode == 0, again.stdout + again.stderr
    assert tags(docker_engine, repository) == built  # the same trees: the same images
    assert {tag: docker_engine.images.get(tag).id for tag in built} == ids
    assert repository.git("status", "--porcelain") == ""


def test_a_working_tree_gives_the_image_of_its_commit_and_leaves_none(
    repository: Repository, docker_engine: Any
) -> None:
    done = harness(repository.folder, "run", "--stack", "docker", "--before", "git:main", "--after", "after")
    told = " ".join((done.stdout + done.stderr).split())
    assert done.returncode == IDENTICAL, told
    assert "variants git:main and after are identical: the same images and settings" in told
    (kept,) = tags(docker_engine, repository)
    assert docker_engine.images.get(kept).tags == [kept]  # the session's own is gone

    repository.put("service.py", repository.folder.joinpath("service.py").read_text("utf-8") + "# Not committed.\n")
    arguments = ("--before", "git:main", "--after", "after", "--rounds", "1", "--no-gate", "-k", "work")
    done = harness(repository.folder, "run", "--stack", "docker", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    _, after = runs(repository.folder)
    image, _, built = after.environment.volatile["image of backend"].rpartition(" ")
    assert image == "backend of after from ."
    with pytest.raises(docker.errors.ImageNotFound):
        docker_engine.images.get(built)


def test_commits_that_give_the_same_image_are_refused(repository: Repository) -> None:
    repository.put("README.md", "New words.\n")
    repository.put(".dockerignore", "README.md\n")
    repository.commit("words")
    repository.put("README.md", "Newer words.\n")
    repository.commit("more words")
    done = harness(repository.folder, "run", "--stack", "docker", "--before", "git:HEAD~1", "--after", "git:HEAD")
    assert done.returncode == IDENTICAL, done.stdout + done.stderr
    assert "variants git:HEAD~1 and git:HEAD are identical: the same images and settings" in done.stdout + done.stderr


def test_a_dockerfile_that_cannot_be_built_is_named_with_its_last_lines(
    repository: Repository, docker_engine: Any
) -> None:
    there = {container.id for container in docker_engine.containers.list(all=True)}
    repository.put("Dockerfile", DOCKERFILE + 'RUN ["python3", "-c", "raise SystemExit(\'no compiler here\')"]\n')
    done = harness(repository.folder, "run", "--stack", "docker", "--before", "git:fast", "--after", "after")
    assert done.returncode == 12, done.stdout + done.stderr
    assert "Dockerfile: cannot be built:" in done.stdout + done.stderr
    assert "no compiler here" in done.stdout + done.stderr
    failed = [c for c in docker_engine.containers.list(all=True) if c.id not in there and "no compiler" in str(c.attrs)]
    assert failed == []  # a step that fails leaves its container unless it is told not to


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[str]:
    """A service that somebody else runs: its address."""
    command = [sys.executable, "-u", "-c", ELSEWHERE, str(TINY / "service.py")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.kill()


ELSEWHERE = """
import runpy, socket, sys
from http.server import ThreadingHTTPServer
begin = ThreadingHTTPServer.serve_forever
def tell(server):
    print(server.server_address[1], flush=True)
    begin(server)
ThreadingHTTPServer.serve_forever = tell
sys.argv = ["service.py", "0"]
runpy.run_path(sys.orig_argv[-1], run_name="__main__")
"""


def test_a_variant_that_runs_already_is_asked_and_not_started(tiny: Path, elsewhere: str) -> None:
    configuration = (tiny / "harness.toml").read_text("utf-8")
    (tiny / "harness.toml").write_text(f'{configuration}\n[system.variants.live.backend]\nurl = "{elsewhere}"\n')
    done = harness(tiny, "run", "-k", "work or start", "--before", "before", "--after", "live", "--rounds", "2")
    told = " ".join((done.stdout + done.stderr).split())
    assert done.returncode != 0, told  # what cannot be measured is no pass
    assert f"backend runs at {elsewhere} and is not started in a round: no start-up to measure" in told
    before, after = runs(tiny)
    assert {s.scenario for s in after.samples} == {"speed/work"}
    assert f"after: backend runs already at {elsewhere}; the harness does not start it." in " ".join(after.notes)
    assert len(next(s for s in before.samples if s.scenario == "speed/start").values) == 2


@pytest.mark.parametrize("url", ["https://127.0.0.1:1", "http://user@host:1", "http://127.0.0.1", "ftp://x:1"])
def test_an_address_that_is_none_is_refused(tiny: Path, url: str) -> None:
    configuration = (tiny / "harness.toml").read_text("utf-8")
    (tiny / "harness.toml").write_text(f'{configuration}\n[system.variants.live.backend]\nurl = "{url}"\n')
    done = harness(tiny, "run", "--after", "live")
    assert done.returncode == USAGE
    assert "system.variants.live.backend.url" in done.stdout + done.stderr
