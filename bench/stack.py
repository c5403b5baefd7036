"""The time until a whole stack has given its first good answer: through the harness, and by a plain script.

    python -m bench.stack [--rounds N] [--stack docker|local]

ClickHouse, model provider and backend of fixtures/reference, one after the other, on the same images and with the same
settings. The plain script knows neither limits nor labels, logs or faults: raw calls of docker-py (subprocess.Popen),
then requests every 10 ms. Both ways by turns, in an order drawn for the round; the ratio is taken within a round. Until
the first good answer of the backend; stopping is not timed.
"""

import argparse
import contextlib
import http.client
import random
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import docker

from bench.machine import describe
from bench.processes import spread
from harness.configuration.load import Project, load, start_order, with_images
from harness.configuration.placeholders import fill
from harness.configuration.schema import Service
from harness.containers.session import EngineSession
from harness.measure.docker_stack import DockerStack
from harness.measure.local_stack import LocalStack, _free_port
from harness.measure.process import _environment as environment_of
from harness.measure.stack import ServiceStack
from harness.measure.startup import POLL
from harness.measure.watchdog import Watchdog

ROOT = Path(__file__).parents[1]
_IMAGES = ("clickhouse=before-after/clickhouse:local",)
_PATIENCE = 60.0
Way = Callable[[], Mapping[str, float]]
"""Starts everything and stops it again; until which moment how many seconds had passed."""


@dataclass(frozen=True, slots=True)
class Plain:
    """One service for the plain script."""

    name: str
    paths: tuple[str, ...]
    """To be asked, each until it answers 200, in this order."""
    service: Service


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--stack", choices=["docker", "local"], default="docker")
    options = parser.parse_args()
    print(describe())
    project = with_images(load(ROOT / "pyproject.toml"), _IMAGES)
    with _ways(project, options.stack) as ways:
        times: dict[str, list[Mapping[str, float]]] = {name: [] for name in ways}
        order = list(ways)
        for number in range(options.rounds + 1):  # the first does not count
            random.shuffle(order)
            for name in order:
                took = ways[name]()
                if number:
                    times[name].append(took)
    _table(options.stack, times)


def _table(kind: str, times: Mapping[str, list[Mapping[str, float]]]) -> None:
    ours, plain = times["harness"], times["plain script"]
    print(f"\n{kind}: n = {len(ours)} rounds; seconds: median [quartiles]")
    print(f"{'until':22} {'harness':>22} {'plain script':>22} {'ratio within a round':>24}")
    for moment in ours[0]:
        ratios = [a[moment] / b[moment] for a, b in zip(ours, plain, strict=True)]
        columns = [spread([took[moment] for took in some], ".3f") for some in (ours, plain)]
        print(f"{moment:22} {columns[0]:>22} {columns[1]:>22} {spread(ratios, '.3f'):>24}")


@contextmanager
def _ways(project: Project, kind: str) -> Iterator[Mapping[str, Way]]:
    with ExitStack() as cleanup:
        folder = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="stack-")))
        if kind == "local":
            watchdog = cleanup.enter_context(Watchdog())

            def local() -> ServiceStack:
                where = Path(tempfile.mkdtemp(dir=folder))
                return LocalStack(project, "before", "before", folder=where, secret=_secret(), watchdog=watchdog)

            yield {"harness": lambda: _ours(local()), "plain script": lambda: _plain_local(project, folder)}
            return
        session = cleanup.enter_context(EngineSession.opened())
        client = cleanup.enter_context(closing(docker.from_env()))

        def in_docker() -> ServiceStack:
            where = Path(tempfile.mkdtemp(dir=folder))
            stack = DockerStack(project, "before", "before", folder=where, secret=_secret(), session=session)
            stack.prepare(print)
            return stack

        yield {"harness": lambda: _ours(in_docker()), "plain script": lambda: _plain_docker(project, client)}


