"""The report as one HTML file that needs nothing else: no script, no network, pictures inside."""

from collections.abc import Callable
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from harness.report import charts, traces, wording
from harness.report.escape import visible
from harness.report.trend import trend_picture
from harness.report.view import ReportView, common_warnings, shared_warnings


def render(view: ReportView) -> str:
    """The report as a complete HTML document."""
    return _template().render(view=view)


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("harness.report"),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pictures = (
        charts.change_bar, charts.distribution, charts.drawn_order, traces.startup, traces.timeline, trend_picture
    )  # fmt: skip
    environment.filters |= {draw.__name__: _drawing(draw) for draw in pictures}
    environment.globals |= {
        "axis": _drawing(charts.change_axis)(),
        "common_warnings": common_warnings,
        "definitions": wording.DEFINITIONS,
        "has_values": charts.has_values,
        "shared_warnings": shared_warnings,
        "symbols": wording.SYMBOLS,
    }
    return environment.get_template("report.html")


def _shown(value: object) -> object:
    """What every expression of a template passes through, before it is escaped."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _drawing(draw: Callable[..., str]) -> Callable[..., Markup]:
    return lambda *drawn: Markup(draw(*drawn))  # noqa: S704 - harness.report.svg escapes all that it writes
