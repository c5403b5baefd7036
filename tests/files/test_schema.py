import json
from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import harness.files
from harness.files.runfile import run_bytes
from harness.model import (
    Dropped,
    Environment,
    Failure,
    Mark,
    Metric,
    Prediction,
    Run,
    Sample,
    Source,
    Trace,
    Unmeasured,
    Variant,
)

SCHEMA = json.loads(Path(harness.files.__file__).with_name("run.schema.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA)
DEFINED = {
    "metric": Metric,
    "sample": Sample,
    "prediction": Prediction,
    "mark": Mark,
    "trace": Trace,
    "failure": Failure,
    "environment": Environment,
    "variant": Variant,
    "source": Source,
    "dropped": Dropped,
    "unmeasured": Unmeasured,
    "harness": Run,
}


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(("name", "kind"), DEFINED.items())
def test_it_knows_every_field_of_the_model(name: str, kind: Any) -> None:
    own = {"format", "content_hash"} if kind is Run else set()
    required = {field.name for field in fields(kind) if field.default is MISSING and field.default_factory is MISSING}
    assert SCHEMA["$defs"][name]["properties"].keys() == own | {field.name for field in fields(kind)}
    assert set(SCHEMA["$defs"][name]["required"]) == own | required


def test_written_files_are_valid(run: Run) -> None:
    VALIDATOR.validate(json.loads(run_bytes(run)))


def test_a_file_with_anything_missing_or_of_another_type_is_not(run: Run) -> None:
    optional = {
        "notes",
        "looks",
        "own_rounds",
        "seconds_per_round",
        "dropped",
        "unmeasured",
        "selection",
        "left_out",
        "predictions",
        "traces",
        "failures",
        "environment",
        "stable",
        "volatile",
        "settings",
        "sources",
    }
    optional |= {"better", "kind", "floor", "smallest_effect", "gated", "about"}  # have defaults
    optional |= {"limit", "absolute_limit", "budget", "required", "quantile"}  # have defaults
    optional |= {"machine", "backend", "DELAY", "NAME", "commit", "cpu", "processor", "release", "system"}  # free names
    count = 0
    for parent, name in members(json.loads(run_bytes(run))):
        if name in optional or name.startswith("python_"):
            continue
        value = parent.pop(name)
        assert not VALIDATOR.is_valid(parent.root), name
        parent[name] = 3 if isinstance(value, str | dict | list | bool) or value is None else "3"
        assert not VALIDATOR.is_valid(parent.root), name
        parent[name] = value
        count += 1
    assert count > 80


class Node(dict[str, Any]):
    """An object of the document that knows the whole."""

    root: "Node"


def members(document: dict[str, Any]) -> Iterator[tuple[Node, str]]:
    """Every (object, member name) of the document, which stays the same between two of them."""
    nodes: list[Node] = []

    def wrap(found: dict[str, Any]) -> Node:
        nodes.append(Node(found))
        return nodes[-1]

    root = json.loads(json.dumps(document), object_hook=wrap)
    for node in nodes:
        node.root = root
        yield from ((node, name) for name in list(node))


def test_values_out_of_range_are_not(run: Run) -> None:
    changes: list[Callable[[dict[str, Any]], object]] = [
        lambda document: document["harness"].update(format=2),
        lambda document: document["harness"].update(state="done"),
        lambda document: document["harness"].update(content_hash="sha256:0"),
        lambda document: document["harness"].update(new=1),
        lambda document: document["harness"]["samples"][0].update(values=[]),
        lambda document: document["harness"]["samples"][0]["values"].append(1e300),
        lambda document: document["harness"]["samples"][0]["rounds"].append(0.5),
        lambda document: document["harness"]["samples"][0]["metric"].update(kind="exact"),
        lambda document: document["harness"]["variant"].update(name="third"),
        lambda document: document["benchmarks"][0]["stats"]["data"].append(0),
        lambda document: document["machine_info"].update(node="host"),
        lambda document: document.update(extra=1),
    ]
    for change in changes:
        document = json.loads(run_bytes(run))
        change(document)
        assert not VALIDATOR.is_valid(document)
