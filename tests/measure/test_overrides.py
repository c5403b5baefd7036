"""What a project and a scenario's marker decide of metrics: to which of them it applies, and when to none."""

from pathlib import Path

import pytest

from harness.configuration.schema import Configuration, MetricOverride
from harness.files.journal import Journal
from harness.measure.recorder import Recorder
from harness.measure.unmatched import unmatched
from harness.model import Metric

LATENCY = Metric("latency", "s", gated=False)


@pytest.mark.parametrize("pattern", ["load/x[10]:latency", "load/x[10]:*", "load/x[[]10]:latency", "load/*:lat*"])
def test_a_limit_applies_to_a_parametrized_scenario(tmp_path: Path, pattern: str) -> None:
    override = MetricOverride(limit=0.05, required=True)
    with Journal.create(tmp_path / "journal.jsonl") as journal:
        metric = Recorder(journal, {pattern: override}).overridden("load/x[10]", LATENCY)
    assert (metric.limit, metric.required, metric.gated) == (0.05, True, True)


def test_what_applies_to_nothing_is_told() -> None:
    configuration = Configuration.model_validate(
        {
            "system": "system.toml",
            "metrics": {"load/x[10]:*": {"floor": 0.1}, "load/x[20]:*": {"floor": 0.1}, "*:latnecy": {"budget": 1.0}},
            "gate": {"allow_missing": ["load/*:latency", "old/*:latency", "gone/scenario:*"]},
        }
    )
    markers = {"load/x[[]10]:latency": MetricOverride(limit=1.0), "load/x[[]10]:tiem": MetricOverride(limit=1.0)}
    told = list(unmatched(configuration, markers, {"load/x[10]:latency"}, {"gone/scenario"}, everything=True))
    assert told == [
        'The limits of the scenario for "load/x[10]:tiem" applied to nothing that was measured.',
        '[metrics."load/x[20]:*"] of the configuration applied to nothing that was measured.',
        '[metrics."*:latnecy"] of the configuration applied to nothing that was measured.',
        'allow_missing = "old/*:latency" of the configuration names nothing that there was.',
    ]
    selected = unmatched(configuration, markers, {"load/x[10]:latency"}, (), everything=False)
    assert list(selected) == told[:1]


@pytest.mark.parametrize(
    ("table", "binds"),
    [({"limit": 0.0}, True), ({"absolute_limit": 0.0}, True), ({"budget": 0.0}, True), ({"required": True}, True),
     ({"required": False, "floor": 0.1, "gated": True}, False)],
)  # fmt: skip
def test_only_what_can_fail_has_to_apply(table: dict[str, float], *, binds: bool) -> None:
    assert MetricOverride.model_validate(table).binds is binds
