"""``harness compare`` and ``harness baseline`` on files as users have them."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Harness, environment

BENCHMARK = """
import time

def test_sleep(benchmark):
    benchmark.pedantic(lambda: time.sleep({seconds}), rounds=30)
"""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Files that pytest-benchmark itself wrote: of 1 ms of work, and of ten times as much."""
    files = {}
    for name, seconds in (("fast", 0.001), ("slow", 0.01)):
        folder = tmp_path_factory.mktemp(name)
        (folder / "test_it.py").write_text(BENCHMARK.format(seconds=seconds), "utf-8")
        files[name] = folder / f"{name}.json"
        subprocess.run(
            [
                sys.executable,
                "-m",
                "pytest",
                "-q",
                "-p",
                "no:cacheprovider",
                f"--benchmark-json={files[name]}",
                "test_it.py",
            ],
            cwd=folder,
            env=environment(),
            capture_output=True,
            timeout=120,
            check=True,
        )
    return files


def changed(file: Path, to: Path, change: Any) -> Path:
    """A copy of a JSON file, changed in place by ``change``."""
    document = json.loads(file.read_text("utf-8"))
    change(document)
    to.write_text(json.dumps(document), "utf-8")
    return to


def test_ten_times_slower_in_pytest_benchmark_files_fails_the_gate(harness: Harness, recorded: dict[str, Path]) -> None:
    done = harness("compare", str(recorded["fast"]), str(recorded["slow"]), "--gate")
    assert done.returncode == 10, done.stdout + done.stderr
    assert "regressed" in done.stdout
    assert "measured in different sessions" in done.stdout
    assert harness("compare", str(recorded["fast"]), str(recorded["slow"])).returncode == 0


def test_too_few_values_to_call_anything_are_no_pass(
    harness: Harness, recorded: dict[str, Path], tmp_path: Path
) -> None:
    def shorten(document: dict[str, Any]) -> None:
        del document["benchmarks"][0]["stats"]["data"][3:]

    files = [changed(recorded[name], tmp_path / f"{name}.json", shorten) for name in ("fast", "slow")]
    done = harness("compare", *map(str, files), "--gate")
    assert done.returncode == 13, done.stdout + done.stderr
    assert "3 rounds cannot show any change" in " ".join(done.stdout.split())


def test_the_same_file_twice_passes(harness: Harness, recorded: dict[str, Path]) -> None:
    done = harness("compare", str(recorded["fast"]), str(recorded["fast"]), "--gate")
    assert done.returncode == 0, done.stdout + done.stderr


def test_faster_is_not_a_failure(harness: Harness, recorded: dict[str, Path]) -> None:
    done = harness("compare", str(recorded["slow"]), str(recorded["fast"]), "--gate", "--strict")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "improved" in done.stdout


def test_a_truncated_file_is_one_clear_line(harness: Harness, recorded: dict[str, Path], tmp_path: Path) -> None:
    broken = tmp_path / "broken.json"
    broken.write_bytes(recorded["slow"].read_bytes()[:1500])
    done = harness("compare", str(recorded["fast"]), str(broken), "--gate")
    assert done.returncode == 13
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"harness: {broken}")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.001, 0, True, "0.001", 10**400, None])
def test_impossible_values_are_refused(harness: Harness, recorded: dict[str, Path], tmp_path: Path, value: Any) -> None:
    def spoil(document: dict[str, Any]) -> None:
        document["benchmarks"][0]["stats"]["data"][3] = value

    file = changed(recorded["slow"], tmp_path / "spoilt.json", spoil)
    done = harness("compare", str(recorded["fast"]), str(file), "--gate")
    assert done.returncode == 13, done.stdout + done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_another_machine_is_incomparable(harness: Harness, recorded: dict[str, Path], tmp_path: Path) -> None:
    def move(document: dict[str, Any]) -> None:
        document["machine_info"]["cpu"]["brand_raw"] = "Another Processor"

    file = changed(recorded["fast"], tmp_path / "moved.json", move)
    done = harness("compare", str(recorded["slow"]), str(file), "--gate")
    assert done.returncode == 13, done.stdout + done.stderr
    assert "incomparable" in done.stdout
    assert "Another Processor" in done.stdout


def test_a_renamed_benchmark_is_missing(harness: Harness, recorded: dict[str, Path], tmp_path: Path) -> None:
    def rename(document: dict[str, Any]) -> None:
        document["benchmarks"][0]["fullname"] = "test_it.py::test_renamed"

    file = changed(recorded["fast"], tmp_path / "renamed.json", rename)
    done = harness("compare", str(recorded["fast"]), str(file), "--gate")
    assert done.returncode == 13, done.stdout + done.stderr
    assert "compared 0 of 2" in done.stdout


@pytest.mark.parametrize("form", ["markdown", "html"])
def test_other_formats(harness: Harness, recorded: dict[str, Path], form: str) -> None:
    done = harness("compare", str(recorded["fast"]), str(recorded["slow"]), "--format", form)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "test_sleep" in done.stdout


def test_a_baseline_is_kept_shown_compared_with_and_removed(harness: Harness, tiny: Path) -> None:
    assert harness("run", "-k", "work", "--no-gate").returncode == 0
    saved = harness("baseline", "save", "main")
    assert (saved.returncode, saved.stdout.strip()) == (0, str(tiny / "reports" / "baselines" / "main.json"))
    assert harness("baseline", "save", "main").returncode != 0
    assert harness("baseline", "save", "main", "--replace").returncode == 0
    assert harness("baseline", "list").stdout.startswith("main  after")
    assert "speed/work:latency  24 values" in harness("baseline", "show", "main").stdout
    done = harness("compare", "main", str(tiny / "reports" / "out" / "latest" / "after.json"), "--gate", "--strict")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "unchanged" in done.stdout
    assert harness("baseline", "remove", "main").returncode == 0
    gone = harness("compare", "main", str(tiny / "reports" / "out" / "latest" / "after.json"), "--gate")
    assert gone.returncode == 13
    assert len(gone.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("pyproject.toml", "[tool.harness", "pyproject.toml: not valid TOML"),
        ("harness.toml", "[system", "harness.toml: not valid TOML"),
        ("pyproject.toml", '[tool.harness]\nsystem = "gone.toml"', "gone.toml: cannot be read"),
    ],
)
def test_a_broken_configuration_is_not_taken_for_none(
    recorded: dict[str, Path], tmp_path: Path, name: str, text: str, told: str
) -> None:
    (tmp_path / name).write_text(text, "utf-8")
    command = [sys.executable, "-m", "harness", "compare", str(recorded["fast"]), str(recorded["fast"]), "--gate"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (4, ""), done.stdout + done.stderr
    assert told in done.stderr
