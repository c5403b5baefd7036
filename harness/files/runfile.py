"""Run <-> JSON: a file that is also a valid pytest-benchmark 5.x file.

Everything of ours is in its section ``harness``; the rest is derived from it for pytest-benchmark's tools and never
read back. The file holds no host name and no user name.
"""

import hashlib
from pathlib import Path

from harness.errors import ExitCode, HarnessError
from harness.files.atomic import write_atomically
from harness.files.benchmark_stats import stats_of
from harness.files.codec import decode, encode
from harness.files.json_text import as_written, compact, reviewable
from harness.files.strict_json import MAX_BYTES, Mismatch, blaming, describe, member, parse_object, read_bytes, shown
from harness.model import Run, Sample

FORMAT = 1
"""Version of the section ``harness``. History: 1 - first version."""

_BENCHMARK_VERSION = "5.3.1"
_MACHINE_INFO = (
    "machine",
    "node",
    "processor",
    "python_build",
    "python_compiler",
    "python_implementation",
    "python_implementation_version",
    "python_version",
    "release",
    "system",
)
"""What pytest-benchmark and the tools around it expect; empty where the environment of the run does not say it."""


def write_run(run: Run, path: Path) -> None:
    """Save ``run``, whole or not at all. Raises HarnessError (14), ValueError for what ``read_run`` would refuse."""
    write_atomically(path, run_bytes(run))


def run_bytes(run: Run) -> bytes:
    """The run file as text. The same run gives the same bytes. Raises ValueError as ``write_run``."""
    data = reviewable(run_to_json(run)).encode("ascii")
    if len(data) > MAX_BYTES:
        raise ValueError(f"a run file of {len(data)} bytes is too large, allowed: {MAX_BYTES}")
    return data


def read_run(path: Path) -> Run:
    """Load a run file. Raises HarnessError: 15 when its content is not what its hash says, 13 for everything else."""
    return read_hashed(path)[0]


def read_hashed(path: Path) -> tuple[Run, str]:
    """A run and its content hash, by which it is known under any name. Raises HarnessError as ``read_run``."""
    with blaming(path):
        document = parse_object(read_bytes(path))
        run = run_from_json(document, path)
        section = document["harness"]
        assert isinstance(section, dict)
        return run, str(section["content_hash"])


def run_to_json(run: Run) -> dict[str, object]:
    """The run file as a JSON document."""
    _check(run)
    section = {"format": FORMAT} | encode(run)
    return {
        "benchmarks": [_benchmark(sample) for sample in run.samples if _is_time(sample)],
        "commit_info": _commit_info(run),
        "datetime": run.started,
        "harness": section | {"content_hash": content_hash(section)},
        "machine_info": dict.fromkeys(_MACHINE_INFO, "") | dict(run.environment.stable) | {"cpu": {}, "node": ""},
        "version": _BENCHMARK_VERSION,
    }


def run_from_json(document: dict[str, object], path: Path) -> Run:
    """The run in a parsed run file. Raises Mismatch; HarnessError (15) for ``path`` when the hash differs."""
    section = member(document, "harness")
    if not isinstance(section, dict):
        raise Mismatch(describe(section), "an object", "harness")
    try:
        _check_format(section)
        stated = member(section, "content_hash")
        content = {name: node for name, node in section.items() if name != "content_hash"}
        run = decode(Run, {name: node for name, node in content.items() if name != "format"})
        _check(run)
    except Mismatch as mismatch:
        raise mismatch.under("harness") from None
    if stated != _digest(as_written(content)) and stated != content_hash(content):
        message = f"{shown(path)}: the content hash differs: the file was changed after it was written"
        raise HarnessError(message, ExitCode.INTEGRITY)
    return run


def content_hash(section: dict[str, object]) -> str:
    """SHA-256 of the canonical JSON of the section ``harness`` without its hash."""
    return _digest(compact(section))


def _digest(text: bytes) -> str:
    return f"sha256:{hashlib.sha256(text).hexdigest()}"


def _check_format(section: dict[str, object]) -> None:
    version = member(section, "format")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise Mismatch(describe(version), f"{FORMAT}", "format")
    if version > FORMAT:
        raise Mismatch(f"{version}, written by a newer version", f"at most {FORMAT}: update the harness", "format")


def _check(run: Run) -> None:
    """What the types cannot say. Whether values make sense for their metric is for the judging half to say."""
    first: dict[tuple[str, str], int] = {}
    for index, sample in enumerate(run.samples):
        here = f"samples[{index}]"
        count = len(sample.values)
        if count == 0:
            raise Mismatch("no values", "at least one", f"{here}.values")
        if (len(sample.rounds), len(sample.pairs)) != (count, count):
            found = f"{len(sample.rounds)} rounds and {len(sample.pairs)} pairs"
            raise Mismatch(found, f"{count} of each, as of the values", here)
        other = first.setdefault((sample.scenario, sample.metric.name), index)
        if other != index:
            raise Mismatch(f"the scenario and metric of samples[{other}]", "every metric once", here)


def _is_time(sample: Sample) -> bool:
    return sample.metric.unit == "s" and sample.metric.kind == "noisy" and min(sample.values) > 0


def _benchmark(sample: Sample) -> dict[str, object]:
    name = f"{sample.scenario}:{sample.metric.name}"
    return {
        "extra_info": {},
        "fullname": name,
        "group": sample.scenario,
        "name": name,
        "options": {},
        "param": None,
        "params": None,
        "stats": stats_of(sample.values),
    }


def _commit_info(run: Run) -> dict[str, object]:
    commit = run.environment.volatile.get("commit", "unversioned")
    return {"author_time": None, "branch": "(unknown)", "dirty": False, "id": commit, "project": "", "time": None}
