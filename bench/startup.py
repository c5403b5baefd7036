"""What it costs to have the harness installed, and to ask it for help.

    python -m bench.startup [--rounds N]

Whole processes, all kinds once a round in drawn order. The plugin is compared with blocking it, as by
``-p no:harness.plugin``, and with pytest-benchmark's; every other installed plugin is blocked in all of them.
Differences and ratios are taken within a round. Processes are counted by audit hook.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import entry_points
from pathlib import Path

from bench.machine import describe
from bench.processes import Usage, interleaved, spread, use

_PLUGINS = {"no plugin": "", "harness": "harness.plugin", "pytest-benchmark": "benchmark"}
_ACTIONS = {"pytest --help": ("--help",), "one empty test": ("test_empty.py",)}
_COUNTING = """
import sys
starts = {"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.system"}
seen = []
sys.addaudithook(lambda event, _: seen.append(event) if event in starts else None)
import pytest
pytest.main(sys.argv[1:])
print("\\nstarted", seen.count("subprocess.Popen") or len(seen))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=21)
    rounds = parser.parse_args().rounds
    print(describe())
    print(f"n = {rounds} rounds; milliseconds: median [quartiles]\n")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "test_empty.py").write_text("def test_empty():\n    pass\n")
        (folder / "pytest.ini").write_text("[pytest]\n")
        for action, arguments in _ACTIONS.items():
            _plugins(action, arguments, folder, rounds)
        _help(folder, rounds)


def _plugins(action: str, arguments: Sequence[str], folder: Path, rounds: int) -> None:
    commands = {name: [*_only(plugin), *arguments] for name, plugin in _PLUGINS.items()}
    usages = interleaved(
        {name: [sys.executable, "-m", "pytest", *command] for name, command in commands.items()}, folder, rounds, use
    )
    print(f"{action:18} {'whole process':>24} {'plugin adds':>22} {'ratio':>20}  processes started")
    for name, command in commands.items():
        print(f"  {name:16} {_versus(usages[name], usages['no plugin'])}  {_started(command, folder):>6}")


def _only(plugin: str) -> list[str]:
    installed = {entry.name for entry in entry_points(group="pytest11")}
    blocked = (f"-pno:{name}" for name in sorted(installed - {plugin}))
    return [*blocked, "-pno:cacheprovider", "-q"]


def _versus(usages: Sequence[Usage], base: Sequence[Usage]) -> str:
    pairs = [(usage.seconds, other.seconds) for usage, other in zip(usages, base, strict=True)]
    whole = spread([1e3 * seconds for seconds, _ in pairs])
    if usages is base:
        return f"{whole:>24} {'':>22} {'':>20}"
    added = spread([1e3 * (seconds - other) for seconds, other in pairs])
    ratio = spread([seconds / other for seconds, other in pairs], ".3f")
    return f"{whole:>24} {added:>22} {ratio:>20}"


def _started(arguments: Sequence[str], folder: Path) -> int:
    done = subprocess.run(
        [sys.executable, "-c", _COUNTING, *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return int(done.stdout.rpartition("started")[2])


def _help(folder: Path, rounds: int) -> None:
    script = Path(sys.executable).with_name("harness")
    commands = {"python -c pass": [sys.executable, "-c", "pass"], "harness --help": [str(script), "--help"]}
    usages = interleaved(commands, folder, rounds, use)
    print("command line")
    for name in commands:
        print(f"  {name:16} {_versus(usages[name], usages['python -c pass'])}")


if __name__ == "__main__":
    main()
