"""What a machine does to a round: decided from two snapshots, read from the kernel's files."""

from dataclasses import replace
from pathlib import Path

import pytest

from harness.measure import disturbance as module
from harness.measure.disturbance import Snapshot, disturbance, snapshot

START = Snapshot(monotonic=100.0, boottime=500.0, cores=2, allowed=2.0, steal=7.0, throttled=3.0)


def later(seconds: float, **more: float | None) -> Snapshot:
    return replace(START, monotonic=100.0 + seconds, boottime=500.0 + seconds, **more)


@pytest.mark.parametrize(
    ("end", "why"),
    [
        (later(10.0), ""),
        (replace(later(10.0), boottime=511.0), ""),
        (replace(later(10.0), boottime=822.0), "the machine slept 312 s"),
        (later(10.0, steal=8.9), ""),
        (later(10.0, steal=9.2), "the hypervisor took 11% of the processor time"),
        (later(10.0, throttled=8.0), "a processor quota took 25% of the processor time"),
        (later(0.1, steal=7.09), ""),  # the grain of the counter
        (later(10.0, steal=None), ""),
        (later(10.0, throttled=None), ""),
    ],
)
def test_a_round_counts_unless_the_machine_was_away(end: Snapshot, why: str) -> None:
    assert disturbance(START, end) == why


def test_a_quota_is_held_against_what_it_leaves_and_not_against_all_cores_of_the_host() -> None:
    start = replace(START, cores=64, allowed=2.0)
    end = replace(later(10.0), cores=64, allowed=2.0)
    assert disturbance(start, replace(end, throttled=3.0 + 18.0)) == "a processor quota took 90% of the processor time"
    assert disturbance(start, replace(end, throttled=3.0 + 1.9)) == ""
    assert disturbance(start, replace(end, steal=7.0 + 18.0)) == ""  # of 64 cores
    waiting = replace(end, throttled=3.0 + 600.0)  # 60 threads wait for their turn
    assert disturbance(start, waiting) == "a processor quota took 100% of the processor time"


def test_a_quota_that_changes_meanwhile_is_taken_at_its_larger() -> None:
    start, end = replace(START, cores=64, allowed=2.0), replace(later(10.0), cores=64, allowed=4.0, throttled=3.0 + 3.9)
    assert disturbance(start, end) == ""


def test_this_machine_can_be_asked() -> None:
    first, second = snapshot(), snapshot()
    assert first.monotonic <= second.monotonic
    assert first.boottime <= second.boottime
    assert first.cores >= 1
    assert 0 < first.allowed <= first.cores
    assert disturbance(first, second) == ""
    if Path("/proc/stat").exists():
        assert first.steal is not None


def groups(folder: Path, own: str, files: dict[str, str]) -> tuple[Path, ...]:
    """The folders of a made-up control group ``own``, with these files in them."""
    (folder / "cgroup").write_text(own, "ascii")
    for name, text in files.items():
        file = folder / "fs" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "ascii")
    return tuple(module._groups(folder / "cgroup", folder / "fs"))


def throttled(folder: Path, own: str, files: dict[str, str]) -> float | None:
    return module._throttled(groups(folder, own, files))


def test_throttling_of_version_2_counts_the_group_that_was_held_back_most(tmp_path: Path) -> None:
    files = {
        "cpu.stat": "usage_usec 9\n",
        "pod/cpu.stat": "usage_usec 5\nthrottled_usec 2500000\n",
        "pod/ours/cpu.stat": "usage_usec 5\nthrottled_usec 0\n",
    }
    assert throttled(tmp_path, "0::/pod/ours\n", files) == 2.5


def test_throttling_of_version_1_is_in_nanoseconds(tmp_path: Path) -> None:
    own = "4:memory:/elsewhere\n2:cpu,cpuacct:/ours\n0::/\n"
    files = {"cpu,cpuacct/ours/cpu.stat": "nr_periods 1\nthrottled_time 4000000000\n", "memory/cpu.stat": "x 1\n"}
    assert throttled(tmp_path, own, files) == 4.0


@pytest.mark.parametrize("files", [{}, {"cpu.stat": "nothing to see\n"}, {"cpu.stat": "throttled_usec much\n"}])
def test_where_the_kernel_does_not_tell_nothing_is_known(tmp_path: Path, files: dict[str, str]) -> None:
    assert throttled(tmp_path, "0::/\n", files) is None


@pytest.mark.parametrize(
    ("own", "files", "allowed"),
    [
        ("0::/pod/ours\n", {"pod/cpu.max": "150000 100000\n", "pod/ours/cpu.max": "400000 100000\n"}, 1.5),
        ("0::/pod\n", {"pod/cpu.max": "max 100000\n"}, 8.0),
        ("0::/pod\n", {"pod/cpu.max": "3200000 100000\n"}, 8.0),
        ("0::/pod\n", {"pod/cpu.max": "none\n"}, 8.0),
        ("0::/pod\n", {"pod/cpu.max": "100000 0\n"}, 8.0),
        ("0::/pod\n", {}, 8.0),
        (
            "2:cpu,cpuacct:/a\n",
            {"cpu,cpuacct/a/cpu.cfs_quota_us": "50000\n", "cpu,cpuacct/a/cpu.cfs_period_us": "100000\n"},
            0.5,
        ),
        (
            "2:cpu,cpuacct:/a\n",
            {"cpu,cpuacct/a/cpu.cfs_quota_us": "-1\n", "cpu,cpuacct/a/cpu.cfs_period_us": "100000\n"},
            8.0,
        ),
    ],
)
def test_the_tightest_quota_of_all_groups_counts(
    tmp_path: Path, own: str, files: dict[str, str], allowed: float
) -> None:
    assert module._allowed(8, groups(tmp_path, own, files)) == allowed
