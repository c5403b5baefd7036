"""What a search found, as tables for the terminal and Markdown, as a settings block, and as JSON. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite

from harness.model import Metric
from harness.report import wording
from harness.report.escape import markdown, terminal
from harness.tune.candidates import Candidate, Confirmed, Estimate, Search
from harness.tune.estimates import paired
from harness.units import format_change

_SHOWN_FRONT = 40
"""Rows of the front in a document; the rest is in the JSON."""


@dataclass(frozen=True, slots=True)
class Tuning:
    """What one command found."""

    name: str
    """``retry``, ``pool`` or ``cache``."""
    service: str
    search: Search
    picked: tuple[Candidate, ...]
    confirmed: tuple[Confirmed, ...] = ()
    extra: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Further columns: heading -> name of a candidate -> text."""
    notes: tuple[str, ...] = ()
    """What was assumed, how it was measured."""

    @property
    def named(self) -> tuple[Candidate, ...]:
        """The variants, then what was picked."""
        return (*self.search.current, *self.picked)


@dataclass(frozen=True, slots=True)
class Table:
    """A heading, and rows under a header."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def tables(tuning: Tuning) -> list[Table]:
    """What was predicted of the variants and the picked; what was measured of them."""
    found = [_predicted(tuning)]
    if tuning.confirmed:
        found.append(_measured(tuning))
    changes = _changes(tuning)
    return [*found, changes] if changes.rows else found


def _predicted(tuning: Tuning) -> Table:
    search = tuning.search
    settings = tuple(tuning.named[0].settings)
    header = ("", *settings, *(o.name for o in search.objectives), *tuning.extra, "dominated by", "why")
    rows = []
    for candidate in tuning.named:
        others = len(search.dominating(candidate))
        rows.append(
            (
                candidate.name,
                *candidate.settings.values(),
                *(wording.amount(candidate.predicted[o.name], o) for o in search.objectives),
                *(texts.get(candidate.name, "") for texts in tuning.extra.values()),
                f"{others} of {len(search.front)}" if others else "none: it is on the front",
                candidate.why or "as it is",
            )
        )
    return Table("Predicted", header, tuple(rows))


def _measured(tuning: Tuning) -> Table:
    header = ["", "n"]
    for objective in tuning.search.objectives:
        header += [objective.name, "model", "measured − model"]
    rows = []
    for one in tuning.confirmed:
        any_estimate = next(iter(one.measured.values()))
        row = [one.candidate.name, f"{any_estimate.n} in {any_estimate.rounds} rounds"]
        for objective in tuning.search.objectives:
            row += [
                interval(one.measured[objective.name], objective),
                wording.amount(one.drawn[objective.name], objective),
                gap(one, objective),
            ]
        rows.append(tuple(row))
    return Table("Measured (with the 95 % interval) beside the model of the same draws", tuple(header), tuple(rows))


def _changes(tuning: Tuning) -> Table:
    """What each of the picked changes against each variant, as measured."""
    measured = {one.candidate.name: one for one in tuning.confirmed}
    variants = [measured[one.name] for one in tuning.search.current if one.name in measured]
    objectives = tuning.search.objectives
    rows = []
    for one in tuning.confirmed:
        if one.candidate in tuning.search.current:
            continue
        for variant in variants:
            differences = (_difference(paired(one, variant, objective), objective) for objective in objectives)
            rows.append((f"{one.candidate.name} − {variant.candidate.name}", *differences))
    title = "Measured differences in the same rounds, with the 95 % interval"
    return Table(title, ("", *(objective.name for objective in objectives)), tuple(rows))


def _difference(estimate: Estimate, metric: Metric) -> str:
    texts = (wording.change(x, metric, "absolute") if isfinite(x) else "?" for x in _numbers(estimate))
    value, low, high = texts
    return f"{value} [{low}, {high}]"


def _numbers(estimate: Estimate) -> tuple[float, float, float]:
    return estimate.value, estimate.low, estimate.high


def interval(estimate: Estimate, metric: Metric) -> str:
    """A mean inside its interval, such as ``3.05 s [2.9 s, 3.2 s]``."""
    bounds = (wording.amount(x, metric) if isfinite(x) else "?" for x in (estimate.low, estimate.high))
    return f"{wording.amount(estimate.value, metric)} [{', '.join(bounds)}]"


def gap(one: Confirmed, objective: Metric) -> str:
    """By how much measured differs from the model: relative, or in points of a rate; with its interval."""
    difference, drawn = one.gap[objective.name], one.drawn[objective.name]
    unit = 1.0 if objective.kind == "rate" else drawn
    if unit == 0:
        return wording.amount(difference.value, objective)
    value, low, high = (format_change(x / unit) if isfinite(x) else "?" for x in _numbers(difference))
    text = f"{value} [{low}, {high}]"
    return text.replace(" %", " points") if objective.kind == "rate" else text


def settings_block(tuning: Tuning, candidate: Candidate) -> str:
    """The settings of ``candidate`` for the system's configuration, as TOML."""
    lines = [f"[variants.after.{tuning.service}.settings]"]
    lines += [f"{name} = {value}" for name, value in candidate.settings.items()]
    return "\n".join(lines)


