"""The seed report's claims speak of scenarios and metrics that there are: a renamed one would leave them unmeasured."""

import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from harness.claims.file import read_claims
from harness.model import Metric
from harness.patterns import matches

ROOT = Path(__file__).parents[2]
CLAIMS = read_claims(ROOT / "docs" / "seed-claims.toml").claim
PATTERNS = {
    pattern
    for claim in CLAIMS
    for pattern in (*claim.cost, *(name for check in claim.checks for name in (check.metric, check.than) if name))
}


@cache
def rounds() -> dict[str, int]:
    """Every scenario that there is, and how often it is measured."""
    listed = subprocess.run(
        [sys.executable, "-m", "harness", "list"], cwd=ROOT, capture_output=True, text=True, timeout=120, check=True
    ).stdout
    columns = [line.split("  ") for line in listed.splitlines() if line]
    return {name: int(times.split(" rounds")[0]) for name, _, times, *_ in columns}


def test_every_scenario_that_the_claims_speak_of_exists() -> None:
    wanted = {pattern.partition(":")[0] for pattern in PATTERNS}
    assert sorted(pattern for pattern in wanted if not any(matches(name, pattern) for name in rounds())) == []


def test_every_scenario_that_decides_a_claim_is_measured_often_enough_to() -> None:
    """With fewer rounds than six nothing can be told at 95 %: the claim would stay undecided for ever."""
    deciding = {name for claim in CLAIMS for check in claim.checks for name in (check.metric, check.than) if name}
    scenarios = {pattern.partition(":")[0] for pattern in deciding}
    few = {name for name, times in rounds().items() if times < 6 and any(matches(name, one) for one in scenarios)}
    assert few == set()


def test_every_metric_that_the_claims_speak_of_is_one_of_its_suite() -> None:
    names = [f"{file.parent.name}:{name}" for file in ROOT.glob("scenarios/*/test_*.py") for name in metrics_in(file)]
    wanted = {f"{pattern.partition('/')[0]}:{pattern.partition(':')[2]}" for pattern in PATTERNS}
    assert sorted(pattern for pattern in wanted if not any(matches(name, pattern) for name in names)) == []


def metrics_in(file: Path) -> Iterator[str]:
    """The names of the metrics that a scenario file defines at its top, by themselves or in a table."""
    spec = spec_from_file_location(f"seed_claims_{file.stem}", file)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    for value in vars(module).values():
        held = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else [value]
        yield from (one.name for one in held if isinstance(one, Metric))
