"""Any pytest-benchmark JSON as a run, so that old results can be compared."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from harness.files.number_lists import NumberList
from harness.files.runfile import run_from_json
from harness.files.strict_json import Mismatch, blaming, describe, member, number, parse_object, read_bytes
from harness.model import Environment, Metric, Run, Sample, Variant

_TIME = Metric("time", "s")
_MOST_BATCHES = 64
"""Values measured right after one another are alike, no independent evidence. Many of them are therefore divided into
batches, each of which counts as one round (after the method of batch means: Law & Kelton, Simulation Modeling and
Analysis)."""
_NOTE = (
    "Imported from a pytest-benchmark file: its rounds ran in one process, so what a restart changes is not in them. "
    f"Of more than {_MOST_BATCHES}, consecutive ones are taken together."
)
_NO_DATA = "the values themselves: save with --benchmark-json, or --benchmark-save with --benchmark-save-data"


def load(path: Path) -> Run:
    """A run from either kind of file. Raises HarnessError as the two readers do."""
    with blaming(path):
        data = read_bytes(path)
        document = parse_object(data)
        return run_from_json(document, path) if "harness" in document else _run(document, data)


def read_benchmark_json(path: Path) -> Run:
    """The benchmarks of a pytest-benchmark file as a run, which has no settings and can stand on either side.

    Each becomes a sample of the metric ``time`` in seconds; its scenario is the full name. Raises HarnessError (13).
    """
    with blaming(path):
        data = read_bytes(path)
        return _run(parse_object(data), data)


def _run(document: Mapping[str, object], data: bytes) -> Run:
    benchmarks = member(document, "benchmarks")
    if not isinstance(benchmarks, list) or not benchmarks:
        raise Mismatch(describe(benchmarks), "a list with at least one benchmark", "benchmarks")
    samples: dict[str, Sample] = {}
    for index, node in enumerate(benchmarks):
        try:
            sample = _sample(node)
        except Mismatch as mismatch:
            raise mismatch.under(f"[{index}]").under("benchmarks") from None
        if samples.setdefault(sample.scenario, sample) is not sample:
            found = f"{describe(sample.scenario)} for the second time"
            raise Mismatch(found, "every full name once", f"benchmarks[{index}].fullname")
    return Run(
        session=f"file:{hashlib.sha256(data).hexdigest()}",
        variant=Variant("before", origin="pytest-benchmark"),
        started=_started(document.get("datetime")),
        seed=0,
        rounds=max(sample.rounds[-1] + 1 for sample in samples.values()),
        state="complete",
        samples=tuple(samples.values()),
        environment=_environment(document.get("machine_info")),
        notes=(_NOTE,),
    )


def _object(parent: Mapping[str, object], name: str) -> Mapping[str, object]:
    node = member(parent, name)
    if not isinstance(node, dict):
        raise Mismatch(describe(node), "an object", name)
    return node


def _sample(node: object) -> Sample:
    if not isinstance(node, dict):
        raise Mismatch(describe(node), "an object")
    scenario = member(node, "fullname")
    if not isinstance(scenario, str) or not scenario:
        raise Mismatch(describe(scenario), "a name", "fullname")
    values = _values(_object(node, "stats").get("data"))
    return Sample(scenario, _TIME, values, *_batches(len(values)))


def _values(data: object) -> Sequence[float]:
    if isinstance(data, NumberList):
        if min(data.values) > 0:
            return data.floats()
        data = data.plain()
    if not isinstance(data, list) or not data:
        raise Mismatch("no data" if data is None else describe(data), _NO_DATA, "stats.data")
    values: list[float] = []
    try:
        values.extend(map(_seconds, data))
    except Mismatch as mismatch:
        raise mismatch.under(f"[{len(values)}]").under("stats.data") from None
    return tuple(values)


@lru_cache
def _batches(count: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Rounds and pairs for so many values: at most ``_MOST_BATCHES`` stretches of equal length but for one value."""
    rounds = tuple(index * min(count, _MOST_BATCHES) // count for index in range(count))
    starts = {number: index for index, number in reversed(list(enumerate(rounds)))}
    return rounds, tuple(index - starts[number] for index, number in enumerate(rounds))


def _seconds(node: object) -> float:
    value = number(node)
    if value <= 0:
        raise Mismatch(describe(node), "a number > 0")
    return value


def _started(node: object) -> str:
    try:
        moment = datetime.fromisoformat(node) if isinstance(node, str) else None
    except ValueError:
        moment = None
    if moment is None:
        raise Mismatch(describe(node), "a date and time, ISO 8601", "datetime")
    in_utc = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return in_utc.isoformat()


def _environment(node: object) -> Environment:
    info = node if isinstance(node, dict) else {}
    cpu = info.get("cpu")
    brand = cpu.get("brand_raw") if isinstance(cpu, dict) else None
    python = f"{_text(info, 'python_implementation')} {_text(info, 'python_version')}".strip()
    stable = {
        "machine": _text(info, "machine"),
        "processor": brand if isinstance(brand, str) else _text(info, "processor"),
        "python": python,
        "system": _text(info, "system"),
    }
    told = {name: value for name, value in info.items() if isinstance(value, str) and name != "node"}  # the host's name
    volatile = {f"machine_info.{name}": value for name, value in told.items() if name not in stable}
    return Environment({name: value for name, value in stable.items() if value}, volatile)


def _text(info: Mapping[str, object], name: str) -> str:
    value = info.get(name)
    return value if isinstance(value, str) else ""
