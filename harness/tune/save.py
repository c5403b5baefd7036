"""Writes what a search found."""

import json
from pathlib import Path

from harness.files.atomic import not_saved, write_atomically
from harness.tune.picture import draw
from harness.tune.present import Tuning, to_json, to_markdown


def folder_of(reports: Path, name: str) -> Path:
    """Where the results of ``harness tune NAME`` go; those of the last time are replaced. Raises HarnessError (14)."""
    folder = reports / "out" / f"tune-{name}"
    try:
        (folder / "logs").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise not_saved(folder, error) from error
    return folder


def save(tuning: Tuning, folder: Path) -> tuple[Path, ...]:
    """Write picture, document and numbers; returns the files. Raises HarnessError (14)."""
    name = f"tune-{tuning.name}"
    contents = {
        folder / f"{name}.md": to_markdown(tuning, f"{name}.svg"),
        folder / f"{name}.svg": draw(tuning),
        folder / f"{name}.json": json.dumps(to_json(tuning), indent=1, ensure_ascii=False, allow_nan=False) + "\n",
    }
    for path, content in contents.items():
        write_atomically(path, content.encode())
    return tuple(contents)
