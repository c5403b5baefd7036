"""Session folders: where one session keeps its journal, run files and reports."""

import re
import secrets
from datetime import UTC, datetime
from pathlib import Path

from harness.errors import ExitCode, HarnessError
from harness.files.atomic import not_saved, sweep_temporaries, temporary_beside
from harness.files.strict_json import shown

LATEST = "latest"
_NAME = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{8}")


def new_session_folder(out: Path) -> Path:
    """Create ``out/<UTC yyyymmddThhmmssZ>-<8 hex digits>`` and point ``out/latest`` to it.

    The name needs no lock and no counter: two sessions of the same second differ in the random part.
    Raises HarnessError (14).
    """
    name = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
    folder = out / name
    try:
        out.mkdir(parents=True, exist_ok=True)
        sweep_temporaries(out)
        folder.mkdir()
        link = temporary_beside(out / LATEST)
        link.symlink_to(name)
        try:
            link.replace(out / LATEST)
        finally:
            link.unlink(missing_ok=True)
    except OSError as error:
        raise not_saved(folder, error) from error
    return folder


def find_session(out: Path, name: str = LATEST) -> Path:
    """The folder of the session ``name``, or of the newest one started.

    Raises HarnessError: 4 when ``name`` cannot be a session, 13 when there is none.
    """
    if name != LATEST and not _NAME.fullmatch(name):
        allowed = f"{LATEST}, or a name such as 20260131T235959Z-0123abcd"
        raise HarnessError(f'session: found "{shown(name)}", allowed: {allowed}', ExitCode.USAGE)
    folder = out / name
    if not folder.is_dir():
        raise HarnessError(f"{shown(out)}: no session {name} here; {_known(out)}", ExitCode.BASELINE)
    return folder.resolve()


def list_sessions(out: Path) -> tuple[str, ...]:
    """The names of the sessions in ``out``, oldest first; none when there is no such folder."""
    return tuple(sorted(path.name for path in out.iterdir() if _NAME.fullmatch(path.name))) if out.is_dir() else ()


def _known(out: Path) -> str:
    names = list_sessions(out)
    return f"there are {len(names)}, the newest is {names[-1]}" if names else "there is none yet"
