"""The images of the reference system: the same when built twice, they start, and hold nothing that is not needed."""

import hashlib
import http.client
import importlib.util
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
from base64 import b64encode
from pathlib import Path
from types import ModuleType

import docker
import pytest
from docker.models.containers import Container

from tests.conftest import BUILD, ROOT
from tests.containers.conftest import Starter

NAMES = ("base", "backend", "llm", "clickhouse")
LIMITS = {"base": 90e6, "backend": 110e6, "llm": 90e6, "clickhouse": 680e6}
"""Bytes."""
_HTTP_PACKAGES = {"anyio", "certifi", "click", "h11", "httpcore", "httpx", "idna", "starlette", "tenacity", "uvicorn"}
BACKEND_PACKAGES = {"backports", "clickhouse_connect", "lz4", "typing_extensions.py", "urllib3", *_HTTP_PACKAGES}
ENGINE_PACKAGES = {"backports", "chdb", "lz4"}


def build(*arguments: str, script: Path = BUILD, **options: object) -> str:
    command = [sys.executable, str(script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def address(container: Container) -> str:
    """Of a running container; that of its network, where no proxy answers before the program does."""
    container.reload()
    assert container.status == "running", container.logs().decode()
    return container.attrs["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]


def get(container: Container, port: int, path: str, headers: dict[str, str] | None = None) -> tuple[int, str]:
    """Ask until it listens, at most 20 s: (status, body)."""
    until = time.monotonic() + 20
    while True:
        connection = http.client.HTTPConnection(address(container), port, timeout=10)
        try:
            connection.request("GET", path, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except ConnectionRefusedError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)
        finally:
            connection.close()


def ask(start: Starter, image: str, program: str, **options: object) -> object:
    """Run a Python program in an image; what it prints, read as JSON."""
    container = start(image, command=["python3", "-c", program], network_mode="none", **options)
    status = container.wait(timeout=60)
    told = container.logs(stdout=True, stderr=status["StatusCode"] != 0).decode()
    assert status["StatusCode"] == 0, told
    return json.loads(told)


# Built again


def test_a_second_build_changes_nothing(docker_engine: docker.DockerClient, images: dict[str, str]) -> None:
    before = {name: docker_engine.images.get(tag).id for name, tag in images.items()}
    lines = build().splitlines()
    assert [line.split()[0] for line in lines[:-1]] == list(images.values())
    assert all(line.endswith("unchanged") for line in lines[:-1]), lines
    assert {name: docker_engine.images.get(tag).id for name, tag in images.items()} == before


def test_layers_made_anew_elsewhere_are_the_same_bytes(tmp_path: Path) -> None:
    digests = []
    for number, seed in enumerate(("1", "2")):
        folder = tmp_path / str(number) / ("deep" * number)
        (tmp_path / f"scratch{seed}").mkdir()
        mask = os.umask(0o077 if number else 0o022)
        try:
            surroundings = {"PYTHONHASHSEED": seed, "TMPDIR": str(tmp_path / f"scratch{seed}")}
            build("base", "backend", "llm", "--contexts", str(folder), env=os.environ | surroundings, cwd=tmp_path)
        finally:
            os.umask(mask)
        tars = sorted(folder.rglob("*.tar"))
        digests.append({str(tar.relative_to(folder)): hashlib.sha256(tar.read_bytes()).hexdigest() for tar in tars})
        assert not any((tmp_path / f"scratch{seed}").iterdir())
    assert digests[0] == digests[1]
    assert set(digests[0]) == {"base/interpreter.tar", "backend/packages.tar", "backend/app.tar", "llm/app.tar"}


def test_an_image_made_again_has_the_same_id(docker_engine: docker.DockerClient, images: dict[str, str]) -> None:
    """Under a tag of its own, which the engine does not have: so it is compiled and sent again."""
    tag = "before-after-test/llm:local"
    try:
        assert "built" in build("llm", "--repository", "before-after-test")
        assert docker_engine.images.get(tag).id == docker_engine.images.get(images["llm"]).id
    finally:
        docker_engine.images.remove(tag)


def test_a_changed_source_is_a_new_image_and_the_old_one_goes(
    docker_engine: docker.DockerClient, tmp_path: Path
) -> None:
    for part in ("fixtures/reference/docker", "harness"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    tag = "before-after-test/llm:local"

    def built() -> tuple[str, str]:
        script = tmp_path / BUILD.relative_to(ROOT)
        told = build("llm", "--repository", "before-after-test", script=script).split()
        return told[4], docker_engine.images.get(tag).id

    def change(text: str) -> None:
        with (tmp_path / "harness" / "marks.py").open("a") as source:
            source.write(f"# {text}\n")

    try:
        change("Not as in this checkout, whose image has another tag and stays.")
        first = built()
        assert built() == ("unchanged", first[1])
        (tmp_path / "harness" / "cli" / "run.py").write_text("not in the image")
        assert built() == ("unchanged", first[1])
        change("Changed again.")
        second = built()
        assert (first[0], second[0]) == ("built", "built")
        assert second[1] != first[1]
        with pytest.raises(docker.errors.ImageNotFound):
            docker_engine.images.get(first[1])
    finally:
        docker_engine.images.remove(tag)


def test_docker_build_makes_the_same_of_the_contexts(
    docker_engine: docker.DockerClient, images: dict[str, str], start: Starter, tmp_path: Path
) -> None:
    build("llm", "--contexts", str(tmp_path))
    tag = "before-after/test-context:local"
    docker_engine.images.build(path=str(tmp_path / "llm"), tag=tag, rm=True, forcerm=True)
    try:
        ours, theirs = (docker_engine.images.get(one).attrs["Config"] for one in (images["llm"], tag))
        for key in ("Cmd", "Env", "User", "WorkingDir", "ExposedPorts", "Entrypoint"):
            assert ours[key] == theirs[key], key
        container = start(tag)
        assert get(container, 8000, "/health")[0] == 200
        container.remove(force=True)  # or the image could only lose its tag
    finally:
        docker_engine.images.remove(tag)


# Started


def test_the_backend_starts_and_is_alive(images: dict[str, str], start: Starter) -> None:
    status, body = get(start(images["backend"]), 8000, "/health/live")
    assert (status, json.loads(body)["status"]) == (200, "alive")


def test_the_provider_starts(images: dict[str, str], start: Starter) -> None:
    assert get(start(images["llm"]), 8000, "/health")[0] == 200


def test_clickhouse_knows_its_user(images: dict[str, str], start: Starter) -> None:
    settings = {"CLICKHOUSE_USER": "ada", "CLICKHOUSE_PASSWORD": "pass word", "CLICKHOUSE_DB": "numbers"}
    container = start(images["clickhouse"], environment=settings)
    query = "/?query=SELECT+version(),currentDatabase()&database=numbers"

    def answer(user: str, password: str) -> tuple[int, str]:
        told = b64encode(f"{user}:{password}".encode()).decode()
        return get(container, 8123, query, {"Authorization": f"Basic {told}"})

    status, body = answer("ada", "pass word")
    assert status == 200, body
    version, database = body.split()
    assert version[0].isdigit()
    assert database == "numbers"
    assert get(container, 8123, query)[0] == 403
    assert answer("ada", "wrong")[0] == 403
    assert answer("default", "")[0] == 403


def test_the_backend_works_with_the_other_two(images: dict[str, str], start: Starter) -> None:
    clickhouse, llm = start(images["clickhouse"]), start(images["llm"])
    get(clickhouse, 8123, "/ping")
    settings = {"CLICKHOUSE_HOST": address(clickhouse), "LLM_BASE_URL": f"http://{address(llm)}:8000"}
    backend = start(images["backend"], environment=settings)
    until = time.monotonic() + 20
    while get(backend, 8000, "/health/ready")[0] != 200:
        assert time.monotonic() < until, backend.logs().decode()
        time.sleep(0.05)


def test_a_stop_is_orderly(images: dict[str, str], start: Starter) -> None:
    for name, port, path in (
        ("backend", 8000, "/health/live"),
        ("llm", 8000, "/health"),
        ("clickhouse", 8123, "/ping"),
    ):
        container = start(images[name])
        get(container, port, path)
        container.stop(timeout=10)
        assert container.wait()["StatusCode"] == 0, name


# What is in them


@pytest.mark.parametrize("name", NAMES)
def test_an_image_is_no_larger_than_it_has_to_be(
    name: str, docker_engine: docker.DockerClient, images: dict[str, str]
) -> None:
    assert docker_engine.images.get(images[name]).attrs["Size"] <= LIMITS[name]


@pytest.mark.parametrize(
    ("name", "expected"),
    [("base", None), ("llm", None), ("backend", BACKEND_PACKAGES), ("clickhouse", ENGINE_PACKAGES)],
)
def test_only_the_packages_that_are_needed(
    name: str, expected: set[str] | None, images: dict[str, str], start: Starter
) -> None:
    program = "import json, os; print(json.dumps(os.listdir('/packages') if os.path.isdir('/packages') else None))"
    found = ask(start, images[name], program)
    if expected is None:
        assert found is None
    else:
        own = {top for top in found if not top.endswith((".dist-info", ".libs")) and top != "__pycache__"}
        assert own == expected


_LOOK = """
import json, mmap, os, sys
forbidden = [path.encode() for path in json.loads(os.environ["FORBIDDEN"])]
found = []
for top in ("packages", "app", "etc", "py", "data", "tmp", "root", "home"):
    for place, _, names in os.walk("/" + top):
        for name in names:
            path = os.path.join(place, name)
            if name.endswith(".pth") or name in ("direct_url.json", "RECORD", "INSTALLER"):
                found.append(path)
            if os.path.islink(path) or not os.path.getsize(path):
                continue
            with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as content:
                found += [path for text in forbidden if content.find(text) >= 0]
print(json.dumps(found))
"""


@pytest.mark.parametrize("name", NAMES)
def test_nothing_names_a_place_of_this_machine(name: str, images: dict[str, str], start: Starter) -> None:
    """What the interpreter itself was told when it was compiled is not in question: that is its own folder."""
    forbidden = json.dumps(sorted({str(ROOT), sys.prefix, os.path.realpath(sys.prefix)}))
    assert ask(start, images[name], _LOOK, environment={"FORBIDDEN": forbidden}) == []


def test_the_configuration_names_no_place_of_this_machine(
    docker_engine: docker.DockerClient, images: dict[str, str]
) -> None:
    for tag in images.values():
        image = docker_engine.images.get(tag)
        assert str(ROOT) not in json.dumps([image.attrs["Config"], image.history()])
        assert sys.base_prefix not in json.dumps([image.attrs["Config"], image.history()])


_WHO = """
import json, os
def writable(path):
    return os.access(path, os.W_OK)
print(json.dumps({"user": os.getuid(), "group": os.getgid(), "name": __import__("pwd").getpwuid(os.getuid()).pw_name,
    "writable": [path for path in ("/", "/app", "/packages", "/py", "/etc", "/data", "/tmp") if writable(path)]}))
"""


@pytest.mark.parametrize("name", NAMES)
def test_the_user_is_not_root(name: str, images: dict[str, str], start: Starter) -> None:
    writable = ["/data", "/tmp"] if name == "clickhouse" else ["/tmp"]
    expected = {"user": 1000, "group": 1000, "name": "app", "writable": writable}
    assert ask(start, images[name], _WHO) == expected


def test_a_new_volume_belongs_to_the_user(
    docker_engine: docker.DockerClient, images: dict[str, str], start: Starter
) -> None:
    volume = docker_engine.volumes.create(labels={"before-after.test": "images"})
    try:
        container = start(images["clickhouse"], volumes={volume.name: {"bind": "/data", "mode": "rw"}})
        assert get(container, 8123, "/ping")[0] == 200
        container.remove(force=True)
        container = start(images["clickhouse"], volumes={volume.name: {"bind": "/data", "mode": "rw"}})
        assert get(container, 8123, "/ping")[0] == 200
        container.remove(force=True)
    finally:
        volume.remove(force=True)


# Compiled modules

_BYTECODE = """
import importlib.util, json, os
missing, flags = [], {}
for top in ("/py/lib", "/packages", "/app"):
    for place, _, names in os.walk(top):
        for path in (os.path.join(place, name) for name in names if name.endswith(".py")):
            try:
                with open(importlib.util.cache_from_source(path), "rb") as file:
                    flags.setdefault(top, set()).add(file.read(8)[4])
            except FileNotFoundError:
                missing.append(path)
print(json.dumps({"missing": missing, "flags": {top: sorted(found) for top, found in flags.items()}}))
"""


def test_every_module_is_compiled(images: dict[str, str], start: Starter) -> None:
    """1: taken as compiled; 3: compared with its source."""
    found = ask(start, images["backend"], _BYTECODE)
    assert found == {"missing": [], "flags": {"/py/lib": [1], "/packages": [1], "/app": [3]}}


def test_code_that_is_replaced_is_the_code_that_runs(images: dict[str, str], start: Starter) -> None:
    """As an image does that is built on this one, with another commit's sources."""
    container = start(images["llm"], run=False, command=["python3", "-c", "import harness.marks as m; print(m.NEW)"])
    changed = io.BytesIO()
    with tarfile.open(fileobj=changed, mode="w") as tar:
        header = tarfile.TarInfo("marks.py")
        text = b"NEW = 'another commit'\n"
        header.size = len(text)
        tar.addfile(header, io.BytesIO(text))
    assert container.put_archive("/app/harness", changed.getvalue())
    container.start()
    assert container.wait(timeout=30)["StatusCode"] == 0
    assert container.logs().decode().strip() == "another commit"


# Mistakes


def test_without_an_engine_there_is_one_line(tmp_path: Path) -> None:
    environment = os.environ | {"DOCKER_HOST": f"unix://{tmp_path}/none.sock"}
    done = subprocess.run(
        [sys.executable, BUILD, "llm"], capture_output=True, text=True, env=environment, timeout=60, check=False
    )
    assert done.returncode == 12
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("images: no Docker engine answers")


@pytest.fixture
def recipe() -> ModuleType:
    spec = importlib.util.spec_from_file_location("recipe", BUILD.with_name("recipe.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules["recipe"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["recipe"]


@pytest.mark.parametrize("line", ["RUN make", "ADD . /", "ENV A", "EXPOSE many", "CMD python3", "FROM a AS b"])
def test_a_recipe_that_is_not_understood_names_the_line(line: str, recipe: ModuleType, tmp_path: Path) -> None:
    file = tmp_path / "odd.Dockerfile"
    file.write_text(f"# Odd.\nFROM scratch\n{line}\n")
    with pytest.raises(ValueError, match=r"odd\.Dockerfile, line 3: "):
        recipe.read(file)
