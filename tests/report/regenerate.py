"""Writes the golden files anew: ``python -m tests.report.regenerate``. Read the difference before committing."""

from collections.abc import Callable
from pathlib import Path

from harness.report import markdown, terminal
from tests.report import data

FOLDER = Path(__file__).parent / "golden"

GOLDEN: dict[str, Callable[[], str]] = {
    **{
        f"terminal-{width}.txt": lambda width=width: terminal.render(data.view(), width, color=False)
        for width in (60, 80, 120, 200)
    },
    "terminal-color.txt": lambda: terminal.render(data.view(), 120, color=True),
    "terminal-same.txt": lambda: terminal.render(data.same_view(), 100, color=False),
    "report.md": lambda: markdown.render(data.view()),
    "report-same.md": lambda: markdown.render(data.same_view()),
}

if __name__ == "__main__":
    for name, write in GOLDEN.items():
        (FOLDER / name).write_text(write(), encoding="utf-8")
