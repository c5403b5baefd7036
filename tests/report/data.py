"""A realistic before/after session, built by hand from seeded numbers: every verdict, prediction, trace and failure."""

import math
import random
from collections.abc import Sequence
from dataclasses import replace

from harness.errors import ExitCode
from harness.judge.comparison import Comparison, Estimate, Scale, Summary, Verdict
from harness.judge.gate import Gate
from harness.model import (
    SIDES,
    Environment,
    Failure,
    Mark,
    Metric,
    Prediction,
    Run,
    Sample,
    Side,
    Source,
    Trace,
    Variant,
)
from harness.report.view import ReportView, build_view

ROUNDS = 12

READY = Metric("ready", "s", smallest_effect=0.1, about="From starting the process to the first 200 of /health/ready.")
READY_CPU = Metric("ready_cpu", "s", about="Processor time used until ready.")
FIRST = Metric("first_answer", "s", smallest_effect=0.1, about="From starting the process to the first good answer.")
MEMORY = Metric("memory", "B", gated=False, about="Resident memory once ready.")
WAITING = Metric("waiting", "s", about="Time spent between attempts.")
TOTAL = Metric("total", "s", about="From the request to its answer.")
ATTEMPTS = Metric("attempts", "1", kind="count", about="Calls made to the provider for one request.")
ANSWERED = Metric("answered", "1", "higher", "rate", about="Share of requests with the provider's own answer.")
FALLBACK = Metric("fallback", "1", kind="rate", gated=False, about="Share of requests with a canned answer.")
AVAILABLE = Metric("available", "1", "higher", "rate", about="Whether the analysis can be called at all.")
COST = Metric("cost", "s", about="Time of one analysis over the given number of rows.")
THROUGHPUT = Metric("throughput", "rows/ms", "higher", gated=False)

_Row = tuple[str, Metric, Verdict, float | None, float | None, float]


def rows() -> list[_Row]:
    """Scenario, metric, verdict, true median (or share) before and after, spread."""
    v, nan = Verdict, None
    return [
        ("startup/cold_start", READY, v.UNCHANGED, 1.42, 1.43, 0.03),
        ("startup/cold_start", READY_CPU, v.IMPROVED, 0.812, 0.741, 0.01),
        ("startup/cold_start", FIRST, v.INCONCLUSIVE, 1.52, 1.60, 0.12),
        ("startup/cold_start", MEMORY, v.UNCHANGED, 181e6, 182e6, 0.004),
        ("startup/warm_start", READY, v.UNCHANGED, 0.95, 0.945, 0.03),
        ("startup/warm_start", FIRST, v.IMPROVED, 1.31, 0.98, 0.03),
        ("startup/warm_start", MEMORY, v.INCONCLUSIVE, 181e6, 184e6, 0.05),
        ("retry/always_fails", WAITING, v.IMPROVED, 3.60, 0.61, 0.03),
        ("retry/always_fails", ATTEMPTS, v.IMPROVED, 3, 2, 0),
        ("retry/always_fails", FALLBACK, v.UNCHANGED, 1, 1, 0),
        ("retry/fails_once", WAITING, v.IMPROVED, 1.21, 0.60, 0.03),
        ("retry/fails_once", ANSWERED, v.UNCHANGED, 1, 1, 0),
        ("retry/fails_twice", ANSWERED, v.REGRESSED, 1, 0, 0),
        ("retry/fails_twice", FALLBACK, v.REGRESSED, 0, 1, 0),
        ("retry/fails_twice", WAITING, v.INVALID, 3.61, 0.61, 0.03),
        ("retry/slow_but_healthy", ANSWERED, v.REGRESSED, 1, 0.0833, 0),
        ("retry/slow_but_healthy", TOTAL, v.INCOMPARABLE, 41.0, 30.2, 0.02),
        ("analytics/available", AVAILABLE, v.IMPROVED, 0, 1, 0),
        ("analytics/cost[10000]", COST, v.MISSING, nan, 0.0121, 0.04),
        ("analytics/cost[1000000]", COST, v.MISSING, nan, 0.184, 0.03),
        ("analytics/cost[1000000]", THROUGHPUT, v.MISSING, nan, 5430.0, 0.03),
        ("analytics/summary[100000]", COST, v.REGRESSED, 0.0421, 0.249, 0.05),
        ("analytics/summary[1000000]", COST, v.UNCHANGED, 0.391, 0.393, 0.02),
        ("analytics/trends[1000000]", COST, v.INCONCLUSIVE, 0.184, 0.194, 0.06),
        ("analytics/trends[1000000]", THROUGHPUT, v.UNCHANGED, 5100.0, 5120.0, 0.01),
    ]


