"""The stacks of a session: of both variants, and the second `before` of the control arms."""

import contextlib
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from harness.configuration.load import Project
from harness.measure.controls import ControlArms, workload
from harness.measure.local_stack import LocalStack
from harness.measure.stack import ServiceStack
from harness.measure.watchdog import Watchdog
from harness.model import SIDES, Side

Kind = Literal["local", "docker"]
"""How services run."""
Make = Callable[[Side, str, str], ServiceStack]
"""From side, origin and label to a stack."""


@dataclass(frozen=True, slots=True)
class Stacks:
    """All stacks of a session, not started yet."""

    kind: Kind
    sides: Mapping[Side, ServiceStack]
    arms: ControlArms | None
    facts: Mapping[str, str] = field(default_factory=dict)
    """What has to agree for another session to be comparable, besides the machine."""
    images: Mapping[Side, Mapping[str, str]] = field(default_factory=dict)
    """The image of each service in a container."""
    notes: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[ServiceStack, ...]:
        """Those of both variants, and that of the control arms."""
        control = () if self.arms is None else (self.arms.stack,)
        return (*self.sides.values(), *control)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Start what lives a session; stop everything at the end."""
        with contextlib.ExitStack() as stop:
            for stack in self.all:
                stop.callback(stack.close)
                stack.open()
            yield


@contextlib.contextmanager
def made(
    project: Project,
    origins: Mapping[Side, str],
    kind: Kind,
    *,
    controls: bool,
    data: Path,
    watchdog: Watchdog,
    tell: Callable[[str], None],
) -> Iterator[Stacks]:
    """The stacks of a session of this kind. ``tell`` hears what takes long, such as building an image.

    Raises HarnessError when there is no such variant, no Docker engine or no image.
    """
    secret = secrets.token_urlsafe(18)
    if kind == "local":

        def local(side: Side, origin: str, label: str) -> ServiceStack:
            return LocalStack(project, side, origin, label=label, folder=data, secret=secret, watchdog=watchdog)

        sides, arms = _all(project, origins, local, controls=controls)
        yield Stacks(kind, sides, arms)
        return
    with _in_docker(
        project, origins, controls=controls, data=data, secret=secret, watchdog=watchdog, tell=tell
    ) as stacks:
        yield stacks


@contextlib.contextmanager
def _in_docker(
    project: Project,
    origins: Mapping[Side, str],
    *,
    controls: bool,
    data: Path,
    secret: str,
    watchdog: Watchdog,
    tell: Callable[[str], None],
) -> Iterator[Stacks]:
    from harness.containers import sweep
    from harness.containers.session import EngineSession  # an extra: only who asks for Docker has to have it
    from harness.measure.docker_stack import DockerStack

    with EngineSession.opened() as session:
        watchdog.at_end(sweep.command(session.token))
        prepared: dict[str, DockerStack] = {}

        def in_docker(side: Side, origin: str, label: str) -> ServiceStack:
            stack = DockerStack(project, side, origin, label=label, folder=data, secret=secret, session=session)
            prepared[label] = stack
            return stack

        sides, arms = _all(project, origins, in_docker, controls=controls)
        for stack in prepared.values():
            stack.prepare(tell)
        facts = {name: text for side in SIDES for name, text in prepared[side].facts.items()}
        images = {side: prepared[side].images for side in SIDES}
        yield Stacks("docker", sides, arms, facts, images, session.swept)


def _all(
    project: Project, origins: Mapping[Side, str], make: Make, *, controls: bool
) -> tuple[Mapping[Side, ServiceStack], ControlArms | None]:
    sides = {side: make(side, origins[side], side) for side in SIDES}
    work = workload(project.system, project.file) if controls else None
    arms = None if work is None else ControlArms(make("after", origins["before"], "control"), work)
    return sides, arms
