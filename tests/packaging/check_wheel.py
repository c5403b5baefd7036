"""Install the wheel into an empty environment beside PyPI's ``fixtures`` and use it as a stranger would.

Run by CI as ``python -m tests.packaging.check_wheel``; not a pytest test, because it needs the package index.
Proves that ``harness`` is the only import package of the wheel, that the core stays small, and that a project with
folders called ``fixtures`` and ``scenarios`` of its own works.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
CORE_LIMIT = 40e6
"""Bytes that the installed core may take, dependencies included."""
NOT_OURS = ("pip", "setuptools", "fixtures", "pbr")


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="wheel-") as name:
        folder = Path(name)
        wheel = build(folder)
        check_contents(wheel)
        python = install(folder, wheel)
        check_size(python)
        check_use(folder, python)
    print("the wheel works alone")


def build(folder: Path) -> Path:
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder), cwd=ROOT)
    (wheel,) = folder.glob("pytest_before_after-*.whl")
    return wheel


def check_contents(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.partition("/")[0] for name in archive.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"harness"}, tops


def install(folder: Path, wheel: Path) -> Path:
    """An environment with the wheel and PyPI's ``fixtures``; versions of what the wheel needs are those of the lock."""
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv" / "bin" / "python"
    pins = folder / "pins.txt"
    lines = (ROOT / "requirements" / "report.lock").read_text("utf-8").splitlines()
    pins.write_text("\n".join(line.removesuffix(" \\") for line in lines if line[:1].isalnum()), "utf-8")
    run(
        str(python),
        "-m",
        "pip",
        "install",
        "-q",
        "--disable-pip-version-check",
        "-c",
        str(pins),
        str(wheel),
        "fixtures",
    )
    return python


def check_size(python: Path) -> None:
    (packages,) = python.parents[1].glob("lib/python*/site-packages")
    sizes = {
        top.name: sum(file.stat().st_size for file in [top, *top.rglob("*")] if file.is_file())
        for top in packages.iterdir()
        if not top.name.lower().startswith(NOT_OURS)
    }
    total = sum(sizes.values())
    print(f"core installed: {total / 1e6:.1f} MB in {len(sizes)} entries")
    assert total <= CORE_LIMIT, sorted(sizes.items(), key=lambda item: -item[1])[:10]


def check_use(folder: Path, python: Path) -> None:
    """``harness --help``, ``run`` on a user's own scenario, ``compare``; the project has a ``fixtures/`` of its own."""
    project = folder / "project"
    shutil.copytree(ROOT / "tests" / "tiny", project, ignore=shutil.ignore_patterns("__pycache__"))
    (project / "fixtures").mkdir()
    (project / "fixtures" / "__init__.py").write_text('OWNER = "the user"\n', "utf-8")
    harness = str(python.with_name("harness"))
    assert "Commands:" in run(harness, "--help", cwd=project)
    run(str(python), "-c", "import fixtures; assert hasattr(fixtures, 'TempDir')", cwd=folder)
    told = run(harness, "run", "-k", "work", cwd=project, code=10)
    assert "regressed" in told, told
    latest = project / "reports" / "out" / "latest"
    told = run(
        harness, "compare", str(latest / "before.json"), str(latest / "after.json"), "--gate", cwd=project, code=10
    )
    (verdict,) = (line for line in told.splitlines() if line.startswith("HARNESS-VERDICT"))
    assert json.loads(verdict.partition(" ")[2])["verdicts"] == {"speed/work:latency": "regressed"}


def run(*command: str, cwd: Path | None = None, code: int = 0) -> str:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST"))}
    done = subprocess.run(command, cwd=cwd, env=clean, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == code, f"{command} exited with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


if __name__ == "__main__":
    main()