def to_terminal(tuning: Tuning) -> str:
    """The tables with aligned columns, the notes, and the settings of the first that was picked."""
    lines = [f"harness tune {tuning.name}: {_summary(tuning)}"]
    for table in tables(tuning):
        lines += ["", table.title, *_aligned((table.header, *table.rows))]
    lines += ["", *tuning.notes]
    if tuning.picked:
        lines += ["", f"Settings of {tuning.picked[0].name}:", *settings_block(tuning, tuning.picked[0]).splitlines()]
    return "\n".join(map(terminal, lines))


def to_markdown(tuning: Tuning, picture: str) -> str:
    """The same as a document; ``picture`` is a file beside it."""
    lines = [f"# harness tune {tuning.name}", "", markdown(_summary(tuning)), ""]
    lines += [f"- {markdown(note)}" for note in tuning.notes]
    lines += ["", f"![Candidates and their front]({picture})"]
    for table in tables(tuning):
        lines += ["", f"## {table.title}", "", *_pipes(table)]
    for candidate in tuning.picked:
        title = f"## Settings of {candidate.name}: {markdown(candidate.why)}"
        lines += ["", title, "", "```toml", settings_block(tuning, candidate), "```"]
    lines += ["", "## The front", "", *_pipes(_front(tuning))]
    return "\n".join(lines) + "\n"


def to_json(tuning: Tuning) -> dict[str, object]:
    """Everything, with numbers in base units."""

    def told(candidate: Candidate) -> dict[str, object]:
        return {
            "name": candidate.name,
            "why": candidate.why,
            "settings": dict(candidate.settings),
            "predicted": dict(candidate.predicted),
        }

    def number(estimate: Estimate) -> dict[str, float | None]:
        bounds = [x if isfinite(x) else None for x in (estimate.low, estimate.high)]
        return {"mean": estimate.value, "low": bounds[0], "high": bounds[1], "rounds": estimate.rounds, "n": estimate.n}

    return {
        "tune": tuning.name,
        "notes": list(tuning.notes),
        "objectives": [{"name": o.name, "unit": o.unit, "better": o.better} for o in tuning.search.objectives],
        "tried": len(tuning.search.tried),
        "variants": [told(candidate) for candidate in tuning.search.current],
        "picked": [told(candidate) for candidate in tuning.picked],
        "front": [told(candidate) for candidate in tuning.search.front],
        "measured": [
            {
                "name": one.candidate.name,
                "measured": {name: number(value) for name, value in one.measured.items()},
                "model": dict(one.drawn),
                "measured - model": {name: number(value) for name, value in one.gap.items()},
            }
            for one in tuning.confirmed
        ],
    }


def _summary(tuning: Tuning) -> str:
    search = tuning.search
    dominated = [c.name for c in search.current if search.dominating(c)]
    told = f"{len(search.tried)} candidates, {len(search.front)} on the front"
    if dominated:
        return f"{told}; dominated: {' and '.join(dominated)}"
    return f"{told}; no variant is dominated" if search.current else told


def _front(tuning: Tuning) -> Table:
    search = tuning.search
    header = (*tuning.named[0].settings, *(o.name for o in search.objectives))
    rows = [
        (*c.settings.values(), *(wording.amount(c.predicted[o.name], o) for o in search.objectives))
        for c in search.front[:: max(1, -(-len(search.front) // _SHOWN_FRONT))]
    ]
    thinned = f"{len(rows)} of {len(search.front)}, evenly" if len(rows) < len(search.front) else "all"
    return Table(thinned, header, tuple(rows))


def _pipes(table: Table) -> Iterable[str]:
    yield _row(table.header)
    yield _row(["---"] * len(table.header))
    yield from map(_row, table.rows)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell if cell == "---" else markdown(cell) for cell in cells) + " |"


def _aligned(rows: Sequence[Sequence[str]]) -> Iterable[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
