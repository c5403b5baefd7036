"""``harness doctor`` with and without Docker: what it says, what it removes, and that Docker stays optional."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.cli.doctor import command
from harness.cli.doctor_docker import describe, docker_lines, image_names
from harness.configuration.schema import Build, Container, Override, Service, System
from harness.containers.engine import Engine, engine_of
from harness.containers.labels import Owner
from harness.errors import ExitCode
from tests.containers.conftest import Things, is_there
from tests.containers.daemons import answering, refusing, silent

TINY = Path(__file__).parent.parent / "tiny"
MISSING = "unix:///nonexistent/docker.sock"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(TINY, tmp_path / "tiny", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "tiny"


def doctor(folder: Path, *arguments: str, **environment: str) -> tuple[int, dict[str, list[str]]]:
    """Exit code, and what stands beside each word at the left."""
    done = subprocess.run(
        [sys.executable, "-m", "harness", "doctor", *arguments],
        cwd=folder,
        env=dict(os.environ) | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    return done.returncode, read(done.stdout)


def doctor_here(*arguments: str) -> tuple[int, dict[str, list[str]]]:
    """The same within this process, where ``things`` have labels of their own."""
    done = CliRunner().invoke(command, ["--config", str(TINY / "harness.toml"), *arguments], standalone_mode=False)
    assert done.exception is None, done.exception
    return done.return_value, read(done.stdout)


def read(output: str) -> dict[str, list[str]]:
    told: dict[str, list[str]] = {}
    for line in output.splitlines():
        assert line.isprintable()
        match = re.fullmatch(r"(.{15}|\S{16,}) (.*)", line)
        assert match is not None, line
        told.setdefault(match[1].strip(), []).append(match[2])
    return told


Daemon = Callable[[], AbstractContextManager[str]]


@pytest.mark.parametrize(
    ("daemon", "says"),
    [
        (lambda: nullcontext(MISSING), "no Docker engine: {host} does not exist; is Docker installed and started?"),
        (refusing, "no Docker engine: nothing answers at {host}; is it started?"),
        (silent, "the Docker engine at {host} does not answer within 10 s"),
        (lambda: answering({"": {"message": "no\x1b[2J room"}}, 500), "the Docker engine at {host} answers 500: no"),
    ],
    ids=["missing", "refusing", "hanging", "failing"],
)
def test_without_docker_one_line_says_why_and_all_else_is_as_it_was(daemon: Daemon, says: str, folder: Path) -> None:
    with daemon() as host:
        code, told = doctor(folder, DOCKER_HOST=host)
    assert code == 0
    (line,) = told["docker engine"]
    assert line.startswith(says.format(host=host))
    assert "leftovers" not in told
    assert "backend; variants before, after" in told["configuration"][0]


def test_without_docker_there_is_nothing_to_clean(folder: Path) -> None:
    code, told = doctor(folder, "--clean", DOCKER_HOST=MISSING)
    assert code == 0
    assert len(told["docker engine"]) == 1


def test_without_the_libraries_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("docker", "requests", "urllib3"):
        monkeypatch.setitem(sys.modules, module, None)
    code, told = doctor_here()
    assert code == 0
    assert told["docker engine"] == ["Docker's libraries are not installed: install the extra [docker]"]


def test_a_broken_configuration_stays_what_the_doctor_is_about(folder: Path) -> None:
    (folder / "harness.toml").write_text("nonsense = 1\n")
    code, told = doctor(folder, DOCKER_HOST=MISSING)
    assert code == ExitCode.USAGE
    assert told["docker engine"][0].startswith("no Docker engine")


@pytest.mark.usefixtures("docker_engine")
def test_the_engine_is_shown_with_what_limits_it(folder: Path, things: Things) -> None:
    code, told = doctor(folder)
    assert code == 0
    info = things.client.info()
    (line,) = told["docker engine"]
    assert line == describe(engine_of(things.client))
    assert line.startswith(f"{info['ServerVersion']}, API {things.client.version()['ApiVersion']}, {info['Driver']}, ")
    assert f"; {info['NCPU']} cores, " in line


def test_an_engine_is_described_in_one_line() -> None:
    engine = Engine("27.1", "1.46", "overlay2", "2", True, 8, 16 * 2**30, ("cpus", "processes"))  # noqa: FBT003
    assert describe(engine) == (
        "27.1, API 1.46, overlay2, cgroup v2, rootless; 8 cores, 16 GiB; cannot limit cpus; cannot limit processes"
    )


def test_leftovers_are_shown_and_removed_when_asked(things: Things, living: Owner, dead: Owner) -> None:
    left = [*things.all_of(dead), things.running(dead)]
    session, things.session = things.session, "\x1b[31m::error::"
    strange = things.volume(dead)
    things.session = os.urandom(16).hex()
    used = things.all_of(living)
    nobodys = things.volume("somebody \x1b[31m else")

    code, told = doctor_here()
    assert code == 0
    for thing in left:
        kind = type(thing).__name__.lower()
        assert (
            f"{kind} {thing.name}, just made, of session {session[:8]}, process {dead.pid}, which is gone: "
            "--clean removes it"
        ) in told["leftover"]
    assert any(line.startswith(f"volume {strange.name}, just made, of session \\x1b[31m") for line in told["leftover"])
    for thing in used:
        kind = type(thing).__name__.lower()
        assert (
            f"{kind} {thing.name}, just made, of session {things.session[:8]}, process {living.pid}" in told["in use"]
        )
    unnamed = "a process that the label does not name"
    assert f"volume {nobodys.name}, just made, of session {things.session[:8]}, {unnamed}" in told["in use"]
    assert all(map(is_there, [*left, strange, *used, nobodys]))

    code, told = doctor_here("--clean")
    assert code == 0
    for thing in [*left, strange]:
        kind = type(thing).__name__.lower()
        said = f"removed {kind} {thing.name} (just made), left by a harness that is gone (process {dead.pid})"
        assert said in told["leftover"]
    assert not any(map(is_there, [*left, strange]))
    assert all(map(is_there, [*used, nobodys]))
    _, told = doctor_here()
    assert told["leftovers"] == ["none"]
    assert "leftover" not in told


def test_a_removal_that_fails_is_told_and_fails(things: Things, dead: Owner) -> None:
    network = things.network(dead)
    strange = things.running(None, network=network.name)
    code, told = doctor_here("--clean")
    assert code == ExitCode.ENVIRONMENT
    (line,) = [line for line in told["leftover"] if network.name in line]
    assert line.startswith(f"could not remove network {network.name} (just made), left by a harness that is gone")
    assert is_there(strange)
    code, _ = doctor_here()
    assert code == 0


@pytest.mark.usefixtures("docker_engine")
def test_images_of_the_configuration_are_here_or_missing(empty_image: str) -> None:
    texts = [line.text for line in docker_lines([empty_image, "before-after-tests/none:1"], clean=False)]
    assert texts[1:3] == [f"{empty_image} is here", "before-after-tests/none:1 is missing"]


def test_images_are_found_in_services_and_variants() -> None:
    services = {
        "store": Service(container=Container(image="store:1", port=80), ready="/"),
        "backend": Service(container=Container(image="backend:1", port=80), ready="/"),
        "built": Service(container=Container(build=Build(), port=80), ready="/"),
        "local": Service(command=("x",), ready="/"),
    }
    variants = {"before": {"backend": Override()}, "after": {"backend": Override(image="backend:2")}}
    system = System(services=services, variants=variants)
    assert image_names(system) == ("store:1", "backend:1", "backend:2")
