"""Variants from where users have them: two commits with a Dockerfile, in containers; a service that runs already."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import docker
import pytest

from harness.files.runfile import read_run
from harness.model import Run
from tests.containers.project import write_project
from tests.e2e.conftest import TINY
from tests.e2e.test_git_variants import harness
from tests.e2e.test_run import verdicts
from tests.repositories import Repository

SLOWER, USAGE, FAILED, IDENTICAL, OTHERWISE = 10, 4, 12, 13, 15
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


Elsewhere = Callable[[], str]


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Elsewhere]:
    """Starts services as somebody else does: the address of each."""
    with ExitStack() as cleanup:

        def start() -> str:
            command = [sys.executable, "-u", "-c", ELSEWHERE, str(TINY / "service.py")]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path)
            cleanup.enter_context(process)
            cleanup.callback(process.kill)
            assert process.stdout is not None
            return f"http://127.0.0.1:{process.stdout.readline().strip()}"

        yield start


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


def runs_at(tiny: Path, url: str, more: str = "") -> None:
    """The tiny project has a variant `live` whose backend runs already."""
    configuration = (TINY / "harness.toml").read_text("utf-8")
    (tiny / "harness.toml").write_text(f'{configuration}\n[system.variants.live.backend]\nurl = "{url}"\n{more}')


def test_a_variant_that_runs_already_is_asked_and_not_started(tiny: Path, elsewhere: Elsewhere) -> None:
    url = elsewhere()
    runs_at(tiny, url)
    done = harness(tiny, "run", "-k", "work or start", "--before", "before", "--after", "live", "--rounds", "2")
    told = " ".join((done.stdout + done.stderr).split())
    assert done.returncode != 0, told  # what cannot be measured is no pass
    assert f"backend runs at {url} and is not started in a round: no start-up to measure" in told
    before, after = runs(tiny)
    assert {s.scenario for s in after.samples} == {"speed/work"}
    assert f"after: backend runs already at {url}; the harness does not start it." in " ".join(after.notes)
    assert len(next(s for s in before.samples if s.scenario == "speed/start").values) == 2


def test_a_service_that_runs_already_is_not_restarted(tiny: Path, elsewhere: Elsewhere) -> None:
    url = elsewhere()
    runs_at(tiny, url)
    scenario = tiny / "scenarios" / "speed" / "test_speed.py"
    scenario.write_text(scenario.read_text("utf-8") + WARM, "utf-8")
    done = harness(tiny, "run", "-k", "warm", "--after", "live", "--rounds", "2")
    told = " ".join((done.stdout + done.stderr).split())
    assert done.returncode == FAILED, told
    assert f"backend runs already at {url}: a scenario cannot restart it" in told
    before, after = runs(tiny)
    assert len(before.samples) == 1
    assert after.samples == ()


def test_a_service_that_should_run_already_and_does_not(tiny: Path, elsewhere: Elsewhere) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens there, and nobody else will
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        runs_at(tiny, url)
        done = harness(tiny, "run", "--after", "live")
    assert done.returncode == FAILED, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    told = f"after (live): backend should run already, but {url}/ready does not answer: [Errno 111] Connection refused"
    assert told in done.stdout

    url = elsewhere()
    runs_at(tiny, url)
    text = (tiny / "harness.toml").read_text("utf-8").replace('ready = "/ready"', 'ready = "/nothing"')
    (tiny / "harness.toml").write_text(text, "utf-8")
    done = harness(tiny, "run", "--after", "live")
    assert done.returncode == FAILED, done.stdout + done.stderr
    assert f"{url}/nothing answers 404, not 200" in done.stdout


def test_docker_without_its_libraries_names_the_extra(tiny: Path) -> None:
    (tiny / "conftest.py").write_text("import sys\nsys.modules.update(docker=None, testcontainers=None)\n")
    done = harness(tiny, "run", "--stack", "docker")
    told = done.stdout + done.stderr
    assert done.returncode == FAILED, told
    assert "needs libraries that are not installed (docker): install the extra [docker]" in told
    assert "Traceback" not in told
    assert "error" not in told.lower()


def test_an_image_for_local_processes_is_refused(tiny: Path) -> None:
    text = (tiny / "harness.toml").read_text("utf-8")
    with_container = text.replace('live = "/live"', 'live = "/live"\ncontainer = { image = "x:1", port = 80 }')
    (tiny / "harness.toml").write_text(with_container, "utf-8")
    done = harness(tiny, "run", "--image", "backend=y:2")
    assert done.returncode == USAGE, done.stdout + done.stderr
    told = "--image backend=y:2: is for services in Docker; these run as local processes"
    assert told in done.stdout + done.stderr


WARM = """

@pytest.mark.scenario
def test_warm(turn: Turn) -> None:
    turn.record(Metric("warm", "s"), turn.restart("backend").ready)
