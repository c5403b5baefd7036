"""The source of a commit: exactly its files, and nothing of the user's repository touched or run."""

import os
import shutil
import stat
import subprocess
from pathlib import Path, PurePosixPath

import pytest

from harness import git
from harness.errors import ExitCode, HarnessError
from harness.measure.source import check, export, repository_of, resolve, tree_of
from tests.repositories import Repository

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 12345\n"


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """Two commits; what the first one has is hard to write unchanged."""
    made = Repository.create(tmp_path / "repository")
    made.put("app/server.py", "print('old')\n")
    made.put("app/run.sh", "#!/bin/sh\n").chmod(0o755)
    made.put("app/windows.txt", "one\ntwo\n")
    made.put("app/left out.txt", "for developers\n")
    made.put("app/id.txt", "$Id$\n")
    made.put("app/ü\n[x]*.bin", bytes(range(256)))
    made.put("empty", "")
    (made.folder / "link").symlink_to("app/server.py")
    made.put(".gitattributes", "*.txt text eol=crlf\n'left out.txt' export-ignore\nid.txt ident\n")
    made.commit("first")
    made.git("tag", "-a", "v1", "-m", "the first")
    made.put("app/server.py", "print('new')\n")
    made.commit("second")
    return made


def refused(repository: Repository, ref: str) -> str:
    with pytest.raises(HarnessError) as caught:
        check(resolve(repository.folder, ref))
    assert caught.value.code == ExitCode.USAGE
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


def files(folder: Path) -> dict[str, tuple[str, bytes]]:
    """Path -> mode as git has it, and content."""
    found = {}
    for path in folder.rglob("*"):
        if path.is_symlink():
            found[str(path.relative_to(folder))] = ("120000", os.fsencode(path.readlink()))
        elif path.is_file():
            mode = "100755" if path.stat().st_mode & stat.S_IXUSR else "100644"
            found[str(path.relative_to(folder))] = (mode, path.read_bytes())
    return found


def committed(repository: Repository, ref: str) -> dict[str, tuple[str, bytes]]:
    """The same, from git's objects."""
    found = {}
    for entry in filter(None, repository.raw("ls-tree", "-r", "-z", ref).split(b"\0")):
        about, path = entry.split(b"\t")
        mode, _, hash_ = about.decode().split()
        found[os.fsdecode(path)] = (mode, repository.raw("cat-file", "blob", hash_))
    return found


def test_an_export_is_exactly_the_commit(repository: Repository, tmp_path: Path) -> None:
    export(resolve(repository.folder, "v1"), tmp_path / "out" / "export")
    assert files(tmp_path / "out" / "export") == committed(repository, "v1")
    assert len(committed(repository, "v1")) == 9
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["export"]


def test_the_repository_stays_as_it_is_to_the_byte(repository: Repository, tmp_path: Path) -> None:
    repository.put("app/server.py", "uncommitted\n")
    os.utime(repository.folder / "empty", (1, 1))  # a refresh of the index would write it down
    state = repository.state()
    commit = resolve(repository.folder, "HEAD~1")
    check(commit)
    export(commit, tmp_path / "export")
    assert git.has_changes(repository.folder)
    assert repository.state() == state
    assert (tmp_path / "export" / "app" / "server.py").read_text() == "print('old')\n"
    assert len(repository.git("worktree", "list").splitlines()) == 1


