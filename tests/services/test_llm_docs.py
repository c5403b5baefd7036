"""The page about the provider: what it shows is done here, so that it stays true."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.services.llm.steps import parse_step
from tests.services.llm_process import BOUND, RunningProvider, started

PAGE = (Path(__file__).parents[2] / "docs" / "llm-provider.md").read_text()
SCRIPT, LOG = (json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL))
STEPS = [
    json.loads(text)
    for row in re.findall(r"^\| (`[{\"].*?) \|", PAGE, re.MULTILINE)
    for text in re.findall("`(.*?)`", row)
]
EXAMPLE = re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)[-1]


@pytest.fixture(scope="module")
def provider() -> Iterator[RunningProvider]:
    with started() as running:
        yield running


def test_the_script_is_accepted(provider: RunningProvider) -> None:
    answer = provider.http.put("/script", json=SCRIPT)
    assert answer.json() == {"steps": len(SCRIPT["steps"]), "seed": SCRIPT["seed"]}


def test_the_table_of_steps_is_understood() -> None:
    assert len(STEPS) >= 12
    for step in STEPS:
        parse_step(step, "table")


def test_the_log_looks_as_shown(provider: RunningProvider) -> None:
    provider.http.delete("/calls")
    [shown] = LOG["calls"]
    provider.chat(step=shown["step"], key=shown["key"])
    listed = provider.http.get("/calls").json()
    assert list(listed) == list(LOG)
    [call] = listed["calls"]
    times = {"arrived_ns", "answered_ns", "ended_ns"}
    assert {name: call[name] for name in call.keys() - times} == {name: shown[name] for name in shown.keys() - times}
    assert call.keys() & times == times


@pytest.mark.skipif(shutil.which("curl") is None, reason="the example needs curl")
def test_the_example_does_what_it_says(provider: RunningProvider) -> None:
    provider.http.delete("/calls")
    example = EXAMPLE.replace("8089", str(provider.port))
    done = subprocess.run(
        ["bash", "-euc", example],
        capture_output=True,
        text=True,
        timeout=BOUND,
        check=True,
        env={"PATH": "/usr/bin:/bin"},
    )
    assert "Answer 2 to prompt" in done.stdout
    assert [(call["status"], call["key"], call["attempt"]) for call in provider.calls()] == [
        (503, "order-7", 1),
        (200, "order-7", 2),
    ]


def test_the_example_of_a_mistake_is_the_real_one(provider: RunningProvider) -> None:
    shown = re.search(r"example `(steps\[1\].*?)…`", PAGE)
    assert shown
    message = provider.http.put("/script", json={"steps": ["ok", "sometimes"]}).json()["error"]["message"]
    assert message.startswith(shown[1])
