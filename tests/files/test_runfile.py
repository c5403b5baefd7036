import copy
import csv
import json
import random
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pytest_benchmark.stats import Stats

from harness.errors import ExitCode, HarnessError
from harness.files.benchmark_stats import stats_of
from harness.files.codec import decode, encode
from harness.files.runfile import content_hash, read_run, run_bytes, run_to_json, write_run
from harness.files.strict_json import MAX_BYTES
from harness.model import Environment, Metric, Run, Sample, Variant

NASTY = (None, True, -1, 0, 1e308, 10**30, "0.001", "", "\x1b[2J\n::error::", [], [[]], {}, {"a": 1}, float("1e-320"))


def signed(document: dict[str, Any]) -> bytes:
    section = {name: node for name, node in document["harness"].items() if name != "content_hash"}
    return json.dumps(document | {"harness": section | {"content_hash": content_hash(section)}}).encode()


def refusal(path: Path) -> HarnessError:
    with pytest.raises(HarnessError) as caught:
        read_run(path)
    assert "\n" not in str(caught.value)
    assert str(caught.value).isprintable()
    return caught.value


def test_what_is_written_is_read(run: Run, tmp_path: Path) -> None:
    write_run(run, tmp_path / "run.json")
    assert read_run(tmp_path / "run.json") == run


values = st.floats(-1e18, 1e18, allow_nan=False)


@example([5e-324], "", "", {})  # the reciprocal of the smallest time is no number
@given(st.lists(values, min_size=1, max_size=40), st.text(), st.text(), st.dictionaries(st.text(), st.text()))
@settings(max_examples=100, deadline=None, database=None)
def test_every_run_comes_back_as_it_was(tmp_path_factory, numbers, name, text, stable) -> None:
    count = tuple(range(len(numbers)))
    sample = Sample(name, Metric(text, "s", about=text), tuple(numbers), count, count)
    variant = Variant("after", text, {name: {text: text}})
    run = Run("s", variant, text, 1, 2, "interrupted", (sample,), environment=Environment(stable), notes=(text,))
    path = tmp_path_factory.mktemp("runs") / "run.json"
    write_run(run, path)
    assert read_run(path) == run


def test_the_same_run_gives_the_same_reviewable_bytes(run: Run) -> None:
    data = run_bytes(run)
    assert data == run_bytes(copy.deepcopy(run))
    lines = data.decode("ascii").splitlines()
    assert '    "values": [0.3, 0.1, 0.2]' in lines
    assert max(map(len, lines)) < 120


def test_the_file_names_no_host(run: Run) -> None:
    named = replace(run, environment=replace(run.environment, stable={"node": socket.gethostname()}))
    assert run_to_json(named)["machine_info"]["node"] == ""
    assert socket.gethostname() not in run_bytes(run).decode()


def test_only_times_are_benchmarks(run: Run) -> None:
    zero = Sample("zero", Metric("t", "s"), (0.0, 1.0), (0, 1), (0, 0))
    names = [benchmark["name"] for benchmark in run_to_json(replace(run, samples=(*run.samples, zero)))["benchmarks"]]
    assert names == ["startup/cold:ready"]


@given(st.lists(st.floats(1e-9, 1e9), min_size=1, max_size=60))
@settings(max_examples=200, deadline=None, database=None)
def test_the_statistics_are_those_of_pytest_benchmark(data: list[float]) -> None:
    oracle = Stats()
    for value in data:
        oracle.update(value)
    assert stats_of(data) == oracle.as_dict() | {"data": data, "iterations": 1}


