"""What of the collected scenarios a session measures, and what it leaves out."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from _pytest.skipping import evaluate_skip_marks, evaluate_xfail_marks
from pydantic import ValidationError

from harness.configuration.load import Project
from harness.configuration.schema import MetricOverride

_MOST = 200
"""Characters of a selection that are kept."""


def why_not_run(item: pytest.Item) -> str:
    """Why pytest will not run ``item``, as its marks say; empty when it will."""
    skip = evaluate_skip_marks(item)
    if skip is not None:
        return f"skipped: {skip.reason}" if skip.reason else "skipped"
    xfail = evaluate_xfail_marks(item)
    if xfail is not None and not xfail.run:
        return f"expected to fail, not run: {xfail.reason}" if xfail.reason else "expected to fail, not run"
    return ""


def selection(config: pytest.Config, project: Project, selected: int, collected: int) -> str:
    """What was selected of all scenarios of ``project``, for people; empty when everything was."""
    here = config.invocation_params.dir
    paths = [(here / argument.partition("::")[0]).resolve() for argument in config.args if "::" not in argument]
    parts = []
    if not all(_covered(folder.resolve(), paths) for folder in project.scenarios):
        parts.append("only " + ", ".join(config.args))
    if selected < collected:
        parts.append(f"{selected} of {collected} collected scenarios")
    return "; ".join(parts)[:_MOST]


def _covered(folder: Path, paths: Sequence[Path]) -> bool:
    return any(folder.is_relative_to(path) for path in paths)


def limits_of(item: pytest.Item, limits: object) -> Mapping[str, MetricOverride]:
    """The marker's ``limits`` of ``item``, checked: metric -> what is decided of it; UsageError when it cannot be."""
    if not isinstance(limits, dict) or not all(isinstance(name, str) for name in limits):
        raise pytest.UsageError(f"{item.nodeid}: scenario(limits={limits!r:.80}): allowed is a metric's name -> a dict")
    found = {}
    for name, table in limits.items():
        try:
            found[name] = MetricOverride.model_validate(table)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, (name, *first["loc"])))
            allowed = ", ".join(MetricOverride.model_fields)
            told = f"{first['msg'].lower()}, found {first['input']!r:.80}; keys are {allowed}"
            raise pytest.UsageError(f"{item.nodeid}: scenario(limits): {where}: {told}") from None
    return found
