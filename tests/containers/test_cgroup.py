"""What a container used, read from files as both versions of control groups lay them out."""

from pathlib import Path

import pytest

from harness.containers.cgroup import ControlGroup, control_group

PID = 4711


def laid_out(folder: Path, membership: str, mounts: str, files: dict[str, str]) -> Path:
    """A /proc of our own, and the files of a control group; the folder that stands for /proc."""
    proc = folder / "proc"
    (proc / str(PID)).mkdir(parents=True)
    (proc / str(PID) / "cgroup").write_text(membership)
    (proc / "self").mkdir()
    (proc / "self" / "mountinfo").write_text(mounts.replace("ROOT", str(folder)))
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return proc


def test_version_1(tmp_path: Path) -> None:
    proc = laid_out(
        tmp_path,
        "5:cpu,cpuacct:/docker/abc\n9:memory:/docker/abc\n1:name=systemd:/docker/abc\n0::/\n",
        "33 29 0:30 / ROOT/cpu rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
        "34 29 0:31 / ROOT/memory rw - cgroup cgroup rw,memory\n"
        "35 29 0:32 / ROOT/unified rw - cgroup2 cgroup2 rw\n",
        {"cpu/docker/abc/cpuacct.usage": "1500000000\n", "memory/docker/abc/memory.max_usage_in_bytes": "2097152\n"},
    )
    group = control_group(PID, proc)
    assert group.cpu_seconds() == pytest.approx(1.5)
    assert group.peak_memory() == 2 * 2**20


def test_version_2(tmp_path: Path) -> None:
    proc = laid_out(
        tmp_path,
        "0::/system.slice/docker-abc.scope\n",
        "30 23 0:26 / ROOT/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n",
        {
            "cgroup/system.slice/docker-abc.scope/cpu.stat": "usage_usec 2500000\nuser_usec 1\nsystem_usec 2\n",
            "cgroup/system.slice/docker-abc.scope/memory.peak": "1048576\n",
        },
    )
    group = control_group(PID, proc)
    assert group.cpu_seconds() == pytest.approx(2.5)
    assert group.peak_memory() == 2**20


def test_what_cannot_be_read_is_not_known(tmp_path: Path) -> None:
    assert control_group(PID, tmp_path) == ControlGroup(None, None)
    group = ControlGroup(tmp_path / "cpu.stat", tmp_path / "memory.peak")
    assert group.cpu_seconds() is None
    assert group.peak_memory() is None
    (tmp_path / "cpu.stat").write_text("user_usec 5\n")
    assert group.cpu_seconds() is None
