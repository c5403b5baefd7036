"""The stacks of a session: of both variants, and the second `before` of the control arms."""

import contextlib
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from harness.configuration.load import Project
from harness.errors import ExitCode, HarnessError
from harness.measure.controls import ControlArms, workload
from harness.measure.local_stack import LocalStack
from harness.measure.stack import ServiceStack
from harness.measure.variants import Configured, Kind, configured, refuse_identical
from harness.measure.watchdog import Watchdog
from harness.model import SIDES, Side

if TYPE_CHECKING:
    from harness.measure.docker_stack import DockerStack

Make = Callable[[Side, Configured, str], ServiceStack]
"""From side, variant and label to a stack."""


@dataclass(frozen=True, slots=True)
class Stacks:
    """All stacks of a session, not started yet."""

    kind: Kind
    variants: Mapping[Side, Configured]
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
    known = {origin: configured(project, origin, kind) for origin in dict.fromkeys(origins.values())}
    variants = {side: known[origins[side]] for side in SIDES}
    refuse_identical(project, variants["before"], variants["after"], kind)
    if kind == "local":

        def local(side: Side, variant: Configured, label: str) -> ServiceStack:
            return LocalStack(project, side, variant, label=label, folder=data, secret=secret, watchdog=watchdog)

        sides, arms = _all(project, variants, local, controls=controls)
        yield Stacks(kind, variants, sides, arms, notes=_no_controls(variants, controls=controls))
        return
    with _in_docker(
        project, variants, controls=controls, data=data, secret=secret, watchdog=watchdog, tell=tell
    ) as stacks:
        yield stacks


@contextlib.contextmanager
def _in_docker(
    project: Project,
    variants: Mapping[Side, Configured],
    *,
    controls: bool,
    data: Path,
    secret: str,
    watchdog: Watchdog,
    tell: Callable[[str], None],
) -> Iterator[Stacks]:
    try:  # an extra: only who asks for Docker has to have it
        from harness.containers import sweep
        from harness.containers.session import EngineSession
        from harness.measure.docker_stack import DockerStack
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.startswith("harness"):
            raise
        message = f"--stack docker needs libraries that are not installed ({error.name}): install the extra [docker]"
        raise HarnessError(message) from None

    with EngineSession.opened() as session:
        watchdog.at_end(sweep.command(session.token))
        prepared: dict[str, DockerStack] = {}

        def in_docker(side: Side, variant: Configured, label: str) -> ServiceStack:
            stack = DockerStack(
                project, side, variant, label=label, folder=data, secret=secret, session=session, mark=watchdog.mark
            )
            prepared[label] = stack
            return stack

        sides, arms = _all(project, variants, in_docker, controls=controls)
        for stack in prepared.values():
            stack.prepare(tell)
        _refuse_same_images(prepared["before"], prepared["after"])
        facts = {name: text for side in SIDES for name, text in prepared[side].facts.items()}
        images = {side: prepared[side].images for side in SIDES}
        notes = (*session.swept, *_no_controls(variants, controls=controls))
        yield Stacks("docker", variants, sides, arms, facts, images, notes)


def _refuse_same_images(before: "DockerStack", after: "DockerStack") -> None:
    """Raise HarnessError (13) when variants of different names run the same images with the same settings."""
    if before.variant.origin != after.variant.origin and before.runs == after.runs:
        names = f"variants {before.variant.origin} and {after.variant.origin}"
        message = f"{names} are identical: the same images and settings; for an A/A run give the same name twice"
        raise HarnessError(message, ExitCode.BASELINE)


def _all(
    project: Project, variants: Mapping[Side, Configured], make: Make, *, controls: bool
) -> tuple[Mapping[Side, ServiceStack], ControlArms | None]:
    sides = {side: make(side, variants[side], side) for side in SIDES}
    wanted = controls and not variants["before"].urls
    work = workload(project.system, project.file) if wanted else None
    arms = None if work is None else ControlArms(make("after", variants["before"], "control"), work)
    return sides, arms


def _no_controls(variants: Mapping[Side, Configured], *, controls: bool) -> tuple[str, ...]:
    elsewhere = ", ".join(variants["before"].urls)
    if not controls or not elsewhere:
        return ()
    return (f"No control arms: of before, {elsewhere} runs already, and a second before would be the same one.",)