def _values(row: _Row, side: Side, rng: random.Random) -> list[float]:
    _, metric, _, before, after, spread = row
    centre = before if side == "before" else after
    if centre is None:
        return []
    if metric.kind == "rate":
        ones = round(centre * ROUNDS)
        return [float(i < ones) for i in range(ROUNDS)]
    if metric.kind == "count":
        return [float(centre)] * ROUNDS
    return [centre * math.exp(rng.gauss(0, spread)) for _ in range(ROUNDS)]


def _summary(metric: Metric, values: Sequence[float]) -> Summary | None:
    if not values:
        return None
    ordered = sorted(values)
    if metric.kind == "rate":
        share = sum(values) / len(values)
        return Summary(len(values), share, max(0.0, share - 0.24), min(1.0, share + 0.24))
    middle = (ordered[5] + ordered[6]) / 2
    return Summary(len(values), middle, ordered[3], ordered[8])


def _comparison(row: _Row, before: Summary | None, after: Summary | None) -> Comparison:
    scenario, metric, verdict, _, _, spread = row
    scale: Scale = "absolute" if metric.kind == "rate" else "relative"
    effect = None
    if before and after and verdict not in (Verdict.INCOMPARABLE, Verdict.INVALID):
        change = after.median - before.median if scale == "absolute" else after.median / before.median - 1
        half = 0.24 if scale == "absolute" else spread * (1 + change)
        low = max(change - half, -1.0)
        level = 1.0 if metric.kind == "count" else 0.9996
        effect = Estimate(change, low, min(change + half, 1.0) if scale == "absolute" else change + half, level)
    reason = {
        Verdict.MISSING: "before: the backend has no analyze_performance_metrics",
        Verdict.INCOMPARABLE: "the clients had different timeouts",
        Verdict.INVALID: "3 of 12 answers did not match the workload",
        Verdict.INCONCLUSIVE: "about 40 more rounds would decide it",
    }.get(verdict, "")
    warnings = ("the values drift: the last third is 4 % slower than the first",) if spread == 0.12 else ()
    method = {"rate": "Newcombe interval", "count": "exact counts"}.get(metric.kind, "paired signed-rank")
    judged = effect is not None
    return Comparison(
        scenario, metric, verdict, before, after, effect, scale, ROUNDS if judged else 0,
        (0.00048 if verdict in (Verdict.IMPROVED, Verdict.REGRESSED) else 0.41) if judged else None,
        2 * spread + 0.012 if judged else None, method if judged else "", warnings, reason,
    )  # fmt: skip


_STARTUP = {
    "spawn": 0.0,
    "exec": 0.011,
    "imported": 0.42,
    "listening": 0.51,
    "live": 0.53,
    "ready": 1.42,
    "first_answer": 1.52,
}
_WARM = {
    "spawn": 0.0,
    "exec": 0.010,
    "imported": 0.31,
    "listening": 0.39,
    "live": 0.40,
    "ready": 0.95,
    "first_answer": 1.31,
}


def _starts(side: Side, rng: random.Random) -> list[Trace]:
    traces = []
    for scenario, marks in (("startup/cold_start", _STARTUP), ("startup/warm_start", _WARM)):
        for number in range(ROUNDS):
            factor = math.exp(rng.gauss(0, 0.03))
            found = [Mark(name, at * factor) for name, at in marks.items()]
            if scenario == "startup/warm_start" and side == "after":
                found[-1] = Mark("first_answer", 0.98 * factor)
            if scenario == "startup/cold_start":
                found.append(Mark("settled", (31.0 if side == "before" else 61.0) * factor))
            traces.append(Trace(scenario, "startup", number, tuple(found)))
    return traces


