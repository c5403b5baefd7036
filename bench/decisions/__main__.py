"""Which procedure cries wolf, and which one sleeps?

    python -m bench.decisions [--short | --long | --sample] [--folder FOLDER]

Records four workloads - an HTTP request, a ClickHouse query, a retried call, a cold start - in interleaved rounds with
fresh processes, calm and beside a neighbour on the same core; replays unchanged traces through our procedure and the
rules of other tools, judges slowdowns that were really executed, and holds recipes for cold starts against each other.
``--sample`` replays the recordings kept beside this program and records nothing.
"""

import argparse
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean

from bench.decisions import cold, live, record
from bench.decisions.replay import BLOCK, EFFECTS, Suites, replay_ours, replay_rule
from bench.decisions.rules import INTERLEAVED, SEQUENTIAL
from bench.decisions.shares import share
from bench.decisions.traces import WORKLOADS, Trace
from bench.machine import describe
from harness.judge.comparison import Verdict

SLOWER = (0.0, 0.0, 0.03, 0.05, 0.10)
SUITES = {
    "wall": [f"{workload}_wall" for workload in WORKLOADS],
    "processor time, retry on the wall": ["http_cpu", "query_cpu", "retry_wall", "cold_cpu"],
}
CONDITIONS = {"calm": False, "neighbour": True}
SAMPLE = Path(__file__).with_name("sample")
_LIVE_LOOKS = (14, 20, 28)
_WORKERS = 2


@dataclass(frozen=True, slots=True)
class Size:
    """How much is done."""

    same: float
    """Seconds of recording two slots that do not differ, in each condition; and so on."""
    slower: float
    starts: float
    suites: int
    looks: tuple[int, ...]

    @property
    def seconds(self) -> float:
        """About how long it all takes."""
        recording = 2 * (self.same + self.slower + self.starts)
        return 1.1 * recording + 0.5 * self.suites


SIZES = {
    "short": Size(same=40, slower=35, starts=20, suites=40, looks=(14, 28, 42)),
    "long": Size(same=420, slower=420, starts=300, suites=300, looks=(14, 28, 56, 112)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--short", action="store_const", dest="size", const="short", help="the default")
    which.add_argument("--long", action="store_const", dest="size", const="long")
    which.add_argument("--sample", action="store_const", dest="size", const="sample")
    parser.add_argument("--folder", type=Path, default=Path("reports/out/decisions"), help="where recordings are kept")
    options = parser.parse_args()
    print(describe(), flush=True)
    if options.size == "sample":
        for name in CONDITIONS:
            _replay(Trace.load(SAMPLE / f"same-{name}.npz"), SIZES["long"])
        return
    size = SIZES[options.size or "short"]
    print(f"this takes about {size.seconds / 60:.0f} minutes", flush=True)
    for name, noisy in CONDITIONS.items():
        same = record.record((0.0, 0.0), size.same, noisy=noisy)
        same.save(options.folder / f"same-{name}.npz")
        _replay(same, size)
        slower = record.record(SLOWER, size.slower, noisy=noisy)
        slower.save(options.folder / f"slower-{name}.npz")
        _live(slower)
        _cold(name, size, noisy=noisy)


def _title(text: str) -> None:
    print(f"\n== {text}", flush=True)


def _replay(trace: Trace, size: Size) -> None:
    _title(f"replayed, {trace.about}")
    rounds = len(trace.seconds)
    looks = tuple(look for look in size.looks if look <= rounds) or (rounds,)
    print(f"{rounds} rounds of {trace.seconds.mean():.2f} s; our looks at {', '.join(map(str, looks))} rounds")
    for suite, metrics in SUITES.items():
        print(f"\nour procedure, {size.suites} suites of 4 gated metrics: {suite}")
        _print_ours(_in_parallel(trace, metrics, looks, size.suites), metrics)
    if rounds >= 2 * BLOCK:
        print(
            f"\nrules of other tools, {BLOCK} rounds a side ({BLOCK * trace.seconds.mean():.0f} s), on the wall clock"
        )
        _print_rules(trace, size.suites)


def _in_parallel(trace: Trace, metrics: Sequence[str], looks: Sequence[int], suites: int) -> Suites:
    work = partial(replay_ours, trace, metrics, looks, -(-suites // _WORKERS))
    with ProcessPoolExecutor(_WORKERS) as pool:
        parts = list(pool.map(work, range(_WORKERS)))
    outcomes = {effect: [each for part in parts for each in part.outcomes[effect]] for effect in EFFECTS}
    return Suites(outcomes, parts[0].seconds_per_round)


def _print_ours(suites: Suites, metrics: Sequence[str]) -> None:
    heads = [f"{'+' if effect else ''}{100 * effect:.0f} % called slower" for effect in EFFECTS]
    print(f"{'metric':12} " + " ".join(f"{head:>20}" for head in heads) + f" {'at +5 %: rounds':>17} {'seconds':>8}")
    for metric in metrics:
        calls = [share(s[metric].verdict is Verdict.REGRESSED for s in suites.outcomes[effect]) for effect in EFFECTS]
        used = fmean(suite[metric].rounds for suite in suites.outcomes[0.05])
        shares = " ".join(f"{call:>20}" for call in calls)
        print(f"{metric:12} {shares} {used:17.0f} {used * suites.seconds_per_round:8.0f}")
    slower = share(any(o.verdict is Verdict.REGRESSED for o in suite.values()) for suite in suites.outcomes[0.0])
    called = {Verdict.REGRESSED, Verdict.IMPROVED}
    changed = share(any(o.verdict in called for o in suite.values()) for suite in suites.outcomes[0.0])
    unseen = share(o.verdict is Verdict.UNCHANGED for suite in suites.outcomes[0.05] for o in suite.values())
    print(f"A/A suites that fail the gate: {slower} %; that call any change: {changed} %")
    print(f"+5 % called unchanged: {unseen} %")


def _print_rules(trace: Trace, trials: int) -> None:
    heads = ["A/A slower", "A/A changed", "+3 % slower", "+5 % slower", "+10 % slower"]
    print(f"{'rule':46} " + " ".join(f"{head:>18}" for head in heads))
    for interleaved, rules in ((False, SEQUENTIAL), (True, INTERLEAVED)):
        for name, rule in rules.items():
            calls: dict[float, list[int]] = {effect: [] for effect in EFFECTS}
            for seed, workload in enumerate(WORKLOADS):
                found = replay_rule(trace.values[f"{workload}_wall"], rule, trials, seed, interleaved=interleaved)
                for effect, made in found.items():
                    calls[effect] += made
            shares = [share(call > 0 for call in calls[effect]) for effect in EFFECTS]
            shares.insert(1, share(call != 0 for call in calls[0.0]))
            way = "interleaved" if interleaved else "one block each"
            print(f"{f'{name}, {way}':46} " + " ".join(f"{text:>18}" for text in shares), flush=True)


def _live(trace: Trace) -> None:
    rounds = len(trace.seconds)
    _title(f"slowdowns really executed, {trace.about}")
    looks = tuple(look for look in _LIVE_LOOKS if look <= rounds) or (rounds,)
    print(f"{rounds} rounds of {len(trace.slower)} variants")
    for metrics in SUITES.values():
        print(live.table(trace, metrics, looks))


def _cold(name: str, size: Size, *, noisy: bool) -> None:
    _title(f"recipes for the cold start, {name}")
    print(describe())
    starts = cold.record(size.starts, noisy=noisy)
    print(cold.table(starts, 120 if noisy else 60, size.suites))


if __name__ == "__main__":
    main()
