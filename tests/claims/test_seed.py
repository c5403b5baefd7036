"""The seed report's claims speak of scenarios that there are: a renamed one would leave its claims unmeasured."""

import subprocess
import sys
from pathlib import Path

from harness.claims.file import read_claims
from harness.patterns import matches

ROOT = Path(__file__).parents[2]


def test_every_scenario_that_the_claims_speak_of_exists() -> None:
    listed = subprocess.run(
        [sys.executable, "-m", "harness", "list"], cwd=ROOT, capture_output=True, text=True, timeout=120, check=True
    ).stdout
    names = [line.split("  ")[0] for line in listed.splitlines()]
    patterns = {
        pattern.partition(":")[0]
        for claim in read_claims(ROOT / "docs" / "seed-claims.toml").claim
        for pattern in (*claim.cost, *(name for check in claim.checks for name in (check.metric, check.than) if name))
    }
    assert sorted(pattern for pattern in patterns if not any(matches(name, pattern) for name in names)) == []
