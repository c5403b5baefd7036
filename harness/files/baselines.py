"""Baselines: run files kept under a name, in a folder that is under version control."""

import re
from pathlib import Path

from harness.errors import ExitCode, HarnessError
from harness.files.atomic import not_saved, sweep_temporaries, write_atomically
from harness.files.runfile import read_run, run_bytes
from harness.files.strict_json import shown
from harness.model import Run, is_self_test

LATEST = "latest"
"""Means the newest baseline before a commit, and is no baseline's name."""

_NAME = re.compile(r"[a-z0-9]([a-z0-9._-]{0,78}[a-z0-9])?")
_SUFFIX = ".json"


def save(folder: Path, name: str, run: Run, *, replace: bool = False) -> Path:
    """Keep ``run`` as the baseline ``name`` and return its path.

    Raises HarnessError: 4 for a name that is not allowed, or taken without ``replace``; 13 for a run that is not
    complete, has failures or no values; 14 when it cannot be saved.
    """
    path = _path(folder, name)
    if name == LATEST:
        raise HarnessError(f"baseline name: {LATEST} means the newest one, choose another", ExitCode.USAGE)
    _check_worthy(name, run)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        sweep_temporaries(folder)
    except OSError as error:
        raise not_saved(path, error) from error
    try:
        write_atomically(path, run_bytes(run), overwrite=replace)
    except FileExistsError:
        raise HarnessError(
            f"{shown(path)}: this baseline exists already; replace it explicitly", ExitCode.USAGE
        ) from None
    return path


def load_baseline(folder: Path, name: str) -> Run:
    """The baseline ``name``. Raises HarnessError: 4, 13 or 15. A broken one is never replaced by another."""
    path = _path(folder, name)
    if path.is_symlink():
        raise HarnessError(f"{shown(path)}: found a symbolic link, allowed: a regular file", ExitCode.BASELINE)
    if not path.exists():
        raise HarnessError(f"{shown(path)}: no such baseline; {_known(folder)}", ExitCode.BASELINE)
    return read_run(path)


def list_baselines(folder: Path) -> tuple[str, ...]:
    """The names of the baselines in ``folder``, sorted; none when there is no such folder."""
    if not folder.is_dir():
        return ()
    names = (path.name.removesuffix(_SUFFIX) for path in folder.iterdir() if path.name.endswith(_SUFFIX))
    return tuple(sorted(name for name in names if _NAME.fullmatch(name)))


def remove(folder: Path, name: str) -> None:
    """Remove the baseline ``name``. Raises HarnessError: 4, 13 when there is none, 14 when it cannot be removed."""
    path = _path(folder, name)
    try:
        path.unlink()
    except (FileNotFoundError, NotADirectoryError):
        raise HarnessError(f"{shown(path)}: no such baseline; {_known(folder)}", ExitCode.BASELINE) from None
    except OSError as error:
        raise not_saved(path, error) from error


def _path(folder: Path, name: str) -> Path:
    if not _NAME.fullmatch(name):
        allowed = "1-80 of a-z 0-9 . _ -, starting and ending with a letter or digit"
        raise HarnessError(f'baseline name: found "{shown(name)}", allowed: {allowed}', ExitCode.USAGE)
    return folder / f"{name}{_SUFFIX}"


def _check_worthy(name: str, run: Run) -> None:
    reason = ""
    if run.state != "complete":
        reason = f"the run is {run.state}"
    elif run.failures:
        first = run.failures[0]
        reason = (
            f"the run has {len(run.failures)} failures, the first in {shown(first.scenario)}: {shown(first.message)}"
        )
    elif is_self_test(run):
        reason = "the run was slowed down on purpose"
    elif not run.samples:
        reason = "the run has no values"
    if reason:
        raise HarnessError(
            f"baseline {name} not saved: {reason}; allowed: a complete run without failures", ExitCode.BASELINE
        )


def _known(folder: Path) -> str:
    names = list_baselines(folder)
    return f"there are: {', '.join(names)}" if names else "there is none yet"
