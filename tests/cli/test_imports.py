"""What is imported when nothing is measured: nothing heavy, and in a plain pytest run nothing but the plugin."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import environment

HEAVY = {"pydantic", "rich", "jinja2", "numpy", "psutil", "docker", "clickhouse_connect", "locust", "chdb", "urllib3"}
LIST = "import sys; print(' '.join(sys.modules), file=sys.stderr)"


def modules_after(code: str, folder: Path) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{LIST}"],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["run", "--help"]])
def test_help_imports_nothing_heavy(tmp_path: Path, arguments: list[str]) -> None:
    code = f"""
import sys
sys.argv = ["harness", *{arguments!r}]
from harness.cli import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
"""
    light = HEAVY if "run" not in arguments else HEAVY - {"pydantic"}  # its options name the configuration
    assert not light & modules_after(code, tmp_path)


def test_an_idle_plugin_adds_nothing_but_itself(tmp_path: Path) -> None:
    (tmp_path / "test_empty.py").write_text("def test_empty():\n    pass\n", "utf-8")
    others = ["-p", "no:benchmark", "-p", "no:xdist", "-p", "no:cacheprovider"]
    code = "import pytest\nassert pytest.main(['-q', *{}]) == 0"
    with_plugin = modules_after(code.format(others), tmp_path)
    without = modules_after(code.format([*others, "-p", "no:harness.plugin"]), tmp_path)
    assert with_plugin - without <= {"harness", "harness.plugin"}
    assert "harness.plugin" in with_plugin


def test_an_idle_plugin_starts_no_process(tmp_path: Path) -> None:
    (tmp_path / "test_empty.py").write_text("def test_empty():\n    pass\n", "utf-8")
    code = """
import sys
import pytest
started = []
sys.addaudithook(lambda event, args: started.append(args) if event in ("subprocess.Popen", "os.fork", "os.exec", "os.posix_spawn") else None)
assert pytest.main(["-q", "-p", "no:benchmark", "-p", "no:xdist", "-p", "no:cacheprovider"]) == 0
assert not started, started
"""  # noqa: E501
    modules_after(code, tmp_path)
