"""A stack of containers: the same answers as from processes, limits kept, times in order, the wrong project refused."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from harness.configuration.load import Project, load, with_images
from harness.containers.session import EngineSession
from harness.errors import ExitCode, HarnessError
from harness.measure.docker_stack import DockerStack
from harness.measure.startup import POLL
from harness.measure.variants import configured

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.usefixtures("docker_engine")


def made(project: Project, origin: str, folder: Path, session: EngineSession) -> DockerStack:
    variant = configured(project, origin, "docker")
    return DockerStack(project, "after", variant, folder=folder, secret="correct horse", session=session, mark={})


def of_backend(session: EngineSession) -> dict[str, list[str]]:
    return {"label": ["before-after.service=after/backend", f"before-after.session={session.token}"]}


@pytest.fixture
def session() -> Iterator[EngineSession]:
    with EngineSession.opened() as opened:
        yield opened


@pytest.fixture
def reference(images: dict[str, str]) -> Project:
    return with_images(load(ROOT / "pyproject.toml"), [f"clickhouse={images['clickhouse']}"])


@pytest.fixture
def stack(reference: Project, session: EngineSession, tmp_path: Path) -> Iterator[DockerStack]:
    with ExitStack() as cleanup:
        stack = made(reference, "after", tmp_path, session)
        stack.prepare(lambda _: None)
        cleanup.callback(stack.close)
        stack.open()
        yield stack


def test_the_reference_system_in_containers(stack: DockerStack) -> None:
    startup = stack.restart()["backend"]
    marks = startup.marks
    assert list(marks.values()) == sorted(marks.values())
    early = ["created", "container", "started", "exec", "imported", "listening"]
    assert [name for name in marks if name in early] == early
    assert marks["port"] >= marks["listening"] - 1e-3  # not the proxy of a published port, which listens long before
    assert marks["live"] <= marks["ready_seen"] <= marks["first_answer"] <= marks["settled"]
    assert marks["ready_seen"] - marks["ready"] < 1 + POLL
    assert startup.cpu is not None
    assert 0 < startup.cpu < marks["first_answer"] * 64
    assert startup.peak_memory is not None
    assert 2**20 < startup.peak_memory < 2**30
    assert stack.engines() == {"clickhouse": stack.engines()["clickhouse"]}
    assert stack.engines()["clickhouse"].startswith("chdb-http ")
    assert stack.service("backend").get("/api/metrics/summary").status == 200
    stack.check_alive()


def test_another_instance_is_a_container_beside_with_its_own_settings(
    stack: DockerStack, session: EngineSession
) -> None:
    stack.restart()
    with stack.another("backend", {"POOL_SIZE": 2}, settled=False) as (other, startup):
        assert startup.marks["first_answer"] > 0
        assert other.get("/api/metrics/summary").json()["pool"]["size"] == 2
        assert stack.service("backend").get("/api/metrics/summary").json()["pool"]["size"] == 5
        assert len(session.client.containers.list(filters={"label": f"before-after.session={session.token}"})) == 4
    stack.check_alive()
    assert len(session.client.containers.list(filters={"label": f"before-after.session={session.token}"})) == 3
    assert "limits of backend" in stack.facts


def test_limits_and_privileges_are_as_configured(stack: DockerStack, session: EngineSession) -> None:
    stack.restart()
    (backend,) = session.client.containers.list(filters=of_backend(session))
    host = backend.attrs["HostConfig"]
    assert host["Memory"] == host["MemorySwap"] == 2**30  # no swap beside it
    assert host["PidsLimit"] == 1024
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert host["Privileged"] is False
    bindings = [entry for entries in backend.attrs["NetworkSettings"]["Ports"].values() for entry in entries or ()]
    assert {entry["HostIp"] for entry in bindings} == {"127.0.0.1"}
    assert stack.facts["limits of backend"] == "memory 1g, processes 1024"
    assert stack.facts["docker"].startswith(session.engine.version)
    assert stack.images["backend"].startswith("before-after/backend:local sha256:")


def test_every_restart_is_another_container_and_the_network_is_the_stacks_own(
    stack: DockerStack, session: EngineSession
) -> None:
    seen = set()
    for _ in range(2):
        stack.restart()
        seen |= {c.id for c in session.client.containers.list(filters=of_backend(session))}
    assert len(seen) == 2
    stack.close()
    label = {"label": f"before-after.session={session.token}"}
    assert session.client.containers.list(all=True, filters=label) == []
    assert session.client.networks.list(filters=label) == []


def test_cores_and_processor_time_can_be_limited(reference: Project, session: EngineSession, tmp_path: Path) -> None:
    services = dict(reference.system.services)
    container = services["backend"].container
    assert container is not None
    limited = container.model_copy(update={"cpus": 0.5, "cpuset": "0"})
    services = {"backend": services["backend"].model_copy(update={"container": limited, "needs": ()})}
    system = reference.system.model_copy(update={"services": services, "variants": {"before": {}}})
    project = Project(reference.file, reference.configuration, system, reference.system_folder)
    stack = made(project, "before", tmp_path, session)
    assert stack.facts == {"docker": stack.facts["docker"]}
    stack.prepare(lambda _: None)
    assert stack.facts["limits of backend"] == "memory 1g, processes 1024, cpus 0.5, cores 0"


def test_a_service_without_a_container_is_refused(tmp_path: Path, session: EngineSession) -> None:
    (tmp_path / "harness.toml").write_text(
        '[system.services.backend]\ncommand = ["x"]\nready = "/"\n[system.variants.before]\n[system.variants.after]\n'
    )
    with pytest.raises(HarnessError, match=r"services.backend: has no container, so it cannot run in Docker") as error:
        made(load(tmp_path / "harness.toml"), "before", tmp_path, session)
    assert error.value.code == ExitCode.USAGE


def test_a_container_is_asked_at_its_own_address_unless_the_engine_has_networks_of_its_own(stack: DockerStack) -> None:
    stack.restart()
    process = stack.service("backend").process
    port = stack.service("backend").port
    assert stack._reached(process, port) == (process.address, port)
    process.gateway = "203.0.113.1"  # nobody's: for documentation
    assert stack._reached(process, port) == ("127.0.0.1", process.published)
    process.gateway = process._wrapped.attrs["NetworkSettings"]["Networks"].popitem()[1]["Gateway"]
    assert stack._reached(process, port) == (process.address, port)
    stack._session = replace(stack._session, engine=replace(stack._session.engine, rootless=True))
    assert stack._reached(process, port) == ("127.0.0.1", process.published)


def test_a_warm_start_is_the_same_container_again(stack: DockerStack, session: EngineSession) -> None:
    stack.restart()
    label = {"label": f"before-after.session={session.token}"}
    (before,) = [c.id for c in session.client.containers.list(filters=label) if "backend" in str(c.labels)]
    startup = stack.restart_warm("backend")
    (after,) = [c.id for c in session.client.containers.list(filters=label) if "backend" in str(c.labels)]
    assert before == after
    marks = startup.marks
    assert "container" not in marks  # nothing was created
    assert list(marks.values()) == sorted(marks.values())
    assert 0 <= marks["started"] < marks["exec"] < marks["ready"] <= marks["settled"]
    stack.check_alive()
    assert stack.service("backend").get("/api/metrics/summary").status == 200
