"""What a line of the journal costs, with and without waiting for the disk.

    python -m bench.journal [FOLDER] [--lines N] [--rounds N]

Both ways write in turns, a fresh journal each, in an order drawn for the round; printed are the median of the rounds
and the median of their ratios. The difference is why ``sync`` is called between turns and never in a timed section.
"""

import argparse
import random
import statistics
import tempfile
import time
from pathlib import Path

from harness.files.journal import Journal, line_of
from harness.files.records import Value
from harness.units import format_value


def seconds_per_line(folder: Path, lines: int, *, sync: bool) -> float:
    with tempfile.TemporaryDirectory(dir=folder) as scratch, Journal.create(Path(scratch) / "journal") as journal:
        start = time.perf_counter()
        for number in range(lines):
            journal.write(Value("before", "startup/cold", "ready", number, 0, number / 7))
            if sync:
                journal.sync()
        return (time.perf_counter() - start) / lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "folder", nargs="?", type=Path, default=Path(tempfile.gettempdir()), help="on the disk to measure"
    )
    parser.add_argument("--lines", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=11)
    options = parser.parse_args()
    costs: dict[bool, list[float]] = {False: [], True: []}
    order = [False, True]
    for _ in range(options.rounds):
        random.shuffle(order)
        for sync in order:
            costs[sync].append(seconds_per_line(options.folder, options.lines, sync=sync))
    size = len(line_of(Value("before", "startup/cold", "ready", 100, 0, 100 / 7)))
    for sync, name in ((False, "write"), (True, "write + fdatasync")):
        print(f"{name:18} {format_value(statistics.median(costs[sync]), 's')} a line of about {size} bytes")
    ratios = [slow / fast for fast, slow in zip(costs[False], costs[True], strict=True)]
    spread = f"between {min(ratios):.0f} and {max(ratios):.0f} in {options.rounds} rounds"
    print(f"{'ratio':18} {statistics.median(ratios):.0f}, {spread}")


if __name__ == "__main__":
    main()
