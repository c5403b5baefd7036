"""A secret in the configuration is in none of the files that a session leaves."""

import base64
from pathlib import Path
from urllib.parse import quote

from tests.e2e.conftest import Harness

CANARY = "canary/8a!f3=51"


def test_no_artefact_holds_the_secret(harness: Harness, tiny: Path) -> None:
    file = tiny / "harness.toml"
    text = file.read_text("utf-8").replace("WORK = 0.002,", f'WORK = 0.002, DB_PASSWORD = "{CANARY}",')
    file.write_text(text, "utf-8")
    scenario = tiny / "scenarios" / "speed" / "test_speed.py"
    scenario.write_text(scenario.read_text("utf-8") + FAILING, "utf-8")
    done = harness("run", "--rounds", "2", "--no-gate")
    assert done.returncode == 1, done.stdout + done.stderr
    forms = [CANARY, quote(CANARY, safe=""), base64.b64encode(CANARY.encode()).decode()]
    folder = tiny / "reports" / "out" / "latest"
    artefacts = [path for path in folder.iterdir() if path.is_file()]
    assert len(artefacts) == 5
    for path in artefacts:
        content = path.read_text("utf-8")
        assert not [form for form in forms if form in content], path


FAILING = """

@pytest.mark.scenario
def test_leaks(turn: Turn) -> None:
    password = turn.service("backend").settings["DB_PASSWORD"]
    raise RuntimeError(f"cannot log in with password={password}")
"""
