"""Faults of containers and of the engine: what the user is told, how soon, and what is left.

    python -m bench.faults [NAME ...]

Each is provoked in a whole run of the harness, in a process of its own, on a real engine; one that concerns the engine
on a socket that stands before it. Needs the images of ``make images``. Prints a Markdown table. Seconds are from the
fault to the message; of what goes wrong at the start, from the start of the harness.
"""

import sys

from bench.machine import describe
from tests.containers.faults import FAULTS, provoke

IMAGE = "before-after/base:local"


def main() -> None:
    chosen = [fault for fault in FAULTS if len(sys.argv) == 1 or fault.name in sys.argv[1:]]
    print(f"{describe()}; n = 1 each\n")
    print("| fault | s to the message | what the user is told | exit code | values kept | left |")
    print("| --- | --: | --- | --: | --: | --- |")
    for fault in chosen:
        outcome = provoke(fault, IMAGE)
        told = outcome.message.split("    =")[0].split("; its last lines")[0].replace("|", "\\|")[:140]
        seconds = f"{outcome.seconds:.1f}" + (" after the fault" if fault.midway else "")
        left = ", ".join(outcome.left) or "nothing"
        left += f" ({len(outcome.swept)} things removed by the next start)" if outcome.swept else ""
        print(f"| {fault.name} | {seconds} | {told} | {outcome.code} | {outcome.values} | {left} |", flush=True)


if __name__ == "__main__":
    main()
