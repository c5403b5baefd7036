"""``harness compare`` of large files: two processes print what one prints, and refuse what one refuses."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from harness import both
from harness.cli import compare
from harness.cli import main as harness
from harness.files.runfile import write_run
from harness.model import SIDES, Metric, Run, Sample, Variant

Printed = tuple[str, str, object]
"""Output, errors and exit code."""


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Two runs of a session with several metrics, one of them slower, in a folder without a project."""
    monkeypatch.chdir(tmp_path)
    generator = random.Random(5)
    for side in SIDES:
        factors = (1.0, 1.3 if side == "after" else 1.0, 1.0)
        samples = tuple(
            Sample(
                f"s/{number}",
                Metric("time", "s"),
                tuple(factor * generator.lognormvariate(0, 0.05) for _ in range(4000)),
                tuple(index // 100 for index in range(4000)),
                tuple(index % 100 for index in range(4000)),
            )
            for number, factor in enumerate(factors)
        )
        write_run(Run("x", Variant(side, side), "2026-01-01", 1, 40, "complete", samples), tmp_path / f"{side}.json")
    return [f"{side}.json" for side in SIDES]


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., list[Printed]]:
    """What a comparison prints by one process and by two."""

    def call(*arguments: str, processes: int) -> Printed:
        monkeypatch.setattr(compare, "_LARGE", 0 if processes == 2 else 10**9)
        monkeypatch.setattr(both, "_possible", lambda: True)
        monkeypatch.setattr("sys.argv", ["harness", "compare", *arguments])
        with pytest.raises(SystemExit) as ended:
            harness()
        captured = capsys.readouterr()
        return captured.out, captured.err, ended.value.code

    return lambda *arguments: [call(*arguments, processes=processes) for processes in (1, 2)]


@pytest.mark.parametrize("form", ["terminal", "markdown", "html"])
def test_the_same_is_printed(files: list[str], printed: Callable[..., list[Printed]], form: str) -> None:
    one, two = printed(*files, "--gate", "--format", form)
    assert one == two
    assert one[2] == 10


@pytest.mark.parametrize("broken", SIDES)
def test_the_same_is_refused(files: list[str], printed: Callable[..., list[Printed]], broken: str) -> None:
    path = Path(f"{broken}.json")
    path.write_bytes(path.read_bytes().replace(b"2026", b"2027"))
    one, two = printed(*files)
    assert one == two
    assert one[1:] == (
        f"harness: {broken}.json: the content hash differs: the file was changed after it was written\n",
        15,
    )
