"""Runs with known values, in the places where a project keeps them."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from harness.files.runfile import write_run
from harness.model import SIDES, Environment, Metric, Run, Sample, Side, Variant

LATENCY = Metric("latency", "s")
HIT = Metric("hit", "1", better="higher", kind="rate")
START = datetime(2026, 1, 1, 12, tzinfo=UTC)
CONFIGURATION = """
[system.services.backend]
command = ["{python}"]
ready = "/"
[system.variants.before]
[system.variants.after]
"""


def session_name(number: int) -> str:
    return f"{START + timedelta(days=number):%Y%m%dT%H%M%SZ}-{number:08x}"


def sample(scenario: str, metric: Metric, *values: float) -> Sample:
    return Sample(scenario, metric, values, tuple(range(len(values))), (0,) * len(values))


def run(number: int, side: Side = "after", latency: float = 0.05, values: int = 5) -> Run:
    """Values around ``latency``, the middle one exactly; 2 of 4 trials hit."""
    draw = random.Random(number)
    around = [latency * (1 + sign * draw.random() / 10) for sign in (1, -1) for _ in range(values // 2)]
    return Run(
        session=session_name(number),
        variant=Variant(side, side, {"backend": {"DELAY": "1"}}),
        started=(START + timedelta(days=number)).isoformat(),
        seed=2**63,
        rounds=values,
        state="complete",
        samples=(sample("speed/lookup", LATENCY, latency, *around), sample("speed/lookup", HIT, 1.0, 0.0, 0.0, 1.0)),
        environment=Environment({"machine": "m"}, {"commit": f"c{number}"}),
    )


def save_session(reports: Path, number: int, latency: float = 0.05) -> Path:
    """The folder of a session with both run files."""
    folder = reports / "out" / session_name(number)
    folder.mkdir(parents=True)
    for side in SIDES:
        write_run(run(number, side, latency), folder / f"{side}.json")
    return folder


def save_run(reports: Path, one: Run) -> Path:
    folder = reports / "out" / one.session
    folder.mkdir(parents=True, exist_ok=True)
    write_run(one, folder / f"{one.variant.name}.json")
    return folder


def renamed(one: Run, scenario: str, metric: str, unit: str) -> Run:
    """The same run with other names in its first sample."""
    first = one.samples[0]
    named = replace(first, scenario=scenario, metric=replace(first.metric, name=metric, unit=unit))
    return replace(one, samples=(named, *one.samples[1:]))
