"""What a container has used, as the kernel counts it for its control group (versions 1 and 2)."""

from dataclasses import dataclass
from pathlib import Path

_PROC, _MICRO, _NANO = Path("/proc"), 1e-6, 1e-9


@dataclass(frozen=True, slots=True)
class ControlGroup:
    """The files of one control group that count processor time and memory; None where there is none to be read."""

    cpu: Path | None
    memory: Path | None

    def cpu_seconds(self) -> float | None:
        """Processor seconds of all its processes, ended ones too; None when the kernel does not tell."""
        text = _text(self.cpu)
        if text is None:
            return None
        if self.cpu is not None and self.cpu.name == "cpuacct.usage":
            return int(text) * _NANO
        usage = dict(line.split() for line in text.splitlines()).get("usage_usec")
        return None if usage is None else int(usage) * _MICRO

    def peak_memory(self) -> float | None:
        """Bytes of memory at most, with the pages of files that it has read; None when the kernel does not tell."""
        text = _text(self.memory)
        return None if text is None else float(text)


def control_group(pid: int, proc: Path = _PROC) -> ControlGroup:
    """The control group of process ``pid``, which has to run on this machine; an empty one when it does not.

    ``proc`` is another place for /proc, for tests.
    """
    paths, mounts = _paths(pid, proc), _mounts(proc)

    def file(controller: str, old: str, new: str) -> Path | None:
        for key, name in ((controller, old), ("", new)):
            if key in paths and key in mounts:
                found = mounts[key] / paths[key].lstrip("/") / name
                if found.is_file():
                    return found
        return None

    return ControlGroup(
        file("cpuacct", "cpuacct.usage", "cpu.stat"), file("memory", "memory.max_usage_in_bytes", "memory.peak")
    )


def is_of(pid: int, container: str, proc: Path = _PROC) -> bool:
    """Whether process ``pid`` of this machine is of the container with this id.

    An engine in a machine of its own counts processes by itself: its number may be anybody's here, or nobody's.
    """
    return container in (_text(proc / str(pid) / "cgroup") or "")


def _paths(pid: int, proc: Path) -> dict[str, str]:
    """Controller -> path below its mount point; the controller of version 2 is the empty string (cgroups(7))."""
    paths: dict[str, str] = {}
    for line in (_text(proc / str(pid) / "cgroup") or "").splitlines():
        _, controllers, path = line.split(":", 2)
        paths |= dict.fromkeys(controllers.split(","), path)
    return paths


def _mounts(proc: Path) -> dict[str, Path]:
    """Controller -> where its hierarchy is mounted (proc(5), mountinfo)."""
    mounts: dict[str, Path] = {}
    for line in (_text(proc / "self" / "mountinfo") or "").splitlines():
        before, _, after = line.partition(" - ")
        kind, _, options = after.split(" ", 2)
        place = Path(before.split(" ")[4])
        if kind == "cgroup2":
            mounts.setdefault("", place)
        elif kind == "cgroup":
            for option in options.split(","):
                mounts.setdefault(option, place)
    return mounts


def _text(file: Path | None) -> str | None:
    try:
        return None if file is None else file.read_text("ascii")
    except (OSError, ValueError):
        return None
