"""Which procedure cries wolf, and which one sleeps?

    python -m bench.decisions [--short | --long | --sample | --plans] [--folder FOLDER]

Records four workloads - an HTTP request, a ClickHouse query, a retried call, a cold start - in interleaved rounds with
fresh processes, calm and beside a neighbour on the same core; replays unchanged traces through our procedure and the
rules of other tools, judges slowdowns that were really executed, and holds recipes for cold starts against each other.
``--plans`` and ``--sample`` replay the recordings kept beside this program and record nothing: the first shows what
each plan of looks finds with few and with many gated metrics, and which budget is enough; the second all the rest.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.decisions import blocks, cold, live, record
from bench.decisions.plans import GATED, METRICS, PLANS, budget_table, looks_of, noise_table, plan_table
from bench.decisions.replay import BLOCK, EFFECTS, replay_rule
from bench.decisions.rules import CONDENSED, INTERLEAVED, SEQUENTIAL
from bench.decisions.shares import share
from bench.decisions.traces import Trace
from bench.machine import describe

SLOWER = (0.0, 0.0, 0.03, 0.05, 0.10)
CONDITIONS = {"calm": False, "neighbour": True}
SAMPLE = Path(__file__).with_name("sample")
_LIVE_LOOKS = PLANS[0]
_WAYS = ((False, False, SEQUENTIAL), (True, False, INTERLEAVED), (True, True, CONDENSED))
"""Interleaved or not, one number a process or all values, and the rules."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is done."""

    same: float
    """Seconds of recording two slots that do not differ, in each condition; and so on."""
    slower: float
    starts: float
    blocks: float
    suites: int

    @property
    def seconds(self) -> float:
        """About how long it all takes."""
        recording = 2 * (self.same + self.slower + self.starts + self.blocks)
        return 1.1 * recording + 0.8 * self.suites


SIZES = {
    "short": Size(same=40, slower=35, starts=20, blocks=20, suites=40),
    "long": Size(same=420, slower=420, starts=300, blocks=120, suites=400),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    which = parser.add_mutually_exclusive_group()
    for kind in ("short", "long", "sample", "plans"):
        which.add_argument(f"--{kind}", action="store_const", dest="size", const=kind)
    parser.add_argument("--folder", type=Path, default=Path("reports/out/decisions"), help="where recordings are kept")
    options = parser.parse_args()
    print(describe(), flush=True)
    if options.size in {"sample", "plans"}:
        for name in CONDITIONS:
            _kept(name, plans=options.size == "plans")
        return
    _measured(SIZES[options.size or "short"], options.folder)


def _kept(name: str, *, plans: bool) -> None:
    same, suites = Trace.load(SAMPLE / f"same-{name}.npz"), SIZES["long"].suites
    if plans:
        _plans(same, PLANS, suites)
        return
    _rules(same, suites // 2)
    for kind, table in (("blocks", _blocks), ("slower", _live)):
        if (path := SAMPLE / f"{kind}-{name}.npz").exists():
            table(Trace.load(path))


def _measured(size: Size, folder: Path) -> None:
    print(f"this takes about {size.seconds / 60:.0f} minutes", flush=True)
    for name, noisy in CONDITIONS.items():
        same = record.record((0.0, 0.0), size.same, noisy=noisy)
        same.save(folder / f"same-{name}.npz")
        _plans(same, [plan for plan in PLANS if plan[-1] <= len(same.seconds)], size.suites)
        _rules(same, size.suites // 2)
        contiguous = blocks.record(size.blocks, noisy=noisy)
        contiguous.save(folder / f"blocks-{name}.npz")
        _blocks(contiguous)
        slower = record.record(SLOWER, size.slower, noisy=noisy)
        slower.save(folder / f"slower-{name}.npz")
        _live(slower)
        _cold(name, size, noisy=noisy)


def _title(text: str) -> None:
    print(f"\n== {text}", flush=True)


def _plans(trace: Trace, plans: Sequence[tuple[int, ...]], suites: int) -> None:
    _title(f"our procedure replayed, {trace.about}")
    print(f"{len(trace.seconds)} rounds of {trace.seconds.mean():.2f} s\n")
    print(noise_table(trace), flush=True)
    for looks in plans:
        for gated in GATED:
            for clock, metrics in METRICS.items():
                print(f"\nlooks at {', '.join(map(str, looks))}; {gated} gated metrics; {clock}\n")
                print(plan_table(trace, metrics, looks, gated, suites), flush=True)
    for clock, metrics in METRICS.items():
        print(f"\nsmallest plan shown to call +5 % in at least 95 %, looks as {looks_of(BLOCK)}; {clock}\n")
        print(budget_table(trace, metrics, suites), flush=True)


def _rules(trace: Trace, trials: int) -> None:
    for rounds in (BLOCK, PLANS[1][-1]):
        if 2 * rounds > len(trace.seconds):
            continue
        _title(f"rules of other tools replayed, {trace.about}")
        fewer = trials if rounds == BLOCK else -(-trials // 4)  # as a longer window overlaps more, and takes longer
        print(f"{rounds} rounds ({rounds * trace.seconds.mean():.0f} s) a side, wall clock; n = {4 * fewer}\n")
        heads = ["rule", "A/A slower", "A/A changed", *(f"+{100 * effect:.0f} %" for effect in EFFECTS[1:])]
        print("| " + " | ".join(heads) + " |\n" + "| --- " * len(heads) + "|")
        for interleaved, condensed, rules in _WAYS:
            for name, rule in rules.items():
                calls = replay_rule(trace, rule, fewer, interleaved=interleaved, rounds=rounds, condensed=condensed)
                shares = [share(call > 0 for call in calls[effect]) for effect in EFFECTS]
                shares.insert(1, share(call != 0 for call in calls[0.0]))
                way = "interleaved" if interleaved else "one side after the other"
                print("| " + " | ".join([f"{name}, {way}", *shares]) + " |", flush=True)


def _blocks(trace: Trace) -> None:
    _title(f"rules of other tools, blocks of requests, {trace.about}")
    print(blocks.table(trace))


def _live(trace: Trace) -> None:
    rounds = len(trace.seconds)
    _title(f"slowdowns really executed, {trace.about}")
    looks = tuple(look for look in _LIVE_LOOKS if look <= rounds) or (rounds,)
    print(f"{rounds} rounds of {len(trace.slower)} variants")
    for metrics in METRICS.values():
        print(live.table(trace, metrics, looks))


def _cold(name: str, size: Size, *, noisy: bool) -> None:
    _title(f"recipes for the cold start, {name}")
    print(describe())
    starts = cold.record(size.starts, noisy=noisy)
    print(cold.table(starts, 120 if noisy else 60, size.suites))


if __name__ == "__main__":
    main()
