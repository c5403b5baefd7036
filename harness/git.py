"""Questions to git, for whoever may start processes."""

import subprocess
from pathlib import Path

_NOT_RUN = 127
_TIMEOUT = 10.0


def ask(folder: Path, *arguments: str) -> tuple[int, str]:
    """The exit code and output of ``git -C folder arguments``; 127 and nothing when git cannot run or takes 10 s."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=_TIMEOUT, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return _NOT_RUN, ""
    return done.returncode, done.stdout.strip()


def commit_of(folder: Path) -> str:
    """The commit checked out around ``folder``, marked when files differ from it; "none" outside a repository."""
    code, head = ask(folder, "rev-parse", "--short=12", "HEAD")
    if code != 0:
        return "none"
    return f"{head} with changes" if ask(folder, "status", "--porcelain")[1] else head


def is_ancestor(folder: Path, commit: str) -> bool | None:
    """Whether ``commit`` is HEAD of ``folder`` or one before it; None when a shallow clone cannot tell."""
    code, _ = ask(folder, "merge-base", "--is-ancestor", f"{commit}^{{commit}}", "HEAD")
    if code == 0:
        return True
    return None if ask(folder, "rev-parse", "--is-shallow-repository")[1] == "true" else False