def _ours(stack: ServiceStack) -> Mapping[str, float]:
    begun = time.monotonic()
    try:
        stack.open()
        opened = time.monotonic() - begun
        backend = stack.restart()["backend"]
        created = stack.service("backend").process.created - begun
        return {"the others are ready": opened, "first good answer": created + backend.marks["first_answer"]}
    finally:
        stack.close()


def _plain_local(project: Project, folder: Path) -> Mapping[str, float]:
    with ExitStack() as cleanup:
        ports = {name: _free_port() for name in project.system.services}
        values = _values({name: ("127.0.0.1", port) for name, port in ports.items()})
        begun, took = time.monotonic(), {}
        for one in _plain(project):
            where = tempfile.mkdtemp(dir=folder)
            own = {"host": "127.0.0.1", "port": str(ports[one.name]), "data": where, "python": sys.executable}
            process = subprocess.Popen(
                [fill(word, values | own, "") for word in one.service.command],
                cwd=project.system_folder / one.service.directory,
                env=environment_of(_settings(one, values)),
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            cleanup.callback(process.wait)
            cleanup.callback(process.terminate)
            _ready(one, "127.0.0.1", ports[one.name], begun, took)
        return took


def _plain_docker(project: Project, client: docker.DockerClient) -> Mapping[str, float]:
    with ExitStack() as cleanup:
        services = _plain(project)
        values = _values({one.name: (one.name, _container(one).port) for one in services})
        begun, took = time.monotonic(), {}
        api = client.api
        network = api.create_network(f"plain-{secrets.token_hex(6)}")["Id"]
        cleanup.callback(api.remove_network, network)
        for one in services:
            endpoint = api.create_endpoint_config(aliases=[one.name])
            container = api.create_container(
                _container(one).image,
                environment=_settings(one, values),
                networking_config=api.create_networking_config({network: endpoint}),
                host_config=api.create_host_config(network_mode=network),
            )["Id"]
            cleanup.callback(api.remove_container, container, force=True, v=True)
            api.start(container)
            networks = api.inspect_container(container)["NetworkSettings"]["Networks"]
            address = next(iter(networks.values()))["IPAddress"]
            _ready(one, address, _container(one).port, begun, took)
        return took


def _ready(one: Plain, host: str, port: int, begun: float, took: dict[str, float]) -> None:
    """Wait as the harness does: a request every 10 ms until each path has answered 200."""
    for path in one.paths:
        while not _ok(host, port, path):
            if time.monotonic() - begun > _PATIENCE:
                raise TimeoutError(f"{one.name}: {path}")
            time.sleep(POLL)
    took["first good answer" if one.name == "backend" else "the others are ready"] = time.monotonic() - begun


def _ok(host: str, port: int, path: str) -> bool:
    connection = http.client.HTTPConnection(host, port, timeout=5)
    with closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        return answer.status == http.client.OK
    return False


def _plain(project: Project) -> list[Plain]:
    services = project.system.services
    order = sorted(start_order(project.system, project.file), key=lambda name: services[name].lifetime == "round")
    override = project.system.variants["before"]
    plain = []
    for name in order:
        service = services[name]
        if name in override:
            service = service.model_copy(update={"settings": service.settings | override[name].settings})
        paths = (service.live, service.ready, service.first_answer)
        plain.append(Plain(name, tuple(path for path in paths if path is not None), service))
    return plain


def _container(one: Plain):  # type: ignore[no-untyped-def]
    assert one.service.container is not None
    return one.service.container


def _values(places: Mapping[str, tuple[str, int]]) -> dict[str, str]:
    values = {"secret": _secret()}
    for name, (host, port) in places.items():
        values |= {f"{name}.host": host, f"{name}.port": str(port), f"{name}.url": f"http://{host}:{port}"}
    return values


def _settings(one: Plain, values: Mapping[str, str]) -> dict[str, str]:
    return {key: fill(text, values, key) for key, text in one.service.settings.items()}


def _secret() -> str:
    return secrets.token_urlsafe(18)


if __name__ == "__main__":
    main()
