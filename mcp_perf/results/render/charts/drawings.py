"""Charts of a page as separate drawings: SVG of a fixed size, with the styles inside.

In a page, positions are percentages, and lines stretch with the plot; see charts.svg.j2.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, Final, NamedTuple
from xml.etree.ElementTree import Element, SubElement, tostring

from mcp_perf import folders
from mcp_perf.results.render.words import templates


class _Size(NamedTuple):
    """The area in which positions are percentages, and the room for labels around it; in pixels."""

    width: int
    height: int
    left: int = 24
    top: int = 0
    right: int = 24
    bottom: int = 0


_SIZES: Final = {
    "chart": _Size(636, 160, left=48, top=20, right=16, bottom=24),
    "axis": _Size(200, 16),
    "interval": _Size(200, 24),
    "rung": _Size(200, 36),
    "sample": _Size(28, 16, left=0, right=0),
}
_UNITS: Final = 1000
"""Side of the square in which lines are drawn; see svg.py."""
_POINT: Final = re.compile(r"(-?[\d.]+) (-?[\d.]+)")
_ACROSS: Final = ("x", "x1", "x2", "cx", "width")
_DOWN: Final = ("y", "y1", "y2", "cy", "height")
_KEPT: Final = (*_ACROSS, *_DOWN, "d", "dx", "dy", "r", "text-anchor")


@cache
def colours() -> dict[str, str]:
    """Return the colours of report.css on white paper."""
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", _css().partition("@media")[0]))


def _css() -> str:
    return (folders.shipped("templates") / "report.css").read_text("utf-8")


@cache
def _style() -> str:
    dashes = dict(re.findall(r"\.(arm-\d) \{[^}]*--dash: ([\d ]+);", _css()))
    made = templates.environment(lambda value: value).get_template("drawing.css.j2")
    return made.render(colours=colours(), dashes=dashes)


def standalone(node: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what stands for an SVG of a page: a drawing and what it says, or nothing for an icon.

    Elements are dictionaries of `tag`, `css`, `attrs` and `kids`.
    """
    kind = next((name for name in _SIZES if name in node["css"]), None)
    if kind is None:
        return []
    size = _SIZES[kind]
    width, height = size.left + size.width + size.right, size.top + size.height + size.bottom
    shape = {"width": str(width), "height": str(height), "xmlns": "http://www.w3.org/2000/svg"}
    root = Element("svg", {**shape, "viewBox": f"{-size.left} {-size.top} {width} {height}"})
    SubElement(root, "style").text = _style()
    _build(SubElement(root, "g", {"class": kind}), node, size)
    said = [one for one in node["kids"] if _tag(one) in ("title", "desc")]
    words = " ".join(kid for one in said for kid in one["kids"])
    drawing = {"svg": tostring(root, "unicode"), "width": width, "words": words}
    return [{"tag": "drawing", "css": [kind], "kids": [], **drawing}]


def _tag(node: dict[str, Any] | str) -> str:
    return "" if isinstance(node, str) else str(node["tag"])


def _build(parent: Element, node: dict[str, Any], size: _Size) -> None:
    """Add the elements of a node; only those without elements in them have text."""
    for kid in node["kids"]:
        tag = _tag(kid)
        if not tag:
            parent.text = (parent.text or "") + kid
        elif tag == "svg":
            _build(parent, kid, size)
        elif tag not in ("title", "desc") and "hit" not in kid["css"]:
            _build(SubElement(parent, tag, dict(_attributes(kid, size))), kid, size)


def _attributes(node: dict[str, Any], size: _Size) -> Iterator[tuple[str, str]]:
    yield "class", " ".join(node["css"])
    for name, value in node["attrs"].items():
        if name in _KEPT:
            yield name, _fixed(name, value, size)


def _fixed(name: str, value: str, size: _Size) -> str:
    """Put a position, or the points of a line, where they are in a drawing of this size."""
    if name == "d":
        return _POINT.sub(lambda point: _in_pixels(point, size), value).replace("h0", "h0.01")
    if value.endswith("%"):
        return f"{float(value[:-1]) / 100 * (size.height if name in _DOWN else size.width):.2f}"
    return value


def _in_pixels(point: re.Match[str], size: _Size) -> str:
    x, y = (float(number) / _UNITS for number in point.groups())
    return f"{x * size.width:.2f} {y * size.height:.2f}"
