"""Images: there, pulled, or built - always before anything is timed."""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import docker.errors

from harness.containers.engine import asked, connect, reason
from harness.errors import HarnessError

_BUILD_PATIENCE = 1800
"""Seconds that a pull or a step of a build may be silent."""
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
    patient = connect(_BUILD_PATIENCE)
    try:
        patient.images.pull(reference)
    except (docker.errors.DockerException, OSError) as error:
        message = f"the image {reference} is not here and cannot be pulled ({reason(error)})"
        raise HarnessError(f"{message}; build it (docs/containers.md), or measure with --stack local") from None
    finally:
        patient.close()
    if (found := find(client, reference)) is None:
        raise HarnessError(f"the image {reference} was pulled and is not there")
    return found


def built(
    client: docker.DockerClient,
    context: Path,
    dockerfile: str,
    arguments: Mapping[str, str],
    tag: str,
    tell: Callable[[str], None],
) -> Image:
    """The image of a Dockerfile, tagged ``tag`` in place of the one before; the engine's own cache decides what is made
    anew.

    Raises HarnessError with the last lines of the build when it fails.
    """
    if not (context / dockerfile).is_file():
        raise HarnessError(f"{context / dockerfile}: there is no such Dockerfile")
    replaced = find(client, tag)
    tell(f"building {tag}")
    patient = connect(_BUILD_PATIENCE)
    try:
        with asked(f"build {tag} from {context / dockerfile}"):
            steps = patient.api.build(
                path=str(context),
                dockerfile=dockerfile,
                buildargs=dict(arguments),
                tag=tag,
                rm=True,
                forcerm=True,
                decode=True,
            )
            said = _followed(steps)
    finally:
        patient.close()
    if said:
        raise HarnessError(f"{context / dockerfile}: cannot be built:{said}")
    if (found := find(client, tag)) is None:
        raise HarnessError(f"{context / dockerfile}: was built and is not there")
    if replaced is not None and replaced.id != found.id:
        with contextlib.suppress(docker.errors.APIError):  # somebody may still use it
            client.images.remove(replaced.id)
    return found


def _followed(steps: Any) -> str:
    """Read a build to its end; the last lines when it failed, else nothing."""
    lines: list[str] = []
    for step in steps:
        if "error" in step:
            return "".join(f"\n    {line:.300}" for line in [*lines[-_SHOWN_LINES:], str(step["error"])])
        lines += str(step.get("stream", "")).splitlines()
    return ""
