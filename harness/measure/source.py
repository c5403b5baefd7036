"""The source of a commit as files: read from the repository's objects alone, nothing of it touched, nothing of it run.

Git writes the files with a repository of our own that borrows the objects: neither the index, hooks, configuration and
attributes of the user's repository nor the user's own configuration have any say. So the bytes are those of the commit:
no line ending is converted, no ``export-ignore`` is left out, and no filter driver is run.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from os import devnull, fsdecode
from pathlib import Path, PurePosixPath

from harness import git
from harness.errors import ExitCode, HarnessError

_ALONE = {
    "GIT_CONFIG_GLOBAL": devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_COUNT": "0",
    "GIT_CONFIG_PARAMETERS": "",
    "GIT_ATTR_NOSYSTEM": "1",
}
_EXACT = {"GIT_NO_REPLACE_OBJECTS": "1"}
"""A commit is what its hash says, not what refs/replace puts in its place."""
_NO_CONVERSION = "* -text -ident !eol !filter !working-tree-encoding\n"
_LONG = 300.0
"""Seconds that reading or writing all of a commit may take."""
_LFS_POINTER = b"version https://git-lfs.github.com/spec/"
_LFS_LARGEST = 1024
"""Bytes of a pointer of git-lfs at most, by its specification."""
_NAMED = 3
"""So many paths are named in a message."""


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit of a repository."""

    repository: Path
    """The top folder of the working tree."""
    ref: str
    """What it was asked for as."""
    hash: str
    tree: str
    """The hash of all its files."""

    @property
    def short(self) -> str:
        """The first 12 digits of the hash."""
        return self.hash[:12]

    def __str__(self) -> str:
        return f"git:{self.ref:.80} (commit {self.short})"


def repository_of(folder: Path) -> Path:
    """The top folder of the repository around ``folder``. Raises HarnessError (4) when git finds none."""
    answer = git.call(folder, "rev-parse", "--show-toplevel")
    if answer.code != 0:
        raise _refused(f"{folder} is in no git repository with a working tree: {answer.complaint}")
    return Path(answer.text.removesuffix("\n")).resolve()


def resolve(repository: Path, ref: str) -> Commit:
    """The commit that ``ref`` means: a branch, a tag, a hash, HEAD~2. Raises HarnessError (4) when it means none."""
    if not ref or ref.startswith("-") or not ref.isprintable():
        raise _refused(f"git:{ascii(ref)[1:-1]:.80} is no ref; allowed are a branch, a tag, a hash, HEAD~2")
    asked = ("-c", "core.warnAmbiguousRefs=true", "rev-parse", "--verify", f"{ref}^{{commit}}")
    found = git.call(repository, *asked, environment=_EXACT)
    if found.code != 0:
        cut = "; this clone is shallow, git fetch --unshallow gets the rest" if git.is_shallow(repository) else ""
        raise _refused(f"git:{ref:.80}: no such commit in {repository}: {found.complaint}{cut}")
    if "ambiguous" in found.complaint:
        raise _refused(f"git:{ref:.80}: {found.complaint.removeprefix('warning: ')} say refs/heads/… or refs/tags/…")
    hash_ = found.text.strip()
    tree = _answer(repository, ref, "rev-parse", "--verify", f"{hash_}^{{tree}}").decode().strip()
    return Commit(repository, ref, hash_, tree)


def tree_of(commit: Commit, path: PurePosixPath) -> str:
    """The hash of the files of the folder ``path`` (of the repository) in ``commit``, by which what is made of them can
    be kept. Raises HarnessError (4) when there is no such folder at that commit."""
    if not path.parts:
        return commit.tree
    where = ("ls-tree", "-z", "--full-tree", commit.tree, "--", str(path))
    listed = _answer(commit.repository, commit.ref, "--literal-pathspecs", *where)
    entries = [entry.split(b"\t")[0].split() for entry in listed.split(b"\0") if entry]
    if not entries:
        raise _refused(f"{commit}: {path} does not exist there")
    _, kind, tree = entries[0]
    if kind != b"tree":
        raise _refused(f"{commit}: {path} is no folder there")
    return tree.decode()


