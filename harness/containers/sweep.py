"""Finds and removes what is ours: everything of one session, or whatever belongs to a harness that is gone.

As a program, ``python -m harness.containers.sweep SESSION [OWNER]`` removes everything of one session. The watchdog
runs it when the harness has ended, and it keeps looking for a while: the engine may still be creating what a harness
asked for just before it was killed.
"""

import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from harness.containers.engine import asked, connect, is_local, plain
from harness.containers.labels import IMAGES, OWNER, SESSION, Owner, is_session, of_tag
from harness.errors import ExitCode, HarnessError

if TYPE_CHECKING:
    import docker

Kind = Literal["container", "network", "volume", "image"]

QUIET_SECONDS = 3.0
"""How long nothing may be found before a session whose harness died counts as removed."""
QUIET_SECONDS_IN_ORDER = 1.0
"""The same while the harness lives and waits for us: then at most one call of its was cut off."""
TOTAL_SECONDS = 45.0
"""The longest that the program works; the watchdog allows a minute."""
_PAUSE = 0.2
_TRIES = 15
"""How often one thing is tried to be removed, a pause apart, while the engine says that it is busy with it."""
_NAME = 120


@dataclass(frozen=True, slots=True)
class Leftover:
    """A container, network, volume or image of ours. Its name is the engine's word: escape it before showing it."""

    kind: Kind
    id: str
    name: str
    session: str
    owner: Owner | None
    """None: the label is not one that we write."""
    created: datetime | None

    def __str__(self) -> str:
        return f"{self.kind} {plain(self.name, _NAME)}"

    def abandoned(self, client: "docker.DockerClient") -> bool:
        """Whether the harness that answers for it is certainly gone."""
        return self.owner is not None and not self.owner.alive(local=is_local(client))

    def age(self, now: datetime) -> str:
        """How old it is: ``12 min old``."""
        if self.created is None:
            return "of unknown age"
        minutes = max(0, round((now - self.created).total_seconds() / 60))
        if minutes < 120:
            return f"{minutes} min old" if minutes else "just made"
        hours = round(minutes / 60)
        return f"{hours} h old" if hours < 48 else f"{round(hours / 24)} days old"


def ours(client: "docker.DockerClient", session: str | None = None) -> list[Leftover]:
    """Everything with our labels, of one session or of all, in the order in which it can be removed.

    Raises HarnessError.
    """
    wanted = {"label": SESSION if session is None else f"{SESSION}={session}"}
    with asked("which containers there are"):
        containers: Any = client.api.containers(all=True, filters=wanted)
    with asked("which networks there are"):
        networks: Any = client.api.networks(filters=wanted)
    with asked("which volumes there are"):
        volumes: Any = client.api.volumes(filters=wanted)
    with asked("which images there are"):
        images: Any = client.api.images(filters={"reference": f"{IMAGES}/*"})
    found = [
        *_found("container", containers, "Id"),
        *_found("network", networks, "Id"),
        *_found("volume", volumes.get("Volumes") if isinstance(volumes, dict) else None, "Name"),
        *_images(images),
    ]
    return [thing for thing in found if session is None or thing.session == session]


def leftovers(client: "docker.DockerClient") -> list[Leftover]:
    """What belongs to a harness that is certainly gone. Raises HarnessError."""
    return [thing for thing in ours(client) if thing.abandoned(client)]


def remove(client: "docker.DockerClient", session: str) -> list[Leftover]:
    """Remove everything of ``session``, running or not; returns what was there.

    Raises HarnessError, after all the others were tried, when something cannot be removed.
    """
    things = ours(client, session)
    refused = [f"{thing}: {why}" for thing, why in remove_all(client, things) if why]
    if refused:
        raise HarnessError("Docker: cannot remove " + "; ".join(refused))
    return things


def remove_all(client: "docker.DockerClient", things: Iterable[Leftover]) -> Iterator[tuple[Leftover, str]]:
    """Remove ``things`` one after the other; yields each with why it could not be removed, empty when it is gone."""
    for thing in things:
        try:
            with asked(f"to remove the {thing}"):
                _remove(client, thing)
        except HarnessError as error:
            yield thing, str(error).removeprefix(f"Docker: to remove the {thing}: ")
        else:
            yield thing, ""


def sweep_dead(client: "docker.DockerClient") -> list[str]:
    """Remove what belongs to dead owners; a line for a person about each thing. Raises HarnessError.

    What belongs to a living harness, to one that cannot be seen from here or to nobody known is not touched.
    """
    now = datetime.now(UTC)
    return [describe_removal(thing, why, now) for thing, why in remove_all(client, leftovers(client))]


def describe_removal(thing: Leftover, why: str, now: datetime) -> str:
    """One line: what was removed, or why not."""
    whose = f"({thing.age(now)}), left by a harness that is gone{_process(thing.owner)}"
    return f"could not remove {thing} {whose}: {why}" if why else f"removed {thing} {whose}"


def _process(owner: Owner | None) -> str:
    return "" if owner is None else f" (process {owner.pid})"


