"""Analytics: are the recommendations right? Precision and recall on workloads labelled by hand.

A label is what an engineer who looks at the workload would say, not what the rule's threshold says: some workloads are
made to mislead the rules (an outlier, seasons, a cache that has just warmed up). Each turn puts one workload through
the product's path; each pair of workload and rule is one trial. `recall`: of the advice that is due, the share that is
given. `precision`: of the advice that is given, the share that is due; nothing is given before, so it has none. Every
round draws its durations anew; the shapes are the same: what fails, fails again. `docs/suites/analytics.md` names it.
"""

import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from harness.measure import clickhouse
from harness.measure.turn import Turn
from harness.model import Metric

RULES = HITS, ERRORS, TAIL, RISE, KIND = (
    "low_cache_hit_rate",
    "high_error_rate",
    "long_tail",
    "rising_durations",
    "dominant_kind",
)
RECALL = Metric("recall", "1", better="higher", kind="rate", about="Advice that is due, and given.")
PRECISION = Metric("precision", "1", better="higher", kind="rate", gated=False, about="Advice given that is due.")
OF_RULE = {
    (kind, rule): Metric(f"{kind}_{rule}", "1", better="higher", kind="rate", gated=False, about=f"{kind} of one rule.")
    for kind in ("recall", "precision")
    for rule in RULES
}
START = datetime(2025, 8, 28, tzinfo=UTC)


@dataclass(frozen=True)
class Shape:
    """How a workload is made: ``n`` queries evenly over ``minutes``, durations drawn around ``level`` (ms)."""

    due: tuple[str, ...] = ()
    n: int = 600
    minutes: float = 60
    hits: float = 0.8
    errors: float = 0.0
    level: float = 20.0
    spread: float = 0.3
    """Standard deviation of the logarithm of a duration."""
    slow: float = 0.0
    """Share of queries that take ``slow_times`` as long."""
    slow_times: float = 1.0
    kinds: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0)
    """How long queries of each kind take, relative to each other."""
    rise: float = 0.0
    """By how much of the level durations rise from the first to the last."""
    step_at: float = 2.0
    """Where durations double, as a share of the time."""
    season: float = 0.0
    """Amplitude, as a share of the level."""
    seasons: float = 6.0
    warms_up_at: float = 0.0
    """The share of the time before which nothing hits."""


WORKLOADS = {
    # Healthy ones.
    "healthy": Shape(),
    "healthy and few": Shape(n=60),
    "healthy and many": Shape(n=3000),
    "healthy and wide": Shape(spread=0.8),
    "healthy, one kind": Shape(kinds=(1.0,)),
    "healthy, hits near the limit": Shape(hits=0.56),
    "healthy, errors near the limit": Shape(n=3000, errors=0.004),
    "healthy, a tail near the limit": Shape(slow=0.03, slow_times=5.0),
    "healthy, a slight rise": Shape(rise=0.1),
    "healthy, getting faster": Shape(rise=-0.4),
    "healthy, two kinds alike": Shape(kinds=(1.0, 1.2)),
    # Each rule alone, clearly and just so.
    "hardly any hits": Shape((HITS,), hits=0.1),
    "hits just too low": Shape((HITS,), hits=0.43),
    "many errors": Shape((ERRORS,), errors=0.1),
    "errors just too many": Shape((ERRORS,), n=3000, errors=0.016),
    "a long tail": Shape((TAIL,), slow=0.03, slow_times=40.0),
    "a tail just too long": Shape((TAIL,), n=3000, slow=0.015, slow_times=16.0),
    "rising": Shape((RISE,), rise=1.0),
    "rising a little": Shape((RISE,), rise=0.35),
    "a step": Shape((RISE,), step_at=0.5),
    "a late step": Shape((RISE,), step_at=0.8),
    "one kind takes all": Shape((KIND,), kinds=(30.0, 1.0, 1.0, 1.0)),
    "one kind takes more": Shape((KIND,), kinds=(4.5, 1.0, 1.0, 1.0)),
    "one of two kinds takes all": Shape((KIND,), kinds=(9.0, 1.0)),
    # Pairs and more.
    "cold and failing": Shape((HITS, ERRORS), hits=0.1, errors=0.1),
    "cold and rising": Shape((HITS, RISE), hits=0.1, rise=1.0),
    "failing with a tail": Shape((ERRORS, TAIL), errors=0.05, slow=0.03, slow_times=40.0),
    "rising, one kind takes all": Shape((RISE, KIND), rise=1.0, kinds=(30.0, 1.0, 1.0, 1.0)),
    "everything": Shape((HITS, ERRORS, RISE, KIND), hits=0.1, errors=0.1, rise=1.0, kinds=(30.0, 1.0, 1.0, 1.0)),
    # Too few to say anything.
    "too few": Shape(n=12, hits=0.1, errors=0.3),
    # Hard ones.
    "one outlier in a hundred": Shape(n=100, slow=0.01, slow_times=100.0),
    "one error in fifty": Shape(n=50, errors=0.02),
    "a cache that has warmed up": Shape(warms_up_at=0.55, hits=0.98),
    "six seasons": Shape(season=0.5),
    "two seasons and a half": Shape(season=0.5, seasons=2.5),
    "one season that ends high": Shape(season=0.5, seasons=0.5),
    "rising in noise": Shape((RISE,), n=3000, rise=0.5, spread=1.0),
    "rising with seasons": Shape((RISE,), rise=0.8, season=0.3),
    "a tail of a few in a thousand": Shape((TAIL,), n=3000, slow=0.006, slow_times=200.0),
    "one kind of ten takes a third": Shape((KIND,), kinds=(5.0, *[1.0] * 9)),
}


