import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.errors import ExitCode, HarnessError
from harness.files.benchmark_json import load, read_benchmark_json
from harness.files.runfile import write_run
from harness.model import Run

SUITE = """
import pytest

@pytest.mark.parametrize("n", [10, 1000])
def test_sum(benchmark, n):
    benchmark.pedantic(sum, args=(range(n),), rounds=7)
"""
MINIMAL: dict[str, Any] = {
    "benchmarks": [{"fullname": "t.py::a", "stats": {"data": [0.5, 0.25]}}],
    "datetime": "2026-01-31T12:00:00+02:00",
}


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that pytest-benchmark itself wrote."""
    folder = tmp_path_factory.mktemp("real")
    (folder / "test_real.py").write_text(SUITE)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:harness.plugin", "-n0"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_XDIST")}
    subprocess.run(
        [*command, "--benchmark-json=real.json", "test_real.py"], cwd=folder, env=environment, check=True, timeout=120
    )
    return folder / "real.json"


@pytest.fixture
def changed(tmp_path: Path) -> Callable[[Callable[[dict[str, Any]], object]], Path]:
    def write(change: Callable[[dict[str, Any]], object]) -> Path:
        document = json.loads(json.dumps(MINIMAL))
        change(document)
        path = tmp_path / "changed.json"
        path.write_text(json.dumps(document))
        return path

    return write


def test_a_real_file_becomes_a_run(real: Path) -> None:
    document = json.loads(real.read_text())
    run = read_benchmark_json(real)
    assert run == load(real)
    assert [sample.scenario for sample in run.samples] == ["test_real.py::test_sum[10]", "test_real.py::test_sum[1000]"]
    for sample, benchmark in zip(run.samples, document["benchmarks"], strict=True):
        assert list(sample.values) == benchmark["stats"]["data"]
        assert (sample.rounds, sample.pairs) == (tuple(range(7)), (0,) * 7)
        assert (sample.metric.name, sample.metric.unit, sample.metric.kind) == ("time", "s", "noisy")
    assert (run.rounds, run.state, run.started) == (7, "complete", document["datetime"])
    assert run.session.startswith("file:")
    info = document["machine_info"]
    assert run.environment.stable["machine"] == info["machine"]
    assert run.environment.stable["python"] == f"CPython {info['python_version']}"
    assert run.environment.stable["system"] == info["system"]
    assert info["node"] not in [*run.environment.stable.values(), *run.environment.volatile.values()]
    assert "one process" in run.notes[0]


@pytest.mark.parametrize("count", [64, 250, 10_000])
def test_many_values_are_taken_together_in_stretches_of_equal_length(changed: Any, count: int) -> None:
    data = [1 + number / 7 for number in range(count)]
    path = changed(lambda document: document["benchmarks"][0]["stats"].update(data=data))
    (sample,) = read_benchmark_json(path).samples
    assert list(sample.values) == data
    lengths = Counter(sample.rounds)
    assert list(lengths) == list(range(64))
    assert max(lengths.values()) - min(lengths.values()) <= 1
    assert sample.rounds == tuple(sorted(sample.rounds))
    assert sample.pairs == tuple(pair for length in lengths.values() for pair in range(length))


def test_the_session_is_the_content(real: Path, tmp_path: Path) -> None:
    copy, other = tmp_path / "copy.json", tmp_path / "other.json"
    copy.write_bytes(real.read_bytes())
    other.write_bytes(real.read_bytes() + b"\n")
    assert read_benchmark_json(copy).session == read_benchmark_json(real).session
    assert read_benchmark_json(other).session != read_benchmark_json(real).session


def test_load_recognises_our_own_files(run: Run, tmp_path: Path) -> None:
    write_run(run, tmp_path / "run.json")
    assert load(tmp_path / "run.json") == run
    imported = read_benchmark_json(tmp_path / "run.json")
    assert [(sample.scenario, sample.values) for sample in imported.samples] == [
        ("startup/cold:ready", (0.3, 0.1, 0.2))
    ]


def test_the_least_that_is_needed(changed) -> None:
    run = load(changed(lambda document: None))
    assert run.samples[0].values == (0.5, 0.25)
    assert run.started == "2026-01-31T10:00:00+00:00"
    assert (run.environment.stable, run.environment.volatile) == ({}, {})


def test_the_processor_is_its_brand_when_that_is_known(changed) -> None:
    info = {
        "processor": "x",
        "cpu": {"brand_raw": "EPYC"},
        "release": "6.1",
        "node": "secret",
        "python_build": ["main"],
    }
    environment = load(changed(lambda document: document.update(machine_info=info))).environment
    assert environment.stable == {"processor": "EPYC"}
    assert environment.volatile == {"machine_info.release": "6.1"}
    odd = load(changed(lambda document: document.update(machine_info={"processor": "x", "cpu": 3, "machine": 4})))
    assert odd.environment.stable == {"processor": "x"}


NO_DATA = "allowed: the values themselves: save with --benchmark-json, or --benchmark-save with --benchmark-save-data"


def benchmark(**members: object) -> Callable[[dict[str, Any]], object]:
    return lambda document: document["benchmarks"][0].update(members)


def data(*values: object) -> Callable[[dict[str, Any]], object]:
    return benchmark(stats={"data": list(values)})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda document: document.pop("benchmarks"), "benchmarks: found nothing, allowed: a value"),
        (
            lambda document: document.update(benchmarks=[]),
            "benchmarks: found a list of 0, allowed: a list with at least",
        ),
        (lambda document: document.update(benchmarks=[3]), "benchmarks[0]: found 3, allowed: an object"),
        (lambda document: document.pop("datetime"), "datetime: found null, allowed: a date and time, ISO 8601"),
        (lambda document: document.update(datetime="now"), 'datetime: found "now", allowed: a date and time'),
        (
            lambda document: document["benchmarks"].append(document["benchmarks"][0]),
            'benchmarks[1].fullname: found "t.py::a" for the second time, allowed: every full name once',
        ),
        (benchmark(fullname=""), 'benchmarks[0].fullname: found "", allowed: a name'),
        (benchmark(fullname=3), "benchmarks[0].fullname: found 3, allowed: a name"),
        (benchmark(stats=None), "benchmarks[0].stats: found null, allowed: an object"),
        (benchmark(stats={"min": 1.0}), f"benchmarks[0].stats.data: found no data, {NO_DATA}"),
        (data(), f"benchmarks[0].stats.data: found a list of 0, {NO_DATA}"),
        (data(0.1, 0), "benchmarks[0].stats.data[1]: found 0, allowed: a number > 0"),
        (data(-0.001), "benchmarks[0].stats.data[0]: found -0.001, allowed: a number > 0"),
        (data("0.001"), 'benchmarks[0].stats.data[0]: found "0.001", allowed: a number'),
        (data(None), "benchmarks[0].stats.data[0]: found null, allowed: a number"),
        (data(*[True]), "benchmarks[0].stats.data[0]: found true, allowed: a number"),
        (data(1e308), "benchmarks[0].stats.data[0]: found 1e+308, allowed: a number"),
        (data([]), "benchmarks[0].stats.data[0]: found a list of 0, allowed: a number"),
    ],
)
def test_what_is_wrong_is_named(changed, change: Callable[[dict[str, Any]], object], message: str) -> None:
    path = changed(change)
    with pytest.raises(HarnessError) as caught:
        load(path)
    assert caught.value.code is ExitCode.BASELINE
    assert str(caught.value).startswith(f"{path}: {message}")
    assert str(caught.value).isprintable()


def test_a_number_too_large_for_a_float_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps(MINIMAL).replace("0.25", "1e999"))
    with pytest.raises(HarnessError, match=r"stats.data\[1\]: found inf, allowed: a number"):
        load(path)