def command(session: str) -> list[str]:
    """What the watchdog has to run at the end of ``session``; works in a checkout that is not installed, too."""
    root = str(Path(__file__).parents[2])
    return [sys.executable, "-P", "-c", _PROGRAM, root, session, str(Owner.here())]


_PROGRAM = (
    "import runpy, sys; sys.path.append(sys.argv.pop(1)); "
    "runpy.run_module('harness.containers.sweep', run_name='__main__', alter_sys=True)"
)


def _remove(client: "docker.DockerClient", thing: Leftover) -> None:
    """Remove one thing. The engine may be busy with it, or somebody else may be faster: both end well."""
    from docker.errors import APIError, NotFound

    removals: dict[Kind, Callable[[], object]] = {
        "container": lambda: client.api.remove_container(thing.id, force=True, v=True),
        "network": lambda: client.api.remove_network(thing.id),
        "volume": lambda: client.api.remove_volume(thing.id),
        "image": lambda: client.api.remove_image(thing.id),  # its tag; the image itself if it has no other
    }
    for left in reversed(range(_TRIES)):
        try:
            removals[thing.kind]()
        except NotFound:
            return
        except APIError as error:
            # 409: its removal goes on, or a container still uses it; 403: a network with a container that just ends
            if left == 0 or error.status_code not in (403, 409):
                raise
        else:
            return
        time.sleep(_PAUSE)


def _found(kind: Kind, answer: object, key: str) -> Iterator[Leftover]:
    """What the engine listed, as far as it makes sense."""
    for entry in answer if isinstance(answer, list) else []:
        if not isinstance(entry, dict) or not isinstance(entry.get(key), str):
            continue
        labels = entry.get("Labels")
        marks = labels if isinstance(labels, dict) else {}
        yield Leftover(
            kind=kind,
            id=entry[key],
            name=_name(entry, entry[key][:12]),
            session=str(marks.get(SESSION, "")),
            owner=Owner.parse(str(marks.get(OWNER, ""))),
            created=_created(entry.get("Created", entry.get("CreatedAt"))),
        )


def _images(answer: object) -> Iterator[Leftover]:
    """The tags of ours among the images that the engine listed."""
    for entry in answer if isinstance(answer, list) else []:
        tags = entry.get("RepoTags") if isinstance(entry, dict) else None
        for tag in tags if isinstance(tags, list) else []:
            name, _, mark = str(tag).rpartition(":")
            if name.startswith(f"{IMAGES}/"):
                session, owner = of_tag(mark)
                yield Leftover("image", str(tag), name, session, owner, _created(entry.get("Created")))


def _name(entry: dict[Any, Any], otherwise: str) -> str:
    names = entry.get("Names")
    name = names[0] if isinstance(names, list) and names else entry.get("Name")
    return str(name).removeprefix("/") if name else otherwise


def _created(value: object) -> datetime | None:
    """Containers come with seconds since 1970, networks and volumes with a text in RFC 3339."""
    try:
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value, UTC)
        time_then = datetime.fromisoformat(str(value))
    except (ValueError, OverflowError, OSError):
        return None
    return time_then if time_then.tzinfo is not None else time_then.replace(tzinfo=UTC)


def main(arguments: Sequence[str]) -> int:
    """The program: says nothing when nothing is left, one line on standard error otherwise."""
    session = arguments[0] if arguments else ""
    if not is_session(session):
        sys.stderr.write("usage: python -m harness.containers.sweep SESSION [OWNER]\n")
        return int(ExitCode.USAGE)
    owner = Owner.parse(arguments[1]) if len(arguments) > 1 else None
    why = _sweep(session, in_order=owner is not None and owner.alive())
    if not why:
        return 0
    sys.stderr.write(
        f"harness: containers of session {session[:8]} may be left ({why}); harness doctor --clean removes them later\n"
    )
    return int(ExitCode.ENVIRONMENT)


def _sweep(session: str, *, in_order: bool) -> str:
    """Remove until nothing of ``session`` was there for a while; why that was not reached, or empty.

    ``in_order``: somebody waits for us, so what fails is not tried until the time is over.
    """
    quiet = QUIET_SECONDS_IN_ORDER if in_order else QUIET_SECONDS
    why, since = "", time.monotonic()
    signal.signal(signal.SIGALRM, _too_long)
    signal.setitimer(signal.ITIMER_REAL, TOTAL_SECONDS, 1.0)  # a bound that holds whatever the engine does
    try:
        while True:
            found, why = _look(session)
            now = time.monotonic()
            if found or (why and not in_order):
                since = now
            if now - since >= quiet:
                return why
            time.sleep(_PAUSE)
    except _TooLong:
        return why or "the engine took too long"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _look(session: str) -> tuple[bool, str]:
    """Remove what is there now: whether there was something, and why it could not be removed."""
    try:
        with closing(connect()) as client:
            return bool(remove(client, session)), ""
    except HarnessError as error:
        return False, str(error)


class _TooLong(BaseException):
    """The time of the program is over."""


def _too_long(_number: int, _frame: FrameType | None) -> NoReturn:
    raise _TooLong


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
