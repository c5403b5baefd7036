"""The harness killed anywhere in a whole run with services in containers: what is kept, what is left.

    python -m bench.kills [--times N] [--seed N] [--image IMAGE]

A run that nobody kills shows how long one takes. The moments of the kills are drawn, one in each of N equal parts of
that time, in drawn order; the signals take turns. What is left is looked for every 50 ms from the kill on: containers,
networks and volumes of the session, processes that work in the project's folder (the harness, its watchdog, the sweep),
temporary folders. Other runs on the same engine may remove what we left: best see that there are none.
"""

import argparse
import random
import secrets
import statistics
from collections import Counter
from collections.abc import Iterator, Sequence

from bench.machine import describe
from bench.processes import spread
from tests.containers.kills import PHASES, SIGNALS, WATCHED, Killed, at, kill, whole


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=40)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--image", default="before-after/base:local")
    options = parser.parse_args()
    seed = secrets.randbelow(2**31) if options.seed is None else options.seed
    print(describe())
    seconds = whole(options.image)
    print(f"seed {seed}; a run that nobody kills took {seconds:.1f} s\n")
    done = []
    for one in _kills(options.times, seconds, random.Random(seed), options.image):
        done.append(one)
        print(_line(one), flush=True)
    _summary(done)


def _kills(times: int, seconds: float, drawn: random.Random, image: str) -> Iterator[Killed]:
    moments = [(number + drawn.random()) / times * seconds for number in range(times)]
    drawn.shuffle(moments)
    for number, moment in enumerate(moments):
        while (one := kill(SIGNALS[number % len(SIGNALS)], at(moment), image)) is None:
            moment = drawn.uniform(0, seconds)  # that run was faster, it had ended
        yield one


def _line(one: Killed) -> str:
    left = ", ".join(one.left) or "nothing"
    return (
        f"{one.at:6.2f} s  {one.phase:26} {one.signal.name:8} exit {one.code:3} after {one.ended:5.2f} s  "
        f"kept {one.kept:2} of {one.finished:2} samples, {one.runs} run files  "
        f"all gone after {one.gone:5.2f} s  left after {WATCHED:g} s: {left}"
    )


def _summary(done: Sequence[Killed]) -> None:
    print(f"\n{'phase':26} kills  {'signals':39} samples kept  left  seconds until nothing was left")
    for phase in PHASES:
        _row(phase, [one for one in done if one.phase == phase])
    for number in SIGNALS:
        _row(number.name, [one for one in done if one.signal == number])
    _row("all", done)


def _row(name: str, some: Sequence[Killed]) -> None:
    if not some:
        print(f"{name:26} {0:5}")
        return
    signals = ", ".join(f"{n} {signal}" for signal, n in Counter(one.signal.name for one in some).items())
    kept = f"{sum(one.kept for one in some)} of {sum(one.finished for one in some)}"
    gone = [one.gone for one in some]
    times = spread(gone, ".2f") if len(gone) > 1 else f"{statistics.median(gone):.2f}"
    left = sum(len(one.left) for one in some)
    print(f"{name:26} {len(some):5}  {signals:39} {kept:12} {left:5}  {times}, at most {max(gone):.2f}")


if __name__ == "__main__":
    main()
