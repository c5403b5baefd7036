"""What the images of the reference system cost: building them, and a start with compiled modules and without them.

    python -m bench.images [--rounds N]

Cold: the four tags are removed first, so the engine has none of their layers (checked; another image or a container may
hold them). Cached: the same command again. Whole processes, as ``make images`` starts them. Use an engine that nobody
else works with: DOCKER_HOST.
"""

import argparse
import json
import random
import sys
from collections.abc import Sequence
from pathlib import Path

import docker

from bench.machine import describe
from bench.processes import spread, use

ROOT = Path(__file__).resolve().parents[1]
_TAGS = [f"before-after/{name}:local" for name in ("clickhouse", "llm", "backend", "base")]
_COMMAND = [sys.executable, str(ROOT / "fixtures" / "reference" / "docker" / "build.py")]
_STARTS = {"compiled": {}, "from source": {"PYTHONPYCACHEPREFIX": "/nowhere"}}
"""Settings of a container; with the second one Python looks for compiled modules where there are none."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    client = docker.from_env(timeout=120)
    print(describe())
    print(f"Docker {client.version()['Version']}, {client.info()['Driver']}; n = {rounds}; median [quartiles], all\n")
    cold, cached, identities = [], [], set()
    for _ in range(rounds):
        _remove(client)
        cold.append(use(_COMMAND, ROOT))
        cached.append(use(_COMMAND, ROOT))
        identities.add(tuple(client.images.get(tag).id for tag in _TAGS))
    for name, usages in {"cold": cold, "cached": cached}.items():
        _row(f"four images, {name}", [usage.seconds for usage in usages], "s")
        _row("  processor, without the engine's", [usage.cpu for usage in usages], "s")
    print(f"different ids in {rounds} cold builds: {len(identities) - 1}")
    print(", ".join(f"{tag} {client.images.get(tag).attrs['Size'] / 1e6:.1f} MB" for tag in reversed(_TAGS)) + "\n")
    _starts(client, rounds)


def _remove(client: docker.DockerClient) -> None:
    layers = set()
    for tag in _TAGS:
        try:
            image = client.images.get(tag)
        except docker.errors.ImageNotFound:
            continue
        layers |= set(image.attrs["RootFS"]["Layers"])
        client.images.remove(tag)
    held = [one.short_id for one in client.images.list(all=True) if layers & set(one.attrs["RootFS"]["Layers"])]
    if held:
        sys.exit(f"not cold: images {', '.join(held)} hold the same layers")


def _starts(client: docker.DockerClient, rounds: int) -> None:
    """From the first line of the backend until everything is imported, by its own marks."""
    taken: dict[str, list[float]] = {name: [] for name in _STARTS}
    for _ in range(rounds):
        for name in random.sample(list(_STARTS), len(_STARTS)):
            taken[name].append(_import_time(client, _STARTS[name]))
    for name, values in taken.items():
        _row(f"backend imports, {name}", values, "ms")


def _import_time(client: docker.DockerClient, environment: dict[str, str]) -> float:
    """Milliseconds."""
    container = client.containers.run("before-after/backend:local", detach=True, environment=environment)
    marks: dict[str, int] = {}
    try:
        for line in container.logs(stream=True, follow=True, stdout=True, stderr=False):
            record = json.loads(line)
            marks[record["mark"]] = record["monotonic_ns"]
            if "imported" in marks:
                break
    finally:
        container.remove(force=True, v=True)
    return (marks["imported"] - marks["exec"]) / 1e6


def _row(name: str, values: Sequence[float], unit: str) -> None:
    print(f"{name:32} {spread(values):>22} {unit:2}  {' '.join(f'{value:.1f}' for value in values)}")


if __name__ == "__main__":
    main()
