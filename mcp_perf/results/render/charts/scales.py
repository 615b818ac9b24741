"""Scales: from a value to its position along an axis, 0 to 1, and the ticks to label."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from mcp_perf import numbers
from mcp_perf.results.document.comparison import Comparison, Regression


@dataclass(frozen=True)
class Scale:
    """An axis: `at(value)` is its position; `ticks` are (position, label)."""

    at: Callable[[float], float]
    ticks: tuple[tuple[float, str], ...]
    logarithmic: bool = False

    def in_unit(self, unit: str) -> "Scale":
        """Write a unit after each label."""
        return replace(self, ticks=tuple((at, label + unit) for at, label in self.ticks))


_LOGARITHMIC_FROM: Final = 20
"""The spread (largest over smallest) from which a linear axis would flatten the small values."""
_MOST_NINES: Final = 7.0
_BEYOND: Final = 0.15
"""Nines of width between the last percentile and the longest call at the right end."""
_TIME_STEPS_S: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200)
_RATIO_LIMITS: Final = (1.1, 1.25, 1.5, 2, 3, 5, 10, 20, 50, 100, 1000)


def _position(fraction: float) -> float:
    return min(1.0, max(0.0, fraction))


def of_values(values: Iterable[float]) -> Scale:
    """Fit an axis to values: linear from zero, or logarithmic if they are spread far."""
    positive = [value for value in values if value > 0 and math.isfinite(value)]
    if not positive:
        return linear(1)
    if max(positive) / min(positive) >= _LOGARITHMIC_FROM:
        return logarithmic(min(positive), max(positive))
    return linear(max(positive))


def linear(most: float) -> Scale:
    """Fit an axis from zero to a round number, in two to five steps of 1, 2 or 5."""
    magnitude = 10.0 ** math.floor(math.log10(most / 2))
    step = next(step * magnitude for step in (1, 2, 5, 10) if most <= 5 * step * magnitude)
    steps = math.ceil(most / step - 1e-9)
    top = steps * step
    ticks = ((i / steps, _label(i * step)) for i in range(steps + 1))
    return Scale(lambda value: _position(value / top), tuple(ticks))


def _label(value: float, digits: int = 3) -> str:
    text = numbers.significant(value, digits)
    return text.rstrip("0").rstrip(".") if "." in text else text


def logarithmic(least: float, most: float) -> Scale:
    """Fit an axis between numbers of the series 1, 2, 5; a long one has ticks at powers of ten."""
    powers = range(math.floor(math.log10(least)), math.ceil(math.log10(most)) + 1)
    series = [10.0**power * factor for power in powers for factor in (1, 2, 5)]
    low = max(value for value in series if value <= least * 1.000001)
    high = min(value for value in series if value >= most / 1.000001)
    span = math.log10(high / low)

    def at(value: float) -> float:
        return _position(math.log10(value / low) / span) if value > 0 else 0.0

    every = 1 if span <= 2.5 else 3 * math.ceil(span / 7)
    ticks = ((at(value), _label(value)) for value in series[::every] if low <= value <= high)
    return Scale(at, tuple(ticks), logarithmic=True)


def of_fractions(fractions: Iterable[float]) -> Scale:
    """Stretch percentiles from 0.5 to 1, the right end: each further nine takes the same width.

    The x axis of HdrHistogram's plots (Gil Tene, hdrhistogram.github.io): log10(1 / (1 - f)).
    """
    highest = max((fraction for fraction in fractions if fraction < 1), default=0.0)
    nines = min(_MOST_NINES, max(3.0, -math.log10(1 - highest)))

    def at(fraction: float) -> float:
        if fraction >= 1:
            return 1.0
        return _position(-math.log10(2 * (1 - fraction)) / (nines + _BEYOND - math.log10(2)))

    labelled = [0.5, *(1 - 10.0**-nine for nine in range(1, math.floor(nines + 0.05) + 1))]
    return Scale(at, tuple((at(f), f"p{100 * f:.10g}") for f in labelled))


def of_time(end_s: float) -> Scale:
    """Fit an axis of time from the start of the run, with at most seven ticks."""
    step = next((step for step in _TIME_STEPS_S if end_s / step <= 6), 86_400)
    end = max(end_s, 1.0)
    ticks = ((tick / end, _time_label(tick, step)) for tick in range(0, int(end) + 1, step))
    return Scale(lambda at_s: _position(at_s / end), tuple(ticks))


def _time_label(tick_s: int, step_s: int) -> str:
    if step_s < 60:
        return f"{tick_s}{numbers.THIN}s"
    if step_s < 3600:
        return f"{tick_s // 60}{numbers.THIN}min"
    return f"{tick_s // 3600}{numbers.THIN}h"


def of_ratios(comparisons: Sequence[Comparison | Regression]) -> Scale:
    """Fit one logarithmic axis to all comparisons, 1 in the middle, so that rows can be compared.

    What lies beyond the widest limit, or is not a ratio at all, sticks to an end.
    """
    ends = [end for one in comparisons for end in (*(one.ci95 or ()), one.ratio) if end]
    spread = [max(end, 1 / end) for end in ends if end > 0 and math.isfinite(end)]
    limit = next((limit for limit in _RATIO_LIMITS if limit >= max(spread, default=1)), 1000)

    def at(ratio: float) -> float:
        if not ratio > 0:
            return 0.0
        return _position(0.5 + math.log(ratio) / math.log(limit) / 2)

    ticks = ((at(tick), _label(tick, 2) + numbers.TIMES) for tick in (1 / limit, 1, limit))
    return Scale(at, tuple(ticks))
