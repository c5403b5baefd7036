"""Comparing two large files: ``harness compare`` against ``pytest-benchmark compare`` on the same data.

    python -m bench.compare [--metrics N] [--values N] [--rounds N]

Two kinds of files, both readable by both tools: pytest-benchmark's own, and our run files of one session, whose values
are compared pair by pair. Whole processes - read, compute, print - once a round in drawn order; first their times, then
as often the memory of all processes that a command has alive at once (how it is counted: bench/processes.py).
"""

import argparse
import random
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.machine import describe
from bench.processes import Usage, interleaved, peak_memory, spread, use

_MEBIBYTE = 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--metrics", type=int, default=100)
    parser.add_argument("--values", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", metavar="FOLDER", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.write:
        _write(options.write, options.metrics, options.values)
        return
    print(describe())
    print(f"2 files x {options.metrics} metrics x {options.values} values; n = {options.rounds} rounds, interleaved\n")
    with tempfile.TemporaryDirectory() as scratch:
        counts = ["--metrics", str(options.metrics), "--values", str(options.values)]
        subprocess.run([sys.executable, "-m", "bench.compare", "--write", scratch, *counts], check=True)
        for kind in ("benchmark", "session"):
            _compare(kind, Path(scratch), options.rounds)


def _write(folder: Path, metrics: int, values: int) -> None:
    """The files, written by a process of its own: what it holds must not count as memory of those measured later."""
    from harness.files.runfile import run_to_json, write_run
    from harness.model import SIDES, Metric, Run, Sample, Variant

    generator = random.Random(1)
    pairs = 25
    for side in SIDES:
        samples = tuple(
            Sample(
                f"suite/scenario_{number}",
                Metric("time", "s"),
                tuple(0.002 * generator.lognormvariate(0, 0.1) for _ in range(values)),
                tuple(index // pairs for index in range(values)),
                tuple(index % pairs for index in range(values)),
            )
            for number in range(metrics)
        )
        run = Run("session", Variant(side, side), "2026-01-01T00:00:00+00:00", 1, values // pairs, "complete", samples)
        write_run(run, folder / f"session-{side}.json")
        document = run_to_json(run)
        del document["harness"]
        _write_benchmark(document, folder / f"benchmark-{side}.json")


def _write_benchmark(document: dict[str, object], path: Path) -> None:
    """As pytest-benchmark itself lays its files out."""
    import json

    with path.open("w", encoding="ascii") as file:
        json.dump(document, file, indent=4)


def _compare(kind: str, folder: Path, rounds: int) -> None:
    files = [f"{kind}-before.json", f"{kind}-after.json"]
    scripts = Path(sys.executable).parent
    commands = {
        "pytest-benchmark compare": [str(scripts / "pytest-benchmark"), "compare", *(f"./{name}" for name in files)],
        "harness compare": [str(scripts / "harness"), "compare", *files],
    }
    used = interleaved(commands, folder, rounds, use)
    held = interleaved(commands, folder, rounds, peak_memory)
    size = sum((folder / name).stat().st_size for name in files) / _MEBIBYTE
    print(f"{kind} files, {size:.0f} MiB together")
    for name in commands:
        print(f"  {name:26} {_row(used[name], held[name])}")
    theirs, ours = commands
    seconds = _ratios([usage.seconds for usage in used[ours]], [usage.seconds for usage in used[theirs]])
    cpu = _ratios([usage.cpu for usage in used[ours]], [usage.cpu for usage in used[theirs]])
    print(
        f"  {'ratio harness / theirs':26} {seconds} wall, {cpu} processor, {_ratios(held[ours], held[theirs])} memory\n"
    )


def _row(used: Sequence[Usage], held: Sequence[int]) -> str:
    seconds, cpu = spread([usage.seconds for usage in used], ".2f"), spread([usage.cpu for usage in used], ".2f")
    return f"{seconds} s wall, {cpu} s processor, {spread([most / _MEBIBYTE for most in held], '.0f')} MiB"


def _ratios(ours: Sequence[float], theirs: Sequence[float]) -> str:
    """Round by round."""
    return spread([our / their for our, their in zip(ours, theirs, strict=True)], ".2f")


if __name__ == "__main__":
    main()
