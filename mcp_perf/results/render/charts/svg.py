"""Inline SVG as elements, so that no text can become markup."""

from typing import Final
from xml.etree import ElementTree as ET

from mcp_perf.results.render.words.text import visible

UNITS: Final = 1000
"""Side of the square in which lines are drawn before it is stretched over the plot."""


def element(tag: str, *children: ET.Element | str, **attributes: str) -> ET.Element:
    """Build an element; in attribute names an underscore stands for a dash, `class_` for class."""
    names = {name: name.rstrip("_").replace("_", "-") for name in attributes}
    built = ET.Element(tag, {names[name]: visible(attributes[name]) for name in attributes})
    for child in children:
        if isinstance(child, str):
            built.text = visible(child)
        else:
            built.append(child)
    return built


def per_cent(fraction: float) -> str:
    """Write a position along an axis; text and strokes keep their size when it stretches."""
    return f"{100 * fraction:.2f}".rstrip("0").rstrip(".") + "%"


def path(positions: list[tuple[float, float]]) -> str:
    """Write a line through positions, x from the left and y from the bottom, both from 0 to 1.

    A single position becomes a dot, if the stroke has round caps.
    """
    points = [f"{UNITS * x:.1f} {UNITS * (1 - y):.1f}" for x, y in positions]
    return f"M{'L'.join(points)}" + ("h0" if len(points) == 1 else "")


def stretched(*children: ET.Element) -> ET.Element:
    """Hold shapes drawn in `UNITS`, stretched over the whole plot."""
    box = f"0 0 {UNITS} {UNITS}"
    return element(
        "svg", *children, viewBox=box, preserveAspectRatio="none", width="100%", height="100%"
    )


def text(root: ET.Element) -> str:
    """Write an element as it stands inside HTML."""
    return ET.tostring(root, "unicode")