def test_pytest_benchmark_compares_two_of_our_files(run: Run, tmp_path: Path) -> None:
    other = replace(run.samples[0], values=(0.6, 0.2, 0.4))
    write_run(run, tmp_path / "1-before.json")
    write_run(replace(run, samples=(other, *run.samples[1:])), tmp_path / "2-after.json")
    command = [str(Path(sys.executable).with_name("pytest-benchmark")), "compare", "1-before.json", "2-after.json"]
    options = ["--csv=out.csv", "--columns=min,max,mean,stddev,median,iqr,outliers,ops,rounds,iterations"]
    done = subprocess.run([*command, *options], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=True)
    assert "Failed to load" not in done.stderr + done.stdout
    assert "startup/cold:ready" in done.stdout
    with (tmp_path / "out.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["name"], float(row["median"]), int(row["rounds"])) for row in rows] == [
        ("startup/cold:ready", 0.2, 3),
        ("startup/cold:ready", 0.4, 3),
    ]
    between = subprocess.run(
        [*command, "--between=median"], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=True
    )
    assert re.search(r"startup/cold:ready.*200.*400", between.stdout)


def test_a_changed_digit_is_noticed(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_bytes(run_bytes(run).replace(b'"values": [0.3,', b'"values": [0.2,'))
    error = refusal(path)
    assert error.code is ExitCode.INTEGRITY
    assert str(error) == f"{path}: the content hash differs: the file was changed after it was written"


def without(name: str) -> Callable[[dict[str, Any]], object]:
    return lambda section: section.pop(name)


def setting(name: str, value: object) -> Callable[[dict[str, Any]], object]:
    return lambda section: section.update({name: value})


def in_sample(**members: object) -> Callable[[dict[str, Any]], object]:
    return lambda section: section["samples"][0].update(members)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without("format"), "harness.format: found nothing, allowed: a value"),
        (
            setting("format", 2),
            "harness.format: found 2, written by a newer version, allowed: at most 1: update the harness",
        ),
        (setting("format", "1"), 'harness.format: found "1", allowed: 1'),
        (setting("format", value=True), "harness.format: found true, allowed: 1"),
        (setting("format", 0), "harness.format: found 0, allowed: 1"),
        (without("samples"), "harness.samples: found nothing, allowed: a value"),
        (setting("new", 1), "harness.new: found an unknown key, allowed: one of session, "),
        (setting("seed", 1.5), "harness.seed: found 1.5, allowed: a whole number"),
        (setting("seed", value=True), "harness.seed: found true, allowed: a whole number"),
        (setting("state", "done"), 'harness.state: found "done", allowed: complete or interrupted'),
        (setting("notes", "x"), 'harness.notes: found "x", allowed: a list'),
        (setting("notes", ["a", 3]), "harness.notes[1]: found 3, allowed: a string"),
        (setting("samples", {}), "harness.samples: found an object, allowed: a list"),
        (setting("samples", [3]), "harness.samples[0]: found 3, allowed: an object"),
        (setting("environment", {"stable": {"a": 1}}), "harness.environment.stable.a: found 1, allowed: a string"),
        (
            in_sample(values=[0.1, "0.2", 0.3]),
            'harness.samples[0].values[1]: found "0.2", allowed: a number within ±1e+18',
        ),
        (in_sample(values=[0.1, 0.2, True]), "harness.samples[0].values[2]: found true, allowed: a number"),
        (in_sample(values=[0.1, 0.2, None]), "harness.samples[0].values[2]: found null, allowed: a number"),
        (in_sample(values=[0.1, 0.2, 1e308]), "harness.samples[0].values[2]: found 1e+308, allowed: a number"),
        (in_sample(values=[0.1, 0.2]), "harness.samples[0]: found 3 rounds and 3 pairs, allowed: 2 of each"),
        (
            in_sample(values=[], rounds=[], pairs=[]),
            "harness.samples[0].values: found no values, allowed: at least one",
        ),
        (
            lambda section: section["samples"].append(section["samples"][0]),
            "harness.samples[3]: found the scenario and metric of samples[0], allowed: every metric once",
        ),
        (
            lambda section: section["samples"][0]["metric"].update(gated=1),
            "harness.samples[0].metric.gated: found 1, allowed: true or false",
        ),
    ],
)
def test_what_is_wrong_is_named(
    run: Run, tmp_path: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    document = json.loads(run_bytes(run))
    change(document["harness"])
    path = tmp_path / "run.json"
    path.write_bytes(signed(document))
    error = refusal(path)
    assert error.code is ExitCode.BASELINE
    assert str(error).startswith(f"{path}: {message}")


def test_a_section_that_is_no_object_or_has_no_hash_is_refused(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text('{"harness": []}')
    assert str(refusal(path)).endswith("harness: found a list of 0, allowed: an object")
    document = json.loads(run_bytes(run))
    del document["harness"]["content_hash"]
    path.write_text(json.dumps(document))
    assert str(refusal(path)).endswith("harness.content_hash: found nothing, allowed: a value")


def test_a_field_with_a_default_may_be_missing(run: Run, tmp_path: Path) -> None:
    document = json.loads(run_bytes(run))
    del document["harness"]["notes"]
    (tmp_path / "old.json").write_bytes(signed(document))
    assert read_run(tmp_path / "old.json") == replace(run, notes=())


@pytest.mark.parametrize(
    "sample",
    [
        Sample("s", Metric("m", "s"), (), (), ()),
        Sample("s", Metric("m", "s"), (1.0,), (0, 1), (0,)),
        Sample("startup/cold", Metric("ready", "s"), (1.0,), (0,), (0,)),
        Sample("s", Metric("m", "s"), (float("nan"),), (0,), (0,)),
        Sample("s", Metric("m", "s"), (1e19,), (0,), (0,)),
    ],
)
def test_what_could_not_be_read_is_not_written(run: Run, tmp_path: Path, sample: Sample) -> None:
    with pytest.raises(ValueError, match=r"found|only finite numbers"):
        write_run(replace(run, samples=(*run.samples, sample)), tmp_path / "run.json")
    assert list(tmp_path.iterdir()) == []


def test_a_run_too_large_to_be_read_is_not_written(run: Run, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="too large, allowed: 67108864"):
        write_run(replace(run, notes=("x" * MAX_BYTES,)), tmp_path / "run.json")
    assert list(tmp_path.iterdir()) == []


def test_what_has_no_form_in_json_is_a_mistake_of_ours() -> None:
    with pytest.raises(TypeError, match="set cannot be stored"):
        encode({1})
    with pytest.raises(TypeError, match="no decoder for"):
        decode(set, [])


def test_damaged_bytes_are_refused_or_change_nothing(run: Run, tmp_path: Path) -> None:
    data, path, chance, refused = run_bytes(run), tmp_path / "run.json", random.Random(4), 0
    for _ in range(2_000):
        damaged = bytearray(data)
        start = chance.randrange(len(damaged))
        damaged[start : start + chance.choice((0, 1, 1, 5, 400))] = chance.choice(
            (b"", chance.randbytes(1), b"9", b"NaN", b"1e999", b"[", b"}", b'"', b"\\", b"true", b"null", b"9" * 5000)
        )
        path.write_bytes(damaged)
        answer = attempt(path)
        if isinstance(answer, Run):
            assert answer == run
        else:
            refused += 1
            assert answer.code in (ExitCode.BASELINE, ExitCode.INTEGRITY)
            assert str(answer).isprintable()
    assert refused > 1_000


def test_hostile_values_anywhere_are_refused_or_harmless(run: Run, tmp_path: Path) -> None:
    path, chance = tmp_path / "run.json", random.Random(5)
    for _ in range(2_000):
        document = json.loads(run_bytes(run))
        mutate(document["harness"], chance)
        path.write_bytes(signed(document))
        answer = attempt(path)
        if isinstance(answer, Run):
            write_run(answer, path)
            assert read_run(path) == answer
        else:
            assert answer.code is ExitCode.BASELINE
            assert str(answer).isprintable()


def attempt(path: Path) -> Run | HarnessError:
    try:
        return read_run(path)
    except HarnessError as error:
        return error


def mutate(node: Any, chance: random.Random) -> None:
    """Put something nasty at a random place below ``node``."""
    while True:
        key = chance.choice(list(node)) if isinstance(node, dict) else chance.randrange(len(node))
        child = node[key]
        if not isinstance(child, dict | list) or not child or chance.random() < 0.2:
            break
        node = child
    if chance.random() < 0.2:
        del node[key]
    else:
        node[key] = chance.choice(NASTY)
