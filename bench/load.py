"""Is the load generator right, and what does a request cost it?

    python -m bench.load [--rounds N] [--only freeze|cost]

`freeze`: a server that needs 50 ms for an answer stands still for 2 s (SIGSTOP) under 100 requests a second. Three
clients are on it at the same time and meet the same freeze: `harness.load`; an open-loop client written another way
(asyncio, raw sockets, a connection for each request; at real-time priority where that is allowed, as the generator is),
which is the truth here; and a closed loop of plain locust (ten users, each with `constant_throughput(10)`), which is
what a load test usually is.

`cost`: processor time of the generator per request, its start-up left out, against a server that answers at once:
`harness.load` and plain locust at 500 a second, plain locust with ten users that never wait, and wrk, if it is
installed.
"""

import argparse
import asyncio
import contextlib
import functools
import json
import os
import re
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from bench.machine import describe
from bench.processes import spread
from harness.load.job import Request
from harness.load.plan import Plan, constant
from harness.load.runner import run

HOST = "127.0.0.1"
WORK, FREEZE, RATE, SECONDS = 0.05, 2.0, 100.0, 10.0
QUANTILES = (0.5, 0.9, 0.95, 0.99)
COST_RATE, COST_SECONDS = 500.0, 4.0
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

CLOSED = """
import json, os, sys, time
from locust import FastHttpUser, constant_throughput, events, task

class User(FastHttpUser):
    wait_time = constant_throughput(float(os.environ["EACH"])) if os.environ.get("EACH") else (lambda self: 0)

    @task
    def ask(self):
        self.client.get("/")

times, used = [], []
events.test_start.add_listener(lambda **_: used.append(time.process_time()))
events.request.add_listener(lambda response_time, **_: times.append(response_time / 1e3))

@events.test_stop.add_listener
def stop(**_):
    used.append(time.process_time())
    json.dump({"times": times, "cpu": used[-1] - used[0]}, open(os.environ["OUT"], "w"))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=["freeze", "cost"])
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--work", type=float, default=0.0, help=argparse.SUPPRESS)
    parser.add_argument("--open-loop", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve(options.serve, options.work))
    elif options.open_loop:
        with contextlib.suppress(OSError):  # as the generator does: who is late himself is no truth
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
        print(json.dumps(asyncio.run(open_loop(options.open_loop))))
    else:
        print(describe())
        if options.only != "cost":
            show_freeze(options.rounds)
        if options.only != "freeze":
            show_cost(options.rounds)


# The server


async def serve(port: int, work: float) -> None:
    """Answer whatever comes, after ``work`` seconds; no framework, so that it costs little."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                if work:
                    await asyncio.sleep(work)
                writer.write(ANSWER)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(answer, HOST, port, backlog=4096) as server:
        await server.serve_forever()


