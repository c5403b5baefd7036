"""Questions to git, for whoever may start processes."""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_NOT_RUN = 127
_TIMEOUT = 10.0
_QUIET = ("-c", "core.fsmonitor=", "-c", f"core.hooksPath={os.devnull}")
"""No hook and no file system monitor (which would stay behind) is started, whatever the user's configuration says."""
_ELSEWHERE = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_COMMON_DIR",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_PREFIX",
    "GIT_NAMESPACE",
    "GIT_SHALLOW_FILE",
    "GIT_GRAFT_FILE",
)
"""Variables that speak of another repository than the one asked about: a harness that git runs as a hook has them."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What git said."""

    code: int
    output: bytes = b""
    complaint: str = ""
    """The first line of what it wrote about its failure or a doubt, without ``fatal:``."""

    @property
    def text(self) -> str:
        """The output as text; what is no UTF-8 as surrogates, as in the names of files."""
        return os.fsdecode(self.output)


def call(
    folder: Path,
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    data: bytes = b"",
    within: float = _TIMEOUT,
) -> Answer:
    """What ``git -C folder arguments`` says; code 127 when git cannot run or takes more than ``within`` seconds.

    It takes no lock and does not refresh the index, so the repository stays as it is to the byte. ``environment`` comes
    on top of the caller's own, ``data`` is git's standard input.
    """
    own = {name: value for name, value in os.environ.items() if name not in _ELSEWHERE}
    own |= {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "GIT_NO_LAZY_FETCH": "1", "LC_ALL": "C"}
    try:
        done = subprocess.run(
            ["git", *_QUIET, "-C", str(folder), *arguments],
            env=own | dict(environment or {}),
            input=data,
            capture_output=True,
            timeout=within,
            check=False,
        )
    except FileNotFoundError:
        return Answer(_NOT_RUN, complaint="git is not installed")
    except OSError as error:
        return Answer(_NOT_RUN, complaint=f"git cannot be started: {error.strerror}")
    except subprocess.TimeoutExpired:
        return Answer(_NOT_RUN, complaint=f"git took more than {within:g} s")
    said = done.stderr.decode("utf-8", "replace").strip().partition("\n")[0]
    return Answer(done.returncode, done.stdout, said.removeprefix("fatal: ").removeprefix("error: "))


def ask(folder: Path, *arguments: str) -> tuple[int, str]:
    """The exit code and output of ``git -C folder arguments``; 127 and nothing when git cannot run or takes 10 s."""
    answer = call(folder, *arguments)
    return answer.code, answer.text.strip()


def commit_of(folder: Path) -> str:
    """The commit checked out around ``folder``, marked when files differ from it; "none" outside a repository."""
    code, head = ask(folder, "rev-parse", "--short=12", "HEAD")
    if code != 0:
        return "none"
    return f"{head} with changes" if has_changes(folder) else head


def has_changes(folder: Path, but: Path | None = None) -> bool:
    """Whether files around ``folder`` differ from the commit checked out or are not in it, those in ``but`` aside."""
    paths = ("--", ":(top)", f":(exclude,literal){but}") if but is not None else ()
    return bool(ask(folder, "status", "--porcelain", *paths)[1])


def is_ancestor(folder: Path, commit: str) -> bool | None:
    """Whether ``commit`` is HEAD of ``folder`` or one before it; None when a shallow clone cannot tell."""
    code, _ = ask(folder, "merge-base", "--is-ancestor", f"{commit}^{{commit}}", "HEAD")
    if code == 0:
        return True
    return None if is_shallow(folder) else False


def is_shallow(folder: Path) -> bool:
    """Whether the history of the repository around ``folder`` was cut off when it was cloned."""
    return ask(folder, "rev-parse", "--is-shallow-repository")[1] == "true"
