"""Are the times of a start true? Held against clocks of the kernel's that the harness knows nothing of.

    python -m bench.startup_clock [--starts N] [--stack docker|local] [--image IMAGE]

A small service sends a datagram the moment each thing happens in it; the kernel stamps it when it arrives outside
(SO_TIMESTAMPNS). The kernel's process events (proc connector, needs root) say when the process was made and when the
service's program replaced whatever was there (exec). The service waits a drawn time between its phases, so that what
happens falls anywhere between two of our polls. Positive: the harness says later than the clock.
"""

import argparse
import contextlib
import json
import os
import socket
import struct
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.machine import describe
from bench.processes import spread
from harness.configuration.load import load
from harness.containers.session import EngineSession
from harness.measure.docker_stack import DockerStack
from harness.measure.local_stack import LocalStack
from harness.measure.stack import ServiceStack
from harness.measure.startup import POLL
from harness.measure.watchdog import Watchdog

_PROGRAM = """
import _socket, os, time
sender = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM)
host = os.environ["CLOCK_HOST"]
if not host:
    for line in open("/proc/net/route"):
        if line.split()[1] == "00000000":
            host = ".".join(str(byte) for byte in bytes.fromhex(line.split()[2])[::-1])
there = (host, int(os.environ["CLOCK_PORT"]))
FIRST = time.monotonic_ns()
sender.sendto(b"exec", there)
import http.server, json, random, sys, threading
def happened(name, at=None, tell=True):
    at = at or time.monotonic_ns()
    if name != "exec":
        sender.sendto(name.encode(), there)
    if tell:
        print(json.dumps({"mark": name, "monotonic_ns": at}), flush=True)
happened("exec", FIRST)
good = set()
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version, wbufsize = "HTTP/1.1", -1
    def do_GET(self):
        body = b"done"
        self.send_response(200 if self.path in good else 503)
        self.send_header("Content-Length", str(len(body))); self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
def pause(): time.sleep(random.uniform(0.05, 0.1))
pause()
server = http.server.ThreadingHTTPServer(("", int(sys.argv[1])), Handler)
happened("listening")
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
for path, name in (("/live", "live"), ("/ready", "ready"), ("/work", "answer")):
    pause()
    good.add(path)
    happened(name, tell=name == "ready")
time.sleep(3600)
"""
_ROWS = (
    # ours, the clock's, whether it is seen by polling
    ("created", "fork", False), ("process", "fork", False), ("started", "execve", False),
    ("exec", "exec", False), ("listening", "listening", False), ("ready", "ready", False),
    ("port", "listening", True), ("live", "live", True), ("ready_seen", "ready", True),
    ("first_answer", "answer", True),
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starts", type=int, default=40)
    parser.add_argument("--stack", choices=["docker", "local"], default="docker")
    parser.add_argument("--image", default="before-after/base:local")
    options = parser.parse_args()
    print(describe())
    late: dict[tuple[str, str], list[float]] = {}
    with Datagrams() as datagrams, ProcessEvents() as events, _stack(options.stack, options.image, datagrams) as stack:
        for _ in range(options.starts):
            for row, seconds in _one(stack, datagrams, events).items():
                late.setdefault(row, []).append(1e3 * seconds)
    print(f"\n{options.stack}: milliseconds that the harness says later than the clock")
    print(f"{'harness':14} {'clock':10} {'n':>3} {'median [quartiles]':>24} {'least':>7} {'most':>7}  above one poll")
    for ours, clock, polled in _ROWS:
        if values := late.get((ours, clock)):
            above = f"{sum(value > 1e3 * POLL for value in values)} of {len(values)}" if polled else ""
            ends = f"{min(values):7.2f} {max(values):7.2f}"
            print(f"{ours:14} {clock:10} {len(values):3} {spread(values, '.2f'):>24} {ends}  {above}")


def _one(stack: ServiceStack, datagrams: "Datagrams", events: "ProcessEvents") -> Mapping[tuple[str, str], float]:
    """Seconds by which each of our times is later than the clock's, in one start."""
    datagrams.seen.clear()
    events.forks.clear()
    events.execs.clear()
    startup = stack.restart()["clock"]
    process: Any = stack.service("clock").process
    ours = {name: at + process.created for name, at in startup.marks.items()}
    time.sleep(0.05)  # what is still on its way
    pid = process.pid if hasattr(process, "pid") else process._wrapped.attrs["State"]["Pid"]
    clock = dict(datagrams.seen)
    if pid in events.forks:
        clock["fork"] = events.forks[pid]
    if at := [at for at in events.execs.get(pid, []) if at <= clock["exec"]]:
        clock["execve"] = at[-1]  # a runtime's own come first
    return {(a, b): ours[a] - clock[b] for a, b, _ in _ROWS if a in ours and b in clock and _same(a, process)}


def _same(name: str, process: Any) -> bool:
    return name != "created" or hasattr(process, "pid")  # a container is asked for long before its process is made


@contextmanager
def _stack(kind: str, image: str, datagrams: "Datagrams") -> Iterator[ServiceStack]:
    with ExitStack() as cleanup:
        folder = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="clock-")))
        project = load(_written(folder, kind, image, datagrams.port))
        watchdog = cleanup.enter_context(Watchdog())
        stack: ServiceStack
        if kind == "local":
            stack = LocalStack(project, "before", "before", folder=folder, secret="x", watchdog=watchdog)
        else:
            session = cleanup.enter_context(EngineSession.opened())
            docker_stack = DockerStack(project, "before", "before", folder=folder, secret="x", session=session)
            docker_stack.prepare(print)
            stack = docker_stack
        cleanup.callback(stack.close)
        stack.open()
        yield stack