def _call(delays: Sequence[float], last: str, rng: random.Random) -> tuple[Mark, ...]:
    at, marks = 0.0, [Mark("request", 0.0)]
    for number, delay in enumerate(delays, start=1):
        marks.append(Mark(f"attempt {number}", at + 0.004))
        at += 0.03 * math.exp(rng.gauss(0, 0.2))
        final = number == len(delays)
        marks.append(Mark(last if final else f"failed {number}", at))
        at += delay * math.exp(rng.gauss(0, 0.03))
    return tuple(marks)


def _attempts(side: Side, rng: random.Random) -> list[Trace]:
    old = side == "before"
    plans: dict[str, tuple[Sequence[float], str]] = {
        "retry/always_fails": ((1.2, 2.4, 0), "failed 3") if old else ((0.6, 0), "failed 2"),
        "retry/fails_once": ((1.2, 0), "answer") if old else ((0.6, 0), "answer"),
        "retry/fails_twice": ((1.2, 2.4, 0), "answer") if old else ((0.6, 0), "failed 2"),
    }
    return [
        Trace(scenario, "attempts", number, _call(delays, last, rng))
        for scenario, (delays, last) in plans.items()
        for number in range(ROUNDS)
    ]


SETTINGS: dict[Side, dict[str, dict[str, str]]] = {
    "before": {
        "backend": {
            "LLM_MAX_RETRIES": "3", "LLM_BASE_DELAY": "1.0", "LLM_MAX_DELAY": "30.0", "LLM_EXPONENTIAL_BASE": "2.0",
            "LLM_TIMEOUT": "60.0", "OPTIMIZATION_DELAY": "30", "OPTIMIZATION_TIMEOUT": "120", "LOG_LEVEL": "INFO",
        },
        "clickhouse": {"CLICKHOUSE_PASSWORD": "•••", "CLICKHOUSE_HOST": "127.0.0.1"},
    },
    "after": {
        "backend": {
            "LLM_MAX_RETRIES": "2", "LLM_BASE_DELAY": "0.5", "LLM_MAX_DELAY": "15.0", "LLM_EXPONENTIAL_BASE": "1.5",
            "LLM_TIMEOUT": "30.0", "OPTIMIZATION_DELAY": "60", "OPTIMIZATION_TIMEOUT": "90", "LOG_LEVEL": "INFO",
            "OPTIMIZATION_RETRY": "on",
        },
        "clickhouse": {"CLICKHOUSE_PASSWORD": "•••", "CLICKHOUSE_HOST": "127.0.0.1"},
    },
}  # fmt: skip

PREDICTIONS: dict[Side, tuple[Prediction, ...]] = {
    "before": (
        Prediction("retry/always_fails", "waiting", 3.3, 3.9, "1 s and 2 s, each with 10 to 30 % jitter."),
        Prediction("retry/always_fails", "attempts", 3, 3, "max_retries counts attempts."),
    ),
    "after": (
        Prediction("retry/always_fails", "waiting", 0.65, 0.75, "0.5 s with 30 to 50 % jitter."),
        Prediction("retry/always_fails", "attempts", 2, 2, "max_retries counts attempts."),
    ),
}


