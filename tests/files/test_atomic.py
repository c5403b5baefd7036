import errno
import json
import os
import random
import stat
import subprocess
from pathlib import Path

import pytest

from harness.errors import ExitCode, HarnessError
from harness.files.atomic import sweep_temporaries, sync_folder, temporary_beside, write_atomically

KILLS = 40

OVERWRITE_FOR_EVER = """
import os, sys
from pathlib import Path
from harness.files.atomic import write_atomically

number = int(sys.argv[2])
while True:
    write_atomically(Path(sys.argv[1]), b"%08d" % number * 30_000)
    os.write(1, b"%08d" % number)
    number += 1
"""

FULL_DISK = """
import json, resource, signal, sys
from pathlib import Path
from harness.errors import HarnessError
from harness.files.atomic import write_atomically

path = Path(sys.argv[1])
write_atomically(path, b"old")
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, resource.RLIM_INFINITY))
try:
    write_atomically(path, b"new" * 10_000)
except HarnessError as error:
    print(json.dumps([int(error.code), str(error)]))
"""


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_writes_the_bytes_with_the_mode_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        write_atomically(tmp_path / "a", b"1")
        write_atomically(tmp_path / "b", b"2", mode=0o600)
    finally:
        os.umask(before)
    assert (tmp_path / "a").read_bytes() == b"1"
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o644
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == 0o600
    assert names_in(tmp_path) == ["a", "b"]


def test_replaces_unless_told_not_to(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write_atomically(path, b"old")
    write_atomically(path, b"new")
    with pytest.raises(FileExistsError):
        write_atomically(path, b"newer", overwrite=False)
    assert path.read_bytes() == b"new"
    write_atomically(tmp_path / "b", b"first", overwrite=False)
    assert (tmp_path / "b").read_bytes() == b"first"
    assert names_in(tmp_path) == ["a", "b"]


def test_what_appears_while_writing_is_not_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, real = tmp_path / "a", os.fsync

    def somebody_is_faster(descriptor: int) -> None:
        path.write_bytes(b"theirs")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", somebody_is_faster)
    with pytest.raises(FileExistsError):
        write_atomically(path, b"ours", overwrite=False)
    assert path.read_bytes() == b"theirs"
    assert names_in(tmp_path) == ["a"]


def test_a_link_is_replaced_and_its_target_untouched(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"precious")
    link.symlink_to(target)
    write_atomically(link, b"new")
    assert (target.read_bytes(), link.read_bytes(), link.is_symlink()) == (b"precious", b"new", False)


@pytest.mark.parametrize(
    ("path", "errnos"),
    [
        ("file/child", [errno.ENOTDIR]),
        ("missing/child", [errno.ENOENT]),
        ("folder", [errno.EISDIR]),
        ("/sys/child", [errno.EACCES, errno.EPERM, errno.EROFS]),
    ],
)
def test_what_cannot_be_saved_ends_in_one_line_and_leaves_nothing(tmp_path: Path, path: str, errnos: list[int]) -> None:
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "folder").mkdir()
    with pytest.raises(HarnessError) as caught:
        write_atomically(tmp_path / path, b"data")
    assert caught.value.code is ExitCode.NOT_SAVED
    assert path in str(caught.value)
    assert any(os.strerror(number) in str(caught.value) for number in errnos)
    assert names_in(tmp_path) == ["file", "folder"]
    assert (tmp_path / "file").read_bytes() == b"old"


def test_the_data_is_on_the_disk_before_the_name_and_then_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    happened: list[str] = []
    real_fsync, real_replace = os.fsync, Path.replace

    def fsync(descriptor: int) -> None:
        happened.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        real_fsync(descriptor)

    def replace(self: Path, target: Path) -> Path:
        happened.append("rename")
        return real_replace(self, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", replace)
    write_atomically(tmp_path / "a", b"data")
    assert happened == ["file", "rename", "folder"]


def test_a_file_system_that_cannot_sync_folders_is_fine() -> None:
    descriptor = os.open("/proc", os.O_RDONLY)
    with pytest.raises(OSError, match=os.strerror(errno.EINVAL)):
        os.fsync(descriptor)
    os.close(descriptor)
    sync_folder(Path("/proc"))


def test_a_full_disk_leaves_the_old_file_whole(tmp_path: Path, writer) -> None:
    path = tmp_path / "a"
    with writer(FULL_DISK, path) as process:
        code, message = json.loads(process.communicate(timeout=60)[0])
    assert (code, message) == (14, f"cannot save {path}: {os.strerror(errno.EFBIG)}")
    assert path.read_bytes() == b"old"
    assert names_in(tmp_path) == ["a"]


def test_killed_at_any_moment_the_file_is_old_or_new(tmp_path: Path, writer) -> None:
    path, chance, acknowledged = tmp_path / "a", random.Random(1), -1
    for _ in range(KILLS):
        with writer(OVERWRITE_FOR_EVER, path, acknowledged + 1) as process:
            acknowledged = _kill_after(process, chance.randrange(1, 12))
        content = path.read_bytes()
        found = int(content[:8])
        assert content == b"%08d" % found * 30_000
        assert acknowledged <= found <= acknowledged + 1
        acknowledged = found
    sweep_temporaries(tmp_path)
    assert names_in(tmp_path) == ["a"]


def _kill_after(process: "subprocess.Popen[bytes]", acknowledgements: int) -> int:
    """Kill once so many writes were acknowledged; return the last number acknowledged until it was dead."""
    assert process.stdout is not None
    first = process.stdout.read(8 * acknowledgements)
    process.kill()
    return int((first + process.stdout.read())[-8:])


def test_the_sweep_takes_what_the_dead_left_and_nothing_else(tmp_path: Path, writer) -> None:
    mine = temporary_beside(tmp_path / "a")
    mine.write_bytes(b"half")
    pid = os.getpid()
    reused = tmp_path / f".harness-{pid}-1-{'0' * 16}.tmp"  # the process id was given away again
    reused.write_bytes(b"half")
    with writer("") as process:
        process.wait(timeout=60)
    gone = tmp_path / f".harness-{process.pid}-1-{'0' * 16}.tmp"
    gone.symlink_to("dangling")
    others = [tmp_path / name for name in ("a.tmp", ".harness-x.tmp", f".harness-1-1-{'0' * 16}.tmp.json")]
    for other in others:
        other.write_bytes(b"precious")
    assert set(sweep_temporaries(tmp_path)) == {reused, gone}
    assert sorted(tmp_path.iterdir()) == sorted([mine, *others])


def test_sweeping_a_folder_that_is_not_there_is_fine(tmp_path: Path) -> None:
    assert sweep_temporaries(tmp_path / "missing") == ()