def test_nothing_of_the_users_runs(repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    canary, script = tmp_path / "canary", tmp_path / "script"
    script.write_text(f"#!/bin/sh\ntouch {canary}\ncat\n")
    script.chmod(0o755)
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for name in ("post-checkout", "post-index-change", "reference-transaction"):
        shutil.copy(script, hooks / name)
        shutil.copy(script, repository.folder / ".git" / "hooks" / name)
    repository.put(".gitattributes", "* filter=mine\n")
    repository.commit("filtered")
    everyone = tmp_path / "gitconfig"
    everyone.write_text(f'[filter "mine"]\n\tsmudge = {script}\n[core]\n\tfsmonitor = {script}\n\tsymlinks = false\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(everyone))
    for key in ("filter.mine.smudge", "filter.mine.process", "core.fsmonitor"):
        repository.git("config", key, str(script))
    repository.git("config", "core.hooksPath", str(hooks))
    canary.unlink(missing_ok=True)
    commit = resolve(repository_of(repository.folder / "app"), "HEAD")
    check(commit)
    export(commit, tmp_path / "export")
    assert files(tmp_path / "export") == committed(repository, "HEAD")
    assert not canary.exists()
    repository.git("config", "--remove-section", "filter.mine")
    canary.unlink(missing_ok=True)
    assert git.has_changes(repository.folder) is False
    assert not canary.exists()


def test_a_harness_that_git_runs_as_a_hook_reads_the_right_repository(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Repository.create(tmp_path / "other")
    other.put("else.txt", "")
    other.commit()
    for name, value in (("GIT_DIR", ".git"), ("GIT_WORK_TREE", "."), ("GIT_INDEX_FILE", ".git/index")):
        monkeypatch.setenv(name, str(other.folder / value))
    commit = resolve(repository_of(repository.folder), "v1")
    export(commit, tmp_path / "export")
    assert (tmp_path / "export" / "app" / "server.py").exists()


@pytest.mark.parametrize("ref", ["v1", "HEAD~1", "main^", "refs/tags/v1", "main@{1}"])
def test_whatever_means_a_commit(repository: Repository, ref: str) -> None:
    commit = resolve(repository.folder, ref)
    assert commit.hash == repository.git("rev-parse", "v1^{commit}")
    assert commit.tree == repository.git("rev-parse", "v1^{tree}")
    assert commit.hash.startswith(commit.short)
    assert resolve(repository.folder, commit.short) == resolve(repository.folder, commit.short)
    assert resolve(repository.folder, commit.short).hash == commit.hash


@pytest.mark.parametrize(
    ("ref", "told"),
    [
        ("nowhere", "git:nowhere: no such commit in "),
        ("-n", "git:-n is no ref; allowed are a branch, a tag, a hash, HEAD~2"),
        ("--output=x", "git:--output=x is no ref"),
        ("", "git: is no ref"),
        ("a\nb\x1b[2J", "git:a\\nb\\x1b[2J is no ref"),
        ("a\0b", "git:a\\x00b is no ref"),
        ("main..HEAD", "git:main..HEAD: no such commit"),
        ("HEAD:app", "git:HEAD:app: no such commit"),
        ("HEAD~7", "git:HEAD~7: no such commit"),
        ("f" * 40, "no such commit"),
        ("x" * 5000, "no such commit"),
    ],
)
def test_what_means_no_commit_is_one_line(repository: Repository, ref: str, told: str) -> None:
    assert told in refused(repository, ref)


def test_a_name_of_two_things_is_not_guessed(repository: Repository) -> None:
    repository.git("branch", "v1")
    repository.git("config", "core.warnAmbiguousRefs", "false")
    assert "refname 'v1' is ambiguous" in refused(repository, "v1")
    assert resolve(repository.folder, "refs/tags/v1") != resolve(repository.folder, "refs/heads/v1")


def test_no_repository_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match=r"is in no git repository with a working tree: not a git repo") as caught:
        repository_of(tmp_path)
    assert caught.value.code == ExitCode.USAGE
    bare = Repository.create(tmp_path / "bare", "--bare")
    with pytest.raises(HarnessError, match="must be run in a work tree"):
        repository_of(bare.folder)
    empty = Repository.create(tmp_path / "empty")
    assert "git:HEAD: no such commit" in refused(empty, "HEAD")


def test_git_that_is_not_there_is_one_line(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(HarnessError, match="git is not installed"):
        repository_of(repository.folder)
    assert git.commit_of(repository.folder) == "none"


def test_a_shallow_clone_has_what_it_has(repository: Repository, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", "--depth=1", repository.folder.as_uri(), clone], check=True)
    export(resolve(clone, "HEAD"), tmp_path / "export")
    assert files(tmp_path / "export") == committed(repository, "main")
    assert "this clone is shallow, git fetch --unshallow gets the rest" in refused(Repository(clone), "HEAD~1")


@pytest.mark.parametrize("how", ["worktree", "shared", "packed", "partial"])
def test_wherever_the_objects_lie(repository: Repository, tmp_path: Path, how: str) -> None:
    folder = tmp_path / "another"
    match how:
        case "worktree":
            repository.git("worktree", "add", "-q", str(folder), "v1")
        case "shared":
            subprocess.run(["git", "clone", "-q", "--shared", repository.folder, folder], check=True)
        case "packed":
            repository.git("gc", "-q", "--prune=now")
            folder = repository.folder
        case "partial":
            repository.git("config", "uploadpack.allowFilter", "true")
            address = repository.folder.as_uri()
            subprocess.run(["git", "clone", "-q", "--filter=blob:limit=1g", address, folder], check=True)
    commit = resolve(repository_of(folder), "v1")
    check(commit)
    export(commit, tmp_path / "export")
    assert files(tmp_path / "export") == committed(repository, "v1")


def test_hashes_of_64_digits(tmp_path: Path) -> None:
    made = Repository.create(tmp_path / "repository", "--object-format=sha256")
    made.put("a/b.txt", "text\n")
    made.commit()
    commit = resolve(made.folder, "main")
    assert len(commit.hash) == 64
    export(commit, tmp_path / "export")
    assert files(tmp_path / "export") == {"a/b.txt": ("100644", b"text\n")}
    assert tree_of(commit, PurePosixPath("a")) == made.git("rev-parse", "main:a")


def test_a_commit_is_not_what_stands_in_for_it(repository: Repository, tmp_path: Path) -> None:
    repository.git("replace", "v1^{commit}", "main")
    export(resolve(repository.folder, "v1"), tmp_path / "export")
    assert (tmp_path / "export" / "app" / "server.py").read_text() == "print('old')\n"


def test_the_tree_of_a_folder(repository: Repository) -> None:
    repository.put("app/deep/[a]*/x", "")
    repository.put(":(glob)/x", "")
    repository.put("other", "changed")
    repository.commit("third")
    commit = resolve(repository.folder, "HEAD")
    assert tree_of(commit, PurePosixPath()) == commit.tree
    assert tree_of(commit, PurePosixPath("app")) == repository.git("rev-parse", "HEAD:app")
    assert tree_of(commit, PurePosixPath("app/deep/[a]*")) == repository.git("rev-parse", "HEAD:app/deep/[a]*")
    assert tree_of(commit, PurePosixPath(":(glob)")) == repository.git("rev-parse", "HEAD::(glob)")
    repository.put("other", "again")
    repository.commit("fourth")
    again = resolve(repository.folder, "HEAD")
    assert again.tree != commit.tree
    assert tree_of(again, PurePosixPath("app")) == tree_of(commit, PurePosixPath("app"))


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("nowhere", "nowhere does not exist there"),
        ("app/*", r"app/\* does not exist there"),
        ("app/server.py", "app/server.py is no folder there"),
        ("link", "link is no folder there"),
        ("link/deeper", "link/deeper does not exist there"),
    ],
)
def test_a_folder_that_is_not_in_the_commit(repository: Repository, path: str, told: str) -> None:
    with pytest.raises(HarnessError, match=rf"git:HEAD \(commit [0-9a-f]{{12}}\): {told}") as caught:
        tree_of(resolve(repository.folder, "HEAD"), PurePosixPath(path))
    assert caught.value.code == ExitCode.USAGE


def test_submodules_are_named_as_not_supported(repository: Repository, tmp_path: Path) -> None:
    repository.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},vendor/li\x1bb")
    repository.git("commit", "-q", "-m", "with a submodule")
    assert "submodules are not supported, it has vendor/li\\x1bb" in refused(repository, "HEAD")
    check(resolve(repository.folder, "HEAD~1"))


def test_files_of_git_lfs_are_named_as_not_supported(repository: Repository) -> None:
    repository.put("models/pointer.bin", POINTER)
    repository.commit("a text that looks like a pointer is a text")
    check(resolve(repository.folder, "HEAD"))
    repository.put("models/.gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n")
    for number in range(4):
        repository.put(f"models/{number}.bin", POINTER)
    repository.commit("pointers")
    told = "git-lfs is not supported, it has models/0.bin, models/1.bin, models/2.bin and 2 more"
    assert told in refused(repository, "HEAD")


def test_a_commit_that_is_not_whole_is_one_line(repository: Repository, tmp_path: Path) -> None:
    hash_ = repository.git("rev-parse", "v1:app/server.py")
    (repository.folder / ".git" / "objects" / hash_[:2] / hash_[2:]).unlink()
    with pytest.raises(HarnessError, match=r"cannot be exported to .*export: ") as caught:
        export(resolve(repository.folder, "v1"), tmp_path / "export")
    assert caught.value.code == ExitCode.ENVIRONMENT
    assert len(str(caught.value).splitlines()) == 1


def test_what_cannot_be_written_is_one_line(repository: Repository, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HarnessError, match=r"cannot be exported to .*: Not a directory"):
        export(resolve(repository.folder, "v1"), tmp_path / "file" / "export")


def test_git_carries_the_mark_while_it_writes(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, fake = shutil.which("git"), tmp_path / "bin" / "git"
    fake.parent.mkdir()
    fake.write_text(f'#!/bin/sh\necho "$OUR_MARK $*" >> {tmp_path}/calls\nexec {real} "$@"\n')
    fake.chmod(0o755)
    commit = resolve(repository.folder, "v1")
    monkeypatch.setenv("PATH", str(fake.parent), prepend=os.pathsep)
    export(commit, tmp_path / "export", {"OUR_MARK": "marked"})
    calls = (tmp_path / "calls").read_text().splitlines()
    assert [call.startswith("marked ") for call in calls if "tree" in call or "checkout" in call] == [True, True]
