"""What a machine does to a round: decided from two snapshots, read from the kernel's files."""

from dataclasses import replace
from pathlib import Path

import pytest

from harness.measure import disturbance as module
from harness.measure.disturbance import Snapshot, disturbance, snapshot

START = Snapshot(monotonic=100.0, boottime=500.0, cores=2, steal=7.0, throttled=3.0)


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


def test_this_machine_can_be_asked() -> None:
    first, second = snapshot(), snapshot()
    assert first.monotonic <= second.monotonic
    assert first.boottime <= second.boottime
    assert first.cores >= 1
    assert disturbance(first, second) == ""
    if Path("/proc/stat").exists():
        assert first.steal is not None


def throttled(folder: Path, own: str, files: dict[str, str]) -> float | None:
    (folder / "cgroup").write_text(own, "ascii")
    for name, text in files.items():
        file = folder / "fs" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "ascii")
    return module._throttled(folder / "cgroup", folder / "fs")


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