def run(side: Side, table: Sequence[_Row] | None = None) -> Run:
    """Everything measured of one variant."""
    rng = random.Random(f"report {side}")
    samples = [
        Sample(row[0], row[1], tuple(values), tuple(range(ROUNDS)), (0,) * ROUNDS)
        for row in (rows() if table is None else table)
        if (values := _values(row, side, rng))
    ]
    missing = Failure(
        "analytics/cost[1000000]", 0, "AttributeError: object has no attribute 'analyze_performance_metrics'"
    )
    return Run(
        session="20261124T101500-4f1c", variant=Variant(side, f"netra-{side}", SETTINGS[side]),
        started="2026-11-24T10:15:00Z", seed=20261124, rounds=ROUNDS, state="complete", samples=tuple(samples),
        predictions=PREDICTIONS[side], traces=(*_starts(side, rng), *_attempts(side, rng)),
        failures=(missing,) if side == "before" else (),
        environment=Environment(
            {"machine": "x86_64, 2 cores", "processor": "AMD EPYC", "python": "3.11.2", "stack": "local processes",
             "engine": "ClickHouse 26.9 (embedded)"},
            {"load": "1.9" if side == "before" else "2.2", "commit": "a1b2c3d" if side == "before" else "e4f5a6b"},
        ),
        notes=("Waits of the background optimization are scaled 1:10; its times are those of the shortened wait.",),
    )  # fmt: skip


def comparisons(before: Run, after: Run, table: Sequence[_Row] | None = None) -> list[Comparison]:
    """The rows as the statistics would hand them over."""
    samples = [{(s.scenario, s.metric.name): s.values for s in r.samples} for r in (before, after)]
    found = []
    for row in rows() if table is None else table:
        values = [side.get((row[0], row[1].name), ()) for side in samples]
        found.append(_comparison(row, _summary(row[1], values[0]), _summary(row[1], values[1])))
    return found


GATE = Gate(
    ExitCode.ENVIRONMENT,
    15,
    19,
    "3 regressed · 2 missing · 1 incomparable · 1 invalid · 2 inconclusive · 6 improved · 4 unchanged · "
    "compared 15 of 19",
    (
        "analytics/cost[1000000] failed 1 time in before: no attribute 'analyze_performance_metrics'",
        "missing: analytics/cost[1000000]:cost before: the backend has no analyze_performance_metrics",
        "regressed: retry/fails_twice:answered −100.0 points [−100.0 points, −76.0 points]",
        "regressed: retry/slow_but_healthy:answered −91.7 points [−100.0 points, −67.7 points]",
    ),
)


def view() -> ReportView:
    """The view of the realistic session."""
    before, after = (run(side) for side in SIDES)
    return build_view(before, after, comparisons(before, after), GATE)


def same_view() -> ReportView:
    """An A/A session: the same variant on both sides, nothing changed, nothing failed."""
    table = [row for row in rows() if row[2] is Verdict.UNCHANGED]
    before = replace(run("before", table), failures=(), notes=(), predictions=(), traces=())
    after = replace(before, variant=replace(before.variant, name="after"))
    return build_view(before, after, comparisons(before, after, table), Gate(ExitCode.OK, 5, 5, "7 unchanged"))


def poisoned(text: str) -> ReportView:
    """A session in which ``text`` stands wherever text of others can stand, beside what the report says itself."""
    metric = replace(READY, name=text, unit=text, about=text)
    table: list[_Row] = [
        (text, metric, Verdict.REGRESSED, 1.0, 2.0, 0.05),
        (text, WAITING, Verdict.MISSING, None, 1.0, 0.1),
    ]
    before, after = (_poison(run(side, table), text) for side in SIDES)
    found = [replace(c, warnings=(text,), reason=text, method=text) for c in comparisons(before, after, table)]
    return build_view(before, after, found, Gate(ExitCode.REGRESSED, 1, 2, text, (text,)))


def _poison(clean: Run, text: str) -> Run:
    return replace(
        clean,
        session=text,
        started=text,
        variant=Variant(
            clean.variant.name,
            text,
            {text: {text: text + clean.variant.name}},
            {text: Source(text, clean.variant.name, text)},
        ),
        predictions=(Prediction(text, text, 0.0, 1.0, text),),
        traces=tuple(
            replace(t, scenario=text, marks=tuple(replace(m, name=text) for m in t.marks)) for t in clean.traces
        ),
        failures=(Failure(text, 0, text),),
        environment=Environment({text: text}, {text: text}),
        notes=(text,),
    )
