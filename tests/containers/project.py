"""A small project with one service in a container, for whole runs in which something is done to it."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import docker

from harness.containers.labels import OWNER

PROGRAM = """
import ctypes, http.server, os, sys, time
FAULT = os.environ.get("FAULT", "")
print("begins", flush=True)
if FAULT == "exit":
    print("cannot go on: no configuration", flush=True); sys.exit(3)
if FAULT == "late exit":
    time.sleep(1); sys.exit("gave up waiting for its database")
if FAULT == "memory":
    kept = [bytearray(2**20) for _ in range(10**6)]
if FAULT == "crash":
    ctypes.string_at(0)
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version, wbufsize = "HTTP/1.1", -1
    def do_GET(self):
        status, body = 200, b"done"
        if self.path == "/ready" and FAULT == "never": status, body = 503, b"not yet"
        if self.path == "/ready" and FAULT == "page": status, body = 404, b"<html>who are you</html>"
        if self.path == "/die": print("about to die", flush=True); os._exit(7)
        if self.path == "/eat": kept = [bytearray(2**20) for _ in range(10**6)]
        if self.path == "/crash": ctypes.string_at(0)
        if self.path == "/hang": time.sleep(3600)
        self.send_response(status); self.send_header("Content-Length", str(len(body))); self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
if FAULT == "deaf":
    time.sleep(3600)
if FAULT == "port":
    first = http.server.ThreadingHTTPServer(("", 8000), Handler)
if FAULT == "slow":
    time.sleep(30)
server = http.server.ThreadingHTTPServer(("", 8000), Handler)
server.daemon_threads = True
server.serve_forever()
"""


def write_project(
    folder: Path, container: Mapping[str, object], settings: Mapping[str, str], scenario: str, *, controls: bool = False
) -> None:
    """Write it into ``folder``; ``container`` has the image, and what stands otherwise in the service's table."""
    program = ["python3", "-c", PROGRAM.replace("{", "{{").replace("}", "}}")]
    table = {"port": 8000, "command": program, "memory": "64m", "init": True} | dict(container)
    (folder / "harness.toml").write_text(f"""
[system.services.backend]
ready = "/ready"
ready_within = 8
stop_within = 1
[system.services.backend.container]
{_lines(table)}
[system.services.backend.settings]
{_lines({"WORK": "1"} | dict(settings))}
[system.variants.before]
[system.variants.after.backend.settings]
WORK = 2
[controls]
enabled = {json.dumps(controls)}
""")
    (folder / "scenarios" / "speed").mkdir(parents=True)
    (folder / "scenarios" / "speed" / "test_speed.py").write_text(scenario)


def left(client: docker.DockerClient, pid: int) -> tuple[str, ...]:
    """What the engine still has of the harness that was process ``pid``: containers, networks, volumes."""
    return tuple(_left(client, pid))


def _left(client: docker.DockerClient, pid: int) -> Iterator[str]:
    wanted = {"label": OWNER}
    found: Mapping[str, list[Any]] = {  # the lists alone: a thing that is removed meanwhile is not asked for
        "container": client.api.containers(all=True, filters=wanted),
        "network": client.api.networks(filters=wanted),
        "volume": client.api.volumes(filters=wanted)["Volumes"] or [],
    }
    for kind, things in found.items():
        for thing in things:
            if f"/{pid}/" in (thing.get("Labels") or {}).get(OWNER, ""):
                yield f"{kind} {thing.get('Name') or thing['Names'][0]}"


def _lines(table: Mapping[str, object]) -> str:
    return "\n".join(f"{key} = {json.dumps(value)}" for key, value in table.items())
