"""A secret of the configuration is in none of the files of a session, and what a service prints does no harm."""

import base64
import re
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


SAYS = """
import sys
for stream in (sys.stdout, sys.stderr):
    print("\\x1b]0;pwned\\x07", "\\x9b31m", file=stream)
    print("::error file=a.py::pwned\\r::warning::pwned", file=stream)
    print("##[error]pwned", "\\u2028::error::pwned", file=stream)
    print("cannot log in with password=hunter2", file=stream, flush=True)
sys.exit(3)
"""


def test_what_a_service_prints_does_nothing_to_a_terminal_or_a_build_log(harness: Harness, tiny: Path) -> None:
    (tiny / "service.py").write_text(SAYS, "utf-8")
    done = harness("run", "--rounds", "1")
    assert done.returncode == 12
    assert done.stderr.count("backend exited with code 3") == 1
    assert done.stdout.count("backend exited with code 3") >= 1
    for told in (done.stdout, done.stderr):
        assert "pwned" in told  # it is shown
        assert [c for c in told if not c.isprintable() and c not in "\n\r"] == []
        assert re.findall(r"(?m)^\s*(?:::|##\[)", told.replace("\r", "\n")) == []
        assert "hunter2" not in told
        assert "cannot log in with password=•••" in told
