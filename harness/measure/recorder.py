"""From what a scenario says to lines of the journal."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from harness.configuration.schema import MetricOverride
from harness.files.journal import Journal
from harness.files.records import MetricDefined, Predicted, Record, Value
from harness.model import Metric, Side
from harness.patterns import matches

_BOUNDS = {"limit", "absolute_limit", "budget"}


class Recorder:
    """Checks values and writes them; defines each metric once, with the project's overrides applied.

    Of the overrides that match a metric, the first that says something of a key decides it.
    """

    def __init__(self, journal: Journal, overrides: Mapping[str, MetricOverride]) -> None:
        self._journal = journal
        self._overrides = overrides
        self._defined: dict[tuple[str, str], Metric] = {}
        self._predicted: set[Predicted] = set()

    def write(self, *records: Record) -> None:
        """Append records; a prediction that was written before is not written again."""
        for record in records:
            if isinstance(record, Predicted):
                if record in self._predicted:
                    continue
                self._predicted.add(record)
            self._journal.write(record)

    def sync(self) -> None:
        """Make what was written survive the machine."""
        self._journal.sync()

    def value(self, side: Side, scenario: str, metric: Metric, *, round: int, pair: int, value: float) -> Value:
        """The record of one value; ValueError when the value is none that the metric can have."""
        self._define(scenario, metric)
        problem = _problem(metric, value)
        if problem:
            raise ValueError(f"{scenario}: {metric.name} = {value!r}: {problem}")
        return Value(side, scenario, metric.name, round, pair, float(value))

    def _define(self, scenario: str, metric: Metric) -> None:
        known = self._defined.get((scenario, metric.name))
        q = metric.quantile
        if q is not None and not (0 < q < 1 and metric.kind == "noisy"):
            raise ValueError(f"{scenario}: {metric.name}: quantile {q!r} is not between 0 and 1 of a noisy metric")
        if known is None:
            self._defined[scenario, metric.name] = metric
            self.write(MetricDefined(scenario, self.overridden(scenario, metric)))
        elif known != metric:
            raise ValueError(f"{scenario}: two different metrics are called {metric.name!r}")

    def overridden(self, scenario: str, metric: Metric) -> Metric:
        """``metric`` of ``scenario`` as it is judged, with what the project decides of it."""
        decided: dict[str, Any] = {}
        for pattern, override in self._overrides.items():
            if matches(f"{scenario}:{metric.name}", pattern):
                decided = override.model_dump(exclude_none=True) | decided
        if decided.keys() & _BOUNDS:
            decided.setdefault("gated", True)
        return replace(metric, **decided)


def _problem(metric: Metric, value: float) -> str:
    if not math.isfinite(value):
        return "not a finite number"
    if metric.kind == "rate" and value not in (0, 1):
        return "a trial is 1 (it happened) or 0"
    if metric.kind == "count" and (value < 0 or value != int(value)):
        return "a count is a whole number, 0 or more"
    return ""