def _written(folder: Path, kind: str, image: str, port: int) -> Path:
    program = _PROGRAM.replace("{", "{{").replace("}", "}}")
    host = "127.0.0.1" if kind == "local" else ""  # in a container: its gateway
    (folder / "harness.toml").write_text(f"""
[system.services.clock]
command = ["{{python}}", "-S", "-c", {json.dumps(program)}, "{{port}}"]
live = "/live"
ready = "/ready"
first_answer = "/work"
stop_within = 1
[system.services.clock.settings]
CLOCK_HOST = "{host}"
CLOCK_PORT = "{port}"
[system.services.clock.container]
image = "{image}"
port = 8000
command = ["python3", "-S", "-c", {json.dumps(program)}, "8000"]
[system.variants.before]
[system.variants.after]
""")
    return folder / "harness.toml"


@dataclass(slots=True)
class Datagrams:
    """What arrives, by the kernel's own time stamps, in monotonic seconds."""

    port: int = 0
    seen: dict[str, float] = field(default_factory=dict)
    _socket: socket.socket = field(default_factory=lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))

    def __enter__(self) -> "Datagrams":
        self._socket.setsockopt(socket.SOL_SOCKET, 35, 1)  # SO_TIMESTAMPNS
        self._socket.bind(("", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._receive, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def _receive(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                data, more, _, _ = self._socket.recvmsg(64, 64)
                for _, _, stamp in more:
                    seconds, nanoseconds = struct.unpack("@ll", stamp)
                    wall = time.clock_gettime_ns(time.CLOCK_REALTIME) - time.clock_gettime_ns(time.CLOCK_MONOTONIC)
                    self.seen[data.decode()] = (seconds * 10**9 + nanoseconds - wall) / 1e9


@dataclass(slots=True)
class ProcessEvents:
    """When processes were made and when they took on another program, told by the kernel; empty without the right."""

    forks: dict[int, float] = field(default_factory=dict)
    execs: dict[int, list[float]] = field(default_factory=dict)
    _socket: socket.socket | None = None

    def __enter__(self) -> "ProcessEvents":
        connector, listen = 11, 1  # NETLINK_CONNECTOR, CN_IDX_PROC = PROC_CN_MCAST_LISTEN
        try:
            sock = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, connector)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**22)
            sock.bind((os.getpid(), listen))
            message = struct.pack("=IIIIHHI", 1, 1, 0, 0, 4, 0, listen)
            sock.send(struct.pack("=IHHII", 16 + len(message), 3, 0, 0, os.getpid()) + message)
        except OSError as error:
            print(f"no process events: {error}")
            return self
        self._socket = sock
        threading.Thread(target=self._receive, args=(sock,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._socket is not None:
            self._socket.close()

    def _receive(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                data = sock.recv(4096)
                what, _, stamp = struct.unpack_from("=IIQ", data, 36)  # after nlmsghdr and cn_msg
                one, two, three, four = struct.unpack_from("=IIII", data + bytes(16), 52)
                if what == 1 and three == four:  # PROC_EVENT_FORK of a process, not of a thread
                    self.forks[three] = stamp / 1e9
                elif what == 2 and one == two:  # PROC_EVENT_EXEC
                    self.execs.setdefault(one, []).append(stamp / 1e9)


if __name__ == "__main__":
    main()
