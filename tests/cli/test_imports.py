"""What is loaded by whoever only has the harness installed, or asks it for help: next to nothing, and no process."""

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {
    "chdb",
    "clickhouse_connect",
    "docker",
    "jinja2",
    "locust",
    "numpy",
    "psutil",
    "pydantic",
    "rich",
}

PROGRAM = """
import sys
starts = []
watched = ("subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.system")
sys.addaudithook(lambda event, _: starts.append(event) if event in watched else None)
{action}
print("\\nMODULES", *sorted(sys.modules))
print("STARTS", *starts)
"""

HELP = """
from harness.cli import main
sys.argv = ["harness", "--help"]
try:
    main()
except SystemExit as end:
    assert end.code == 0, end.code
"""

PYTEST = """
import pytest
code = pytest.main({arguments!r})
assert code == 0, code
"""


def loaded(action: str, folder: Path) -> tuple[set[str], list[str]]:
    """The modules loaded and processes started by ``action`` in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(action=action)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    modules, starts = done.stdout.rpartition("\nMODULES ")[2].split("\nSTARTS")
    return set(modules.split()), starts.split()


def heavy(modules: set[str]) -> set[str]:
    return HEAVY & {module.partition(".")[0] for module in modules}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_empty.py").write_text("def test_empty():\n    pass\n")
    return tmp_path


def plain_pytest(folder: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[set[str], list[str]]:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # what other installed plugins load is not ours
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    action = PYTEST.format(arguments=["-q", "-p", "no:cacheprovider", *arguments, "test_empty.py"])
    return loaded(action, folder)


def test_asking_for_help_loads_nothing_heavy_and_starts_nothing(tmp_path: Path) -> None:
    modules, starts = loaded(HELP, tmp_path)
    assert "harness.cli" in modules
    assert heavy(modules) == set()
    assert starts == []


def test_the_plugin_adds_only_itself_to_a_plain_pytest_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without, _ = plain_pytest(folder, monkeypatch)
    with_plugin, starts = plain_pytest(folder, monkeypatch, "-p", "harness.plugin")
    assert with_plugin - without == {"harness", "harness.plugin"}
    assert starts == []


def test_the_names_of_the_heavy_are_found_where_they_are_loaded(tmp_path: Path) -> None:
    modules, _ = loaded("import harness.cli.compare, harness.configuration.load", tmp_path)
    assert heavy(modules) >= {"pydantic", "rich"}


def test_comparing_files_without_a_project_loads_nothing_that_checks_one(tmp_path: Path) -> None:
    modules, _ = loaded("import harness.cli.compare", tmp_path)
    assert "pydantic" not in heavy(modules)
