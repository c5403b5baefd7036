"""Images: there, pulled, or built - always before anything is timed."""

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import docker.errors

from harness.containers.engine import asked, connect, plain
from harness.errors import HarnessError
from harness.output import quoted

SILENCE = 900.0
"""Seconds that a pull or a build may say nothing."""
LONGEST = 3600.0
"""Seconds that it may take in all."""
_SHOWN_LINES = 12


@dataclass(frozen=True, slots=True)
class Image:
    """An image that the engine has."""

    id: str
    """``sha256:...`` of its configuration: what containers are started from, whatever a tag points to later."""
    reference: str
    """As the user named it, or the tag of what was built."""
    digest: str
    """``repository@sha256:...`` where a registry gave it one, else the id."""


def find(client: docker.DockerClient, reference: str) -> Image | None:
    """The image that the engine has under this name; None when it has none."""
    with asked(f"look for the image {reference}"):
        try:
            found = client.images.get(reference)
        except docker.errors.ImageNotFound:
            return None
    digests = found.attrs.get("RepoDigests") or []
    return Image(str(found.id), reference, str(digests[0]) if digests else str(found.id))


def present(client: docker.DockerClient, reference: str, tell: Callable[[str], None]) -> Image:
    """The image, pulled if the engine does not have it. Raises HarnessError when it cannot be had."""
    if (found := find(client, reference)) is not None:
        return found
    tell(f"pulling {reference}")
    advice = "build it (docs/containers.md), or measure with --stack local"
    try:
        _pull(reference)
    except HarnessError as error:
        why = str(error).removeprefix("Docker: pull: ")
        raise HarnessError(f"the image {reference} is not here and cannot be pulled ({why}); {advice}") from None
    if (found := find(client, reference)) is None:
        raise HarnessError(f"the image {reference} was pulled and is not there")
    return found


def _pull(reference: str) -> None:
    for step in _steps("pull", lambda own: own.api.pull(reference, stream=True, decode=True)):
        if "error" in step:
            raise HarnessError(plain(str(step["error"])))


def built(
    context: Path, dockerfile: str, arguments: Mapping[str, str], tag: str, known: str, tell: Callable[[str], None]
) -> Image:
    """The image of a Dockerfile, tagged ``tag`` and known as ``known``; the engine's own cache decides what is made
    anew.

    Raises HarnessError with the last lines of the build when it fails.
    """
    if not (context / dockerfile).is_file():
        raise HarnessError(f"{context / dockerfile}: there is no such Dockerfile")
    tell(f"building {known}")

    def build(own: docker.DockerClient) -> Any:
        return own.api.build(
            path=str(context),
            dockerfile=dockerfile,
            buildargs=dict(arguments),
            tag=tag,
            rm=True,
            forcerm=True,
            decode=True,
            use_config_proxy=False,
        )

    made, lines = "", list[str]()
    for step in _steps(f"build {context / dockerfile}", build):
        if "error" in step:
            said = "".join(f"\n    {quoted(line)}" for line in [*lines[-_SHOWN_LINES:], str(step["error"])])
            raise HarnessError(f"{context / dockerfile}: cannot be built:{said}")
        lines += str(step.get("stream", "")).splitlines()
        made = (step.get("aux") or {}).get("ID", made)
    if not made:
        raise HarnessError(f"{context / dockerfile}: was built, and the engine does not say as what")
    return Image(made, known, made)


def _steps(what: str, ask: Callable[[docker.DockerClient], Iterable[Any]]) -> Iterator[Any]:
    """What the engine tells of a pull or a build, to its end, in a thread: docker-py waits for ever in both.

    Raises HarnessError when it fails, is silent for ``SILENCE`` or takes ``LONGEST``.
    """
    told: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(what, ask, told.put), name=what, daemon=True).start()
    until = time.monotonic() + LONGEST
    while True:
        try:
            step = told.get(timeout=max(0.0, min(SILENCE, until - time.monotonic())))
        except queue.Empty:
            late = (
                f"is not done after {LONGEST:g} s" if time.monotonic() >= until else f"says nothing for {SILENCE:g} s"
            )
            raise HarnessError(f"Docker: {what}: the engine {late}") from None
        if step is None:
            return
        if isinstance(step, Exception):
            raise step
        yield step


def _listen(what: str, ask: Callable[[docker.DockerClient], Iterable[Any]], tell: Callable[[Any], None]) -> None:
    """Tell every step, then None, or the error that ended it."""
    try:
        with asked(what), closing(connect()) as own:
            for step in ask(own):
                if isinstance(step, dict):
                    tell(step)
        tell(None)
    except Exception as error:  # noqa: BLE001 - it is raised where it is waited for
        tell(error)
