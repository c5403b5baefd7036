"""SVG as text. Every string and number of a picture passes through here and is escaped here.

Colours are given twice: as attributes, for a file of its own or a page whose styles are blocked, and by class, where a
page overrides them for its light or dark scheme.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from harness.model import Side
from harness.report.escape import visible

INK, QUIET, FAINT = "#475569", "#94a3b8", "#cbd5e1"
FILL: dict[Side, str] = {"before": "#64748b", "after": "#1d6fd8"}


@dataclass(frozen=True, slots=True)
class Axis:
    """Maps numbers from ``low`` to ``high`` onto pixels from ``start`` to ``end``; what lies outside, onto its ends."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """The pixel of ``value``."""
        share = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        return self.start + (self.end - self.start) * max(0.0, min(1.0, share))


def picture(size: tuple[float, float], title: str, told: str, shapes: Sequence[str], css: str = "picture") -> str:
    """An image of ``size`` (width, height in pixels) from finished shapes; ``told`` says in words what it shows."""
    names = [element("title", _safe(title)), *([element("desc", _safe(told))] if told else [])]
    width, height = size
    return element(
        "svg", *names, *shapes, class_=css, viewBox=f"0 0 {number(width)} {number(height)}", width=width, height=height,
        role="img", font_family="system-ui, sans-serif", font_size=12,
    )  # fmt: skip


def standalone(inline: str) -> str:
    """A picture for a file of its own: with its name space, on white."""
    opened = inline.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" style="background:#fff" ', 1)
    return f"{opened}\n"


def text(x: float, y: float, content: str, *, css: str = "label", **attributes: str | float) -> str:
    """A line of text that begins, or whatever ``text_anchor`` says, at ``x``."""
    return element("text", _safe(content), x=x, y=y, class_=css, **{"fill": INK, **attributes})


def small(x: float, y: float, content: str, anchor: str = "middle") -> str:
    """The label of a tick."""
    return text(x, y, content, css="small", text_anchor=anchor, font_size=10)


def line(x1: float, y1: float, x2: float, y2: float, *, css: str, **attributes: str | float) -> str:
    """A straight line, quiet unless ``stroke`` says otherwise."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=css, **{"stroke": QUIET, **attributes})


def grid(x1: float, y1: float, x2: float, y2: float) -> str:
    """A line to read numbers by."""
    return line(x1, y1, x2, y2, css="grid", stroke=FAINT)


def element(name: str, *children: str, **attributes: str | float) -> str:
    """An element around finished ``children``; ``class_`` is written ``class``, ``stroke_width`` ``stroke-width``."""
    parts = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_safe(value) if isinstance(value, str) else number(value)}"'
        for key, value in attributes.items()
    )
    return f"<{name}{parts}>{''.join(children)}</{name}>" if children else f"<{name}{parts}/>"


def number(value: float) -> str:
    """A coordinate, to a tenth of a pixel."""
    return f"{round(value, 1):g}"


def _safe(content: str) -> str:
    return escape(visible(content))
