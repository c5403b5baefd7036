"""The documentation does what it says: its files are written, its commands are run."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("fixtures/*/*.md")])
_BLOCK = re.compile(r"^```(\w+)(?: file=(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")


@dataclass(frozen=True)
class Block:
    language: str
    file: str
    text: str


def blocks(page: Path) -> list[Block]:
    return [Block(*groups) for groups in _BLOCK.findall(page.read_text("utf-8"))]


def test_add_a_scenario_works_as_written(tmp_path: Path) -> None:
    outputs = []
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "CI"))}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    for block in blocks(ROOT / "docs" / "add-a-scenario.md"):
        if block.file:
            (tmp_path / block.file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / block.file).write_text(block.text, "utf-8")
        if block.language == "console":
            for line in block.text.splitlines():
                command, _, code = line.removeprefix("$ ").partition("  # exits with ")
                done = subprocess.run(
                    command.split(),
                    cwd=tmp_path,
                    env=environment,
                    capture_output=True,
                    text=True,
                    timeout=300,
                    check=False,
                )
                assert done.returncode == int(code or 0), f"{command}\n{done.stdout}\n{done.stderr}"
                outputs.append(done.stdout)
    listed, first, same, compared, exchanged = outputs
    assert "lookup/known_item" in listed
    assert re.search(r'"lookup/known_item:latency": "improved"', first)
    assert re.search(r'"lookup/known_item:latency": "(unchanged|inconclusive)"', same)
    assert re.search(r'"lookup/known_item:latency": "(unchanged|inconclusive)"', compared)
    assert re.search(r'"lookup/known_item:latency": "regressed"', exchanged)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    missing = [link for link in _LINK.findall(page.read_text("utf-8")) if not (page.parent / link).exists()]
    assert missing == []


def test_the_commands_of_the_readme_exist() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    commands = {line.split()[1] for line in readme.splitlines() if line.startswith("    harness ")}
    assert commands == {"run", "selftest", "compare", "report", "baseline", "history", "tune", "claims", "list", "doctor"}
    options = set(
        re.findall(r"--[a-z]+", "".join(line for line in readme.splitlines() if line.startswith("    harness ")))
    )
    for command in commands:
        help_text = subprocess.run(
            [sys.executable, "-m", "harness", command, "--help"], capture_output=True, text=True, timeout=60, check=True
        ).stdout
        options -= set(re.findall(r"--[a-z]+", help_text))
    assert options == set()
    targets = set(re.findall(r"^    make (\w+)", readme, re.MULTILINE))
    assert targets == {"report", "test"}
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)


def test_exit_codes_are_documented() -> None:
    from harness.errors import ExitCode

    readme = (ROOT / "README.md").read_text("utf-8")
    assert all(f"| {int(code)} |" in readme for code in ExitCode if code >= 10)