def rows_of(name: str, shape: Shape, round: int) -> list[str]:
    """The rows as JSON. Shares are met exactly, and spread evenly: what is drawn are the durations alone."""
    draw = Random(f"{name} {round}")
    rows = []
    for index in range(shape.n):
        x = (index + 0.5) / shape.n
        level = shape.level * shape.kinds[index % len(shape.kinds)]
        level *= (1 + shape.rise * x) * (2 if x >= shape.step_at else 1)
        level *= 1 - shape.season * math.cos(2 * math.pi * shape.seasons * x)  # begins low
        level *= shape.slow_times if nth(index, shape.slow) else 1.0
        rows.append(
            json.dumps(
                {
                    "timestamp": f"{START + timedelta(minutes=shape.minutes * x):%Y-%m-%d %H:%M:%S.%f}"[:-3],
                    "run_id": run_id(name, round),
                    "query_kind": f"kind {index % len(shape.kinds)}",
                    "duration_ms": level * draw.lognormvariate(0, shape.spread),
                    "cache_hit": int(nth(index, shape.hits) and x >= shape.warms_up_at),
                    "error": int(nth(index, shape.errors)),
                }
            )
        )
    return rows


def nth(index: int, share: float) -> bool:
    """True for ``share`` of all indices, evenly."""
    return math.floor((index + 1) * share + 1e-9) > math.floor(index * share + 1e-9)


def run_id(name: str, round: int) -> str:
    return f"{name.replace(',', '').replace(' ', '_')}_{round}"


def put_all(turn: Turn) -> None:
    rows = "\n".join(row for name, shape in WORKLOADS.items() for row in rows_of(name, shape, turn.round))
    clickhouse.run(turn.service("clickhouse"), f"INSERT INTO query_metrics FORMAT JSONEachRow\n{rows}")


@pytest.mark.scenario(tag="full", rounds=14, pairs=len(WORKLOADS))
def test_advice(turn: Turn) -> None:
    """One workload a turn: is what is recommended what an engineer would say?"""
    turn.once(f"round {turn.round}", lambda: put_all(turn))
    name = list(WORKLOADS)[turn.pair]
    answer = turn.service("backend").get(f"/api/analytics/performance?run_id={run_id(name, turn.round)}")
    given = {advice["rule"] for advice in answer.json()["recommendations"]} if answer.status == 200 else set()
    due = set(WORKLOADS[name].due)
    for rule in sorted(due):
        turn.record(RECALL, float(rule in given))
        turn.record(OF_RULE["recall", rule], float(rule in given))
    for rule in sorted(given):
        turn.record(PRECISION, float(rule in due))
        turn.record(OF_RULE["precision", rule], float(rule in due))
