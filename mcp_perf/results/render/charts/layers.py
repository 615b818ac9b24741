"""What each layer costs: in words, and as a waterfall whose steps add up to the highest layer."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from mcp_perf import numbers
from mcp_perf.results.document.comparison import Layer
from mcp_perf.results.render.charts import svg
from mcp_perf.results.render.charts.charts import Look, interval_axis
from mcp_perf.results.render.charts.scales import Scale, linear

MEANING: Final = (
    "What a layer adds to the median time of a journey: the mean difference to the layer below, "
    "paired on rounds. It includes all in which the two differ, such as where the code runs."
)
_NARROWEST: Final = 0.003
"""The smallest width of a step that can be seen, as a fraction of the plot."""


class Rung(NamedTuple):
    """One layer's line; the cost of the lowest is its whole time."""

    arm: str
    journey: str
    """The median time of a journey through it and all below."""
    cost: str
    interval: str
    remark: str
    step: Layer | None
    """None for the lowest."""


def rungs(layers: Sequence[Layer]) -> list[Rung]:
    """List the layers from the lowest upwards; nothing if no arms are layers."""
    lowest = [
        Rung(one.from_, numbers.ms(one.from_ms), numbers.ms(one.from_ms), "", "", None)
        for one in layers[:1]
    ]
    return lowest + [
        Rung(
            one.to,
            numbers.ms(one.to_ms),
            ("+" if (one.cost_ms or 0) > 0 else "") + numbers.ms(one.cost_ms),
            " to ".join(map(numbers.ms, one.ci95 or ())),
            _remark(one),
            one,
        )
        for one in layers
    ]


def _remark(one: Layer) -> str:
    if one.ci95 is None:
        return " ".join(one.warnings)
    if one.ci95[0] <= 0 <= one.ci95[1]:
        return f"no evidence of a difference to {one.from_}: the interval includes 0"
    return f"faster than {one.from_}" if one.ci95[1] < 0 else ""


def waterfall(
    layers: Sequence[Layer], looks: Mapping[str, Look]
) -> tuple[list[tuple[Rung, str]], str]:
    """Draw each layer's step and the axis that they share; nothing without layers."""
    if not layers:
        return [], ""
    x = linear(max([*_ends(layers), 1e-6]))
    drawn = [(rung, _step(rung, layers[0], x, looks[rung.arm].css)) for rung in rungs(layers)]
    ticks = [(position, f"{label}{numbers.THIN}ms") for position, label in x.ticks]
    return drawn, interval_axis(ticks)


def _ends(layers: Sequence[Layer]) -> Iterable[float]:
    for one in layers:
        yield from (ms for ms in (one.from_ms, one.to_ms) if ms is not None)
        if one.ci95 is not None and one.from_ms is not None:
            yield one.from_ms + one.ci95[1]


def _step(rung: Rung, lowest: Layer, x: Scale, css: str) -> str:
    one = rung.step
    start, end = (0.0, lowest.from_ms) if one is None else (one.from_ms, one.to_ms)
    reading = f"{rung.arm}: {rung.cost}" + (f", 95 % {rung.interval}" if rung.interval else "")
    if start is None or end is None:
        return svg.draw("rung", reading, x.ticks, css, None, None)
    left, right = sorted((x.at(start), x.at(end)))
    bar = {"left": left, "width": max(right - left, _NARROWEST), "falls": end < start}
    ends = [x.at(start + bound) for bound in (one.ci95 or () if one is not None else ())]
    return svg.draw("rung", reading, x.ticks, css, bar, ends)
