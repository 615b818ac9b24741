"""Inline SVG: shapes of a template, filled in so that no text can become markup."""

from typing import Any, Final
from xml.sax.saxutils import escape

from markupsafe import Markup

from mcp_perf.results.document.text import visible
from mcp_perf.results.render.words.templates import environment

_UNITS: Final = 1000
"""Side of the square in which lines are drawn before it is stretched over the plot."""


def path(positions: list[tuple[float, float]]) -> str:
    """Write a line through positions, x from the left and y from the bottom, both from 0 to 1.

    A single position becomes a dot, if the stroke has round caps.
    """
    points = [f"{_UNITS * x:.1f} {_UNITS * (1 - y):.1f}" for x, y in positions]
    return f"M{'L'.join(points)}" + ("h0" if len(points) == 1 else "")


def draw(shape: str, *given: Any) -> str:
    """Fill in a shape; its macro in charts.svg.j2 has the same arguments."""
    return str(getattr(_ENVIRONMENT.get_template("charts.svg.j2").module, shape)(*given))


def _written(value: Any) -> Markup:
    text = escape(visible(str(value)), {'"': "&quot;"})
    return value if isinstance(value, Markup) else Markup(text)  # noqa: S704 -- escaped


_ENVIRONMENT: Final = environment(_written)
_ENVIRONMENT.filters["per_cent"] = lambda fraction: (
    f"{100 * fraction:.2f}".rstrip("0").rstrip(".") + "%"
)