@contextlib.contextmanager
def server(work: float) -> Iterator[tuple[int, "subprocess.Popen[bytes]"]]:
    with socket.create_server((HOST, 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "bench.load", "--serve", str(port), "--work", str(work)]
    with subprocess.Popen(command) as process:
        try:
            end = time.monotonic() + 30
            while True:
                try:
                    socket.create_connection((HOST, port), 1).close()
                    break
                except OSError:
                    assert time.monotonic() < end, "the server does not listen"
                    time.sleep(0.05)
            yield port, process
        finally:
            process.kill()


# The truth


async def open_loop(port: int) -> list[float]:
    """Latencies from the intended start, in seconds. Shares nothing with `harness.load`."""
    clock = asyncio.get_running_loop().time
    begin = clock() + 0.1

    async def one(due: float) -> float:
        await asyncio.sleep(due - clock())
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(b"GET / HTTP/1.1\r\nHost: bench\r\n\r\n")
        await reader.readexactly(len(ANSWER))
        took = clock() - due
        writer.close()
        return took

    return await asyncio.gather(*(one(begin + index / RATE) for index in range(round(RATE * SECONDS))))


# Under a freeze


def freeze_round(folder: Path) -> dict[str, list[float]]:
    """The latencies that each client saw of one freeze."""
    begun = threading.Event()
    with server(WORK) as (port, process):
        url = f"http://{HOST}:{port}"
        ours: list[float] = []

        def drive() -> None:
            load = run(
                url, Plan(constant(RATE, SECONDS)), [Request("ask", "/", expects="ok")], tell=lambda _: begun.set()
            )
            assert not load.summary.failed, load.summary.failures
            ours.extend(load.summary.answered)

        thread = threading.Thread(target=drive)
        thread.start()
        assert begun.wait(60), "the generator did not begin"
        truth = subprocess.Popen(
            [sys.executable, "-m", "bench.load", "--open-loop", str(port)], stdout=subprocess.PIPE, text=True
        )
        closed, out = start_locust(folder, url, users=10, each=10.0, seconds=SECONDS - 1)
        time.sleep(3.5)
        process.send_signal(signal.SIGSTOP)
        time.sleep(FREEZE)
        process.send_signal(signal.SIGCONT)
        stdout, _ = truth.communicate(timeout=60)
        assert closed.wait(60) == 0
        thread.join(60)
    return {
        "open loop, asyncio (the truth)": json.loads(stdout),
        "harness.load": ours,
        "closed loop, plain locust": json.loads(out.read_text())["times"],
    }


def show_freeze(rounds: int) -> None:
    print(f"\n{FREEZE:g} s freeze under {RATE:g} requests/s, work {WORK * 1e3:g} ms; n = {rounds} rounds")
    print("latency in ms, median [quartiles] over the rounds")
    print(f"{'':32}{'requests':>9}" + "".join(f"{f'p{100 * q:g}':>24}" for q in QUANTILES))
    seen: dict[str, list[list[float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds):
            for name, latencies in freeze_round(Path(folder)).items():
                seen.setdefault(name, []).append(latencies)
    values = {name: [[quantile(one, q) for one in runs] for q in QUANTILES] for name, runs in seen.items()}
    for name, columns in values.items():
        count = statistics.median(map(len, seen[name]))
        print(f"{name:32}{count:>9.0f}" + "".join(f"{spread([1e3 * v for v in column]):>24}" for column in columns))
    truth = values["open loop, asyncio (the truth)"]
    for name in list(values)[1:]:
        ratios = [
            [ours / true for ours, true in zip(*pair, strict=True)] for pair in zip(values[name], truth, strict=True)
        ]
        print(f"{name + ' / truth':41}" + "".join(f"{spread(column, '.3f'):>24}" for column in ratios))


def quantile(values: Sequence[float], q: float) -> float:
    """By nearest rank, as `harness.load` does, from the definition."""
    ordered = sorted(values)
    return next(value for index, value in enumerate(ordered, 1) if index >= q * len(ordered))


# Cost


def start_locust(
    folder: Path, url: str, *, users: int, each: float | None, seconds: float
) -> tuple["subprocess.Popen[bytes]", Path]:
    file, out = folder / "closed_loop.py", folder / "closed.json"
    file.write_text(CLOSED)
    command = [sys.executable, "-m", "locust", "-f", str(file), "--headless", "-u", str(users), "-r", str(users)]
    command += ["-H", url, "-t", f"{seconds:.0f}s", "-L", "ERROR", "--only-summary"]
    environment = {**os.environ, "OUT": str(out), "EACH": str(each or "")}
    quiet = subprocess.DEVNULL
    return subprocess.Popen(command, env=environment, cwd=folder, stdin=quiet, stdout=quiet, stderr=quiet), out


def cost_ours(url: str, _: Path) -> float:
    load = run(url, Plan(constant(COST_RATE, COST_SECONDS)), [Request("ask", "/", expects="ok")])
    return load.generator_cpu / len(load.records)


def cost_locust(url: str, folder: Path, each: float | None = None) -> float:
    process, out = start_locust(folder, url, users=10, each=each, seconds=COST_SECONDS)
    assert process.wait(60) == 0
    told = json.loads(out.read_text())
    return float(told["cpu"]) / len(told["times"])


def cost_wrk(url: str, _: Path) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = ["wrk", "-t1", "-c10", f"-d{COST_SECONDS:.0f}s", url]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = re.search(r"(\d+) requests in", said)
    assert found is not None, said
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / int(found[1])


def show_cost(rounds: int) -> None:
    kinds: dict[str, Callable[[str, Path], float]] = {
        f"harness.load, {COST_RATE:g}/s": cost_ours,
        f"plain locust, {COST_RATE:g}/s": functools.partial(cost_locust, each=COST_RATE / 10),
        "plain locust, as fast as it can": cost_locust,
        "wrk -t1 -c10": cost_wrk,
    }
    if shutil.which("wrk") is None:
        print("\nwrk is not installed: its row is left out")
        del kinds["wrk -t1 -c10"]
    seen: dict[str, list[float]] = {name: [] for name in kinds}
    with server(0.0) as (port, _), tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds):
            for name, cost in kinds.items():
                seen[name].append(1e6 * cost(f"http://{HOST}:{port}", Path(folder)))
    print(f"\nprocessor time of the generator per request; n = {rounds} rounds, median [quartiles], microseconds")
    for name, values in seen.items():
        print(f"{name:32}{spread(values):>24}")


if __name__ == "__main__":
    main()
