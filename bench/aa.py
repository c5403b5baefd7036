"""A/A sessions of the main job: how often is a change called where there is none?

    python -m bench.aa [--sessions 20] [harness run's own arguments, such as -k retry]

Each session measures the variant `before` against itself with all suites (about two and a half minutes). Prints every
session's false calls, seconds and load, then the share of sessions with any, with its exact 95 % upper bound.
"""

import argparse
import json
import os
import subprocess
import sys
import time

from harness.judge.binomial import clopper_pearson


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=20)
    options, rest = parser.parse_known_args()
    alarms = 0
    for number in range(1, options.sessions + 1):
        load, begun = os.getloadavg()[0], time.monotonic()
        called = session(rest)
        alarms += bool(called)
        told = ", ".join(called) or "none called"
        print(f"{number}: {told}; {time.monotonic() - begun:.0f} s, load {load:.1f}", flush=True)
    _, high = clopper_pearson(alarms, options.sessions, alpha=0.1)
    bound = f"at most {high:.1%} of such sessions do (95 % sure)"
    print(f"{alarms} of {options.sessions} A/A sessions called a change; {bound}")


def session(rest: list[str]) -> list[str]:
    """One A/A session; what was called improved or regressed in it."""
    command = [sys.executable, "-m", "harness", "run", "--no-gate", "--before", "before", "--after", "before", *rest]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("HARNESS-VERDICT ")]
    if done.returncode or not lines:
        sys.exit(f"the session failed with exit code {done.returncode}:\n{done.stdout}{done.stderr}")
    verdicts = json.loads(lines[0].partition(" ")[2])["verdicts"]
    return [f"{name} {verdict}" for name, verdict in verdicts.items() if verdict in ("improved", "regressed")]


if __name__ == "__main__":
    main()
