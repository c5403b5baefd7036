"""From two runs to everything that is told about them: comparisons, gate, view, report files."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.files.atomic import write_atomically
from harness.judge.compare import Each, compare_runs
from harness.judge.comparison import Comparison
from harness.judge.controls import certify, compare_controls, judge_controls, without_controls
from harness.judge.gate import Gate, decide
from harness.judge.obstacles import same_session
from harness.judge.policy import Policy
from harness.judge.spread import Spread
from harness.model import Run, Trend
from harness.report import terminal
from harness.report.view import ReportView, build_view

if TYPE_CHECKING:
    from harness.configuration.schema import GatePolicy, MetricOverride


@dataclass(frozen=True, slots=True)
class Judgement:
    """Two runs and what is to be said of them."""

    before: Run
    after: Run
    comparisons: Sequence[Comparison]
    gate: Gate
    view: ReportView


def policy_from(
    table: "GatePolicy", metrics: "Mapping[str, MetricOverride] | None" = None, *,
    strict: bool = False, ci: bool = False, spreads: Mapping[tuple[str, str], Spread] | None = None,
) -> Policy:  # fmt: skip
    """The judge's policy as the configuration has it; ``strict`` and ``ci`` can only make it stricter.

    ``spreads`` is what is known of how much metrics vary between sessions.
    """
    required = [pattern for pattern, override in (metrics or {}).items() if override.required]
    return Policy(
        error_budget=table.error_budget,
        between_sessions=table.between_sessions,
        ignore_minor=table.ignore_minor,
        strict=table.strict or strict,
        allow_missing=table.allow_missing,
        required=(*table.required, *required),
        ci=ci,
        spreads=spreads or {},
    )


def judge(before: Run, after: Run, policy: Policy, history: Sequence[Trend] = (), *, each: Each = map) -> Judgement:
    """Compare, decide and lay out; ``history`` is shown and decides nothing. Pure, if ``each`` is: how ``compare_runs``
    goes through the metrics."""
    old, new = without_controls(before), without_controls(after)
    comparisons = compare_runs(old, new, policy, each=each)
    controls = judge_controls(compare_controls(before, after))
    gate = certify(decide(comparisons, old, new, policy), controls, policy)
    told = controls.sentence if same_session(before, after) else ""
    return Judgement(before, after, comparisons, gate, build_view(old, new, comparisons, gate, told, history))


def write_reports(judgement: Judgement, folder: Path, name: str = "report") -> tuple[Path, Path]:
    """Write ``NAME.md`` with its pictures and ``NAME.html`` into ``folder``; the paths of the two."""
    from harness.report import html, markdown, traces  # large, and not needed to compare two files

    paths = folder / f"{name}.md", folder / f"{name}.html"
    pictures = folder / "pictures"
    links = {}
    for picture in traces.files(judgement.view):
        pictures.mkdir(exist_ok=True)
        write_atomically(pictures / picture.name, picture.content.encode())
        links[picture.title] = f"{pictures.name}/{picture.name}"
    write_atomically(paths[0], markdown.render(judgement.view, links).encode())
    write_atomically(paths[1], html.render(judgement.view).encode())
    return paths


def to_terminal(judgement: Judgement, *, width: int, color: bool) -> str:
    """The table for a terminal of ``width`` columns."""
    return terminal.render(judgement.view, width=width, color=color)


def verdict_line(judgements: Sequence[Judgement], lengthened: Iterable[tuple[str, str]] = ()) -> str:
    """One line for machines: ``HARNESS-VERDICT {json}``.

    ``judgements``: of the two runs, and of the comparison with a baseline if there is one. ``lengthened``: scenario and
    metric of what a self-test slowed down.
    """
    judgement, *others = judgements
    verdict = {"session": judgement.after.session, **_verdict(judgement)}
    for against in others:
        verdict |= {"baseline": {"session": against.before.session, **_verdict(against)}}
    if names := sorted(map(":".join, lengthened)):
        verdict |= {"lengthened": names}
    return f"HARNESS-VERDICT {json.dumps(verdict, ensure_ascii=True)}"


def _verdict(judgement: Judgement) -> dict[str, object]:
    gate = judgement.gate
    return {
        "exit_code": int(gate.exit_code),
        "compared": gate.compared,
        "expected": gate.expected,
        "verdicts": {f"{c.scenario}:{c.metric.name}": c.verdict.value for c in judgement.comparisons},
    }
