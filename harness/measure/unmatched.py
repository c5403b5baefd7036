"""Patterns that applied to nothing: a name that is misspelt decides nothing, and nobody would notice."""

from collections.abc import Collection, Iterator, Mapping

from harness.configuration.schema import Configuration, MetricOverride
from harness.patterns import excused, matches, told


def unmatched(
    configuration: Configuration,
    markers: Mapping[str, MetricOverride],
    measured: Collection[str],
    left_out: Collection[str],
    *,
    everything: bool,
) -> Iterator[str]:
    """A note for every pattern of ``scenario:metric`` that means nothing of what there was. Pure.

    ``markers``: patterns of the scenarios that were measured; ``measured``: names of metrics with values; ``left_out``:
    scenarios that were not measured, because they were skipped or left to longer sessions. Unless ``everything`` was
    selected only the markers can be told: what the project says of the rest was not asked for.
    """
    scenarios = {name.rpartition(":")[0] for name in measured}
    for pattern in markers:
        if not any(matches(name, pattern) for name in measured):
            yield f'The limits of the scenario for "{told(pattern)}" applied to nothing that was measured.'
    if not everything:
        return
    for pattern in configuration.metrics:
        if not any(matches(name, pattern) for name in measured) and not excused(pattern, left_out, scenarios):
            yield f'[metrics."{pattern}"] of the configuration applied to nothing that was measured.'
    for pattern in configuration.gate.allow_missing:
        if not any(matches(name, pattern) for name in measured) and not excused(pattern, left_out, scenarios):
            yield f'allow_missing = "{pattern}" of the configuration names nothing that there was.'
