"""What ``harness doctor`` tells of Docker: the engine, the configured images, what earlier sessions left."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any, NamedTuple

from harness.configuration.schema import System
from harness.containers.engine import Engine, connect, engine_of, images_here
from harness.containers.sweep import Leftover, describe_removal, ours, remove_all
from harness.errors import HarnessError
from harness.units import format_value


class Line(NamedTuple):
    """A line of the doctor. The text may hold the engine's words: it is to be escaped."""

    key: str
    text: str
    failed: bool = False
    """True: something that should be removed could not be."""


def docker_lines(images: Iterable[str], *, clean: bool) -> Iterator[Line]:
    """Look at the engine and, with ``clean``, remove what belongs to harnesses that are gone.

    Docker is optional: without it, one line says why.
    """
    try:
        with closing(connect()) as client:
            yield Line("docker engine", describe(engine_of(client)))
            for name, here in images_here(client, tuple(images)).items():
                yield Line("image", f"{name} is {'here' if here else 'missing'}")
            yield from _things(client, clean=clean)
    except HarnessError as error:
        yield Line("docker engine", str(error))


def image_names(system: System) -> tuple[str, ...]:
    """The images that services and variants name, each once."""
    of_services = [service.container.image for service in system.services.values() if service.container is not None]
    of_variants = [table.image for variant in system.variants.values() for table in variant.values()]
    return tuple(dict.fromkeys(name for name in [*of_services, *of_variants] if name))


def describe(engine: Engine) -> str:
    """``20.10.24, API 1.41, overlay2, cgroup v1, with root; 2 cores, 23.5 GiB``."""
    return (
        f"{engine.version}, API {engine.api}, {engine.storage}, cgroup v{engine.cgroup}, "
        f"{'rootless' if engine.rootless else 'with root'}; {engine.cores} cores, {format_value(engine.memory, 'B')}"
        + "".join(f"; cannot limit {limit}" for limit in engine.cannot)
    )


def _things(client: Any, *, clean: bool) -> Iterator[Line]:
    """What carries our labels: what is in use stays, what is left is shown or removed."""
    now, things = datetime.now(UTC), ours(client)
    left = [thing for thing in things if thing.abandoned(client)]
    for thing in things:
        if thing not in left:
            yield Line("in use", f"{thing}, {thing.age(now)}, {_whose(thing)}")
        elif not clean:
            yield Line("leftover", f"{thing}, {thing.age(now)}, {_whose(thing)}, which is gone: --clean removes it")
    for thing, why in remove_all(client, left if clean else ()):
        yield Line("leftover", describe_removal(thing, why, now), failed=bool(why))
    if not left:
        yield Line("leftovers", "none")


def _whose(thing: Leftover) -> str:
    """``of session 1f0a2b3c, process 123``."""
    process = "a process that the label does not name" if thing.owner is None else f"process {thing.owner.pid}"
    return f"of session {thing.session[:8]}, {process}"