"""


@pytest.mark.parametrize("url", ["https://127.0.0.1:1", "http://user@host:1", "http://127.0.0.1", "ftp://x:1"])
def test_an_address_that_is_none_is_refused(tiny: Path, url: str) -> None:
    runs_at(tiny, url)
    done = harness(tiny, "run", "--after", "live")
    assert done.returncode == USAGE
    assert "system.variants.live.backend.url" in done.stdout + done.stderr


def test_nothing_is_said_of_the_settings_of_what_runs_already(tiny: Path, elsewhere: Elsewhere) -> None:
    url = elsewhere()
    runs_at(tiny, url)
    text = (tiny / "harness.toml").read_text("utf-8").replace("enabled = false", "enabled = true")
    (tiny / "harness.toml").write_text(f'system.notes = ["Work: {{backend.WORK}} s."]\n{text}', "utf-8")
    scenario = tiny / "scenarios" / "speed" / "test_speed.py"
    scenario.write_text(scenario.read_text("utf-8") + ASKS, "utf-8")
    arguments = ("-k", "work or asks", "--rounds", "2")
    done = harness(tiny, "run", "--before", "live", *arguments)
    told = " ".join((done.stdout + done.stderr).split())
    assert f"backend runs already at {url}: nothing is known of its settings" in told
    before, after = runs(tiny)
    assert before.variant.settings == {}
    assert after.variant.settings["backend"]["WORK"] == "0.02"
    assert {sample.scenario for sample in before.samples} == {"speed/work"}  # no control arms
    assert {"Work: (not known) s.", "Work: 0.02 s."} <= set(before.notes)
    assert (
        "No control arms: of before, backend runs already, and a second before would be the same one." in before.notes
    )
    report = (tiny / "reports" / "out" / "latest" / "report.md").read_text("utf-8")
    assert "(not known)" in report
    assert "(not set)" not in report

    done = harness(tiny, "run", "--before", "before", "--after", "live", *arguments)
    before, _ = runs(tiny)
    assert {sample.scenario for sample in before.samples} > {"speed/work", "speed/asks"}, done.stdout


ASKS = """

@pytest.mark.scenario
def test_asks(turn: Turn) -> None:
    turn.record(LATENCY, float(turn.setting("backend", "WORK")))
"""
DIES_ONCE = """
from pathlib import Path
import pytest
from harness.model import Metric

@pytest.mark.scenario(rounds=3)
def test_work(turn) -> None:
    if turn.round == 1 and turn.side == "before" and not Path("went on").exists():
        turn.service("backend").get("/die")
    with turn.timed(Metric("latency", "s")):
        turn.service("backend").get("/work")
"""


def test_a_session_is_not_resumed_at_another_address(tiny: Path, elsewhere: Elsewhere) -> None:
    first, second = elsewhere(), elsewhere()
    (tiny / "scenarios" / "speed" / "test_speed.py").write_text(DIES_ONCE)
    arguments = ("run", "--no-gate", "--after", "live")
    runs_at(tiny, first)
    done = harness(tiny, *arguments)
    assert done.returncode == FAILED, done.stdout + done.stderr
    (tiny / "went on").touch()
    for other in (second, first.replace("127.0.0.1", "localhost")):
        runs_at(tiny, other)
        done = harness(tiny, *arguments, "--resume", "latest")
        assert done.returncode == OTHERWISE, done.stdout + done.stderr
    runs_at(tiny, first)
    text = (tiny / "harness.toml").read_text("utf-8")
    (tiny / "harness.toml").write_text(text.replace('"{python}", "service.py"', '"{python}", "-O", "service.py"'))
    done = harness(tiny, *arguments, "--resume", "latest")
    assert done.returncode == OTHERWISE, done.stdout + done.stderr
    (tiny / "harness.toml").write_text(text)
    done = harness(tiny, *arguments, "--resume", "latest")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_session_is_not_resumed_with_other_images(tmp_path: Path, images: dict[str, str], docker_engine: Any) -> None:
    base, other = "before-after-tests/resumed:1", "before-after-tests/resumed:2"
    write_project(tmp_path, {"image": base}, {}, DIES_ONCE)
    arguments = ("run", "--stack", "docker", "--no-gate")
    try:
        for tag in (base, other):
            docker_engine.images.get(images["base"]).tag(tag)
        done = harness(tmp_path, *arguments)
        assert done.returncode == FAILED, done.stdout + done.stderr
        (tmp_path / "went on").touch()
        done = harness(tmp_path, *arguments, "--image", f"backend={other}", "--resume", "latest")
        assert done.returncode == OTHERWISE, done.stdout + done.stderr
        docker_engine.images.get(images["backend"]).tag(base)
        done = harness(tmp_path, *arguments, "--resume", "latest")
        assert done.returncode == OTHERWISE, done.stdout + done.stderr
        docker_engine.images.get(images["base"]).tag(base)
        text = (tmp_path / "harness.toml").read_text("utf-8")
        (tmp_path / "harness.toml").write_text(text.replace('memory = "64m"', 'memory = "65m"'))
        done = harness(tmp_path, *arguments, "--resume", "latest")
        assert done.returncode == OTHERWISE, done.stdout + done.stderr
        (tmp_path / "harness.toml").write_text(text)
        done = harness(tmp_path, *arguments, "--resume", "latest")
        assert done.returncode == 0, done.stdout + done.stderr
    finally:
        for tag in (base, other):
            docker_engine.images.remove(tag)