def check(commit: Commit) -> None:
    """Raise HarnessError (4) when ``commit`` has submodules or files of git-lfs: an export lacks what is in them."""
    entries = list(_entries(commit))
    modules = [path for mode, _, _, path in entries if mode == b"160000"]
    if modules:
        raise _refused(f"{commit}: submodules are not supported, it has {_named(modules)}")
    attributes = [hash_ for _, hash_, _, path in entries if path.rpartition(b"/")[2] == b".gitattributes"]
    if not any(b"filter=lfs" in text for text in _contents(commit, attributes)):
        return
    small = [(hash_, path) for mode, hash_, size, path in entries if mode != b"120000" and size <= _LFS_LARGEST]
    texts = _contents(commit, [hash_ for hash_, _ in small])
    pointers = [path for (_, path), text in zip(small, texts, strict=True) if text.startswith(_LFS_POINTER)]
    if pointers:
        raise _refused(f"{commit}: git-lfs is not supported, it has {_named(pointers)}")


def export(commit: Commit, folder: Path, mark: Mapping[str, str] | None = None) -> None:
    """Write the files of ``commit``, exactly those, into ``folder``, which must not exist yet.

    ``mark`` is in the environment of git while it writes. Raises HarnessError (12) when they cannot be written.
    """
    answer = git.call(commit.repository, "rev-parse", "--git-path", "objects")
    objects = (commit.repository / answer.text.removesuffix("\n")).resolve()
    try:
        folder.mkdir(parents=True)
        with tempfile.TemporaryDirectory(prefix="git-", dir=folder.parent) as own:
            _borrowing_repository(Path(own), len(commit.hash))
            _write(commit, folder, {**(mark or {}), "GIT_DIR": own, "GIT_OBJECT_DIRECTORY": str(objects)})
    except OSError as error:
        raise HarnessError(f"{commit}: cannot be exported to {folder}: {error.strerror}") from None


def _write(commit: Commit, folder: Path, environment: Mapping[str, str]) -> None:
    index = str(Path(environment["GIT_DIR"]) / "index")
    own = {**_ALONE, **_EXACT, **environment, "GIT_INDEX_FILE": index, "GIT_WORK_TREE": str(folder.resolve())}
    for arguments in (("read-tree", commit.tree), ("checkout-index", "--all", "--quiet")):
        done = git.call(folder, *arguments, environment=own, within=_LONG)
        if done.code != 0:
            raise HarnessError(f"{commit}: cannot be exported to {folder}: {done.complaint}")


def _borrowing_repository(own: Path, digits: int) -> None:
    """An empty repository, for objects whose hashes have so many ``digits``."""
    for name in ("objects", "refs", "info"):
        (own / name).mkdir()
    sha256 = "\trepositoryformatversion = 1\n[extensions]\n\tobjectFormat = sha256\n"
    (own / "config").write_text("[core]\n" + (sha256 if digits == 64 else "\trepositoryformatversion = 0\n"), "ascii")
    (own / "HEAD").write_text("ref: refs/heads/none\n", "ascii")
    (own / "info" / "attributes").write_text(_NO_CONVERSION, "ascii")


def _entries(commit: Commit) -> Iterator[tuple[bytes, bytes, int, bytes]]:
    """Mode, hash, size and path of every file; the size of a submodule is 0."""
    listed = _answer(commit.repository, commit.ref, "ls-tree", "-r", "-l", "-z", "--full-tree", commit.tree)
    for entry in filter(None, listed.split(b"\0")):
        about, path = entry.split(b"\t", 1)
        mode, _, hash_, size = about.split()
        yield mode, hash_, int(size) if size.isdigit() else 0, path


def _contents(commit: Commit, hashes: Sequence[bytes]) -> Iterator[bytes]:
    """The contents of these files, in this order."""
    if not hashes:
        return
    output = _answer(commit.repository, commit.ref, "cat-file", "--batch", data=b"".join(h + b"\n" for h in hashes))
    at = 0
    for _ in hashes:
        end = output.index(b"\n", at)
        size = int(output[at:end].split()[2])
        yield output[end + 1 : end + 1 + size]
        at = end + size + 2


def _answer(repository: Path, ref: str, *arguments: str, data: bytes = b"") -> bytes:
    answer = git.call(repository, *arguments, environment=_EXACT, data=data, within=_LONG)
    if answer.code != 0:
        raise _refused(f"git:{ref:.80}: cannot be read: {answer.complaint}")
    return answer.output


def _named(paths: Sequence[bytes]) -> str:
    names = [ascii(fsdecode(path))[1:-1] for path in paths[:_NAMED]]
    return ", ".join(names) + (f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else "")


def _refused(message: str) -> HarnessError:
    return HarnessError(message, ExitCode.USAGE)
