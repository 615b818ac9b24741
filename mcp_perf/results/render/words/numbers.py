"""How numbers are written: the same digits and units in every rendering.

A rendering must never claim more than was measured, so three significant digits are the rule; and
it must never hide a difference that decides, so a rate above zero is never written as 0 %, nor one
below one as 100 %. What was not measured is written as `NONE`.
"""

import math
from typing import Final

NONE: Final = "\u2013"
"""An en dash: not measured, which is not zero."""
THIN: Final = "\u202f"
"""A narrow space that does not break: between thousands, and between a number and its unit."""
TIMES: Final = "\u00d7"


def is_number(value: float | None) -> bool:
    """Tell whether there is a finite number to write."""
    return value is not None and math.isfinite(value)


def significant(value: float | None, digits: int = 3) -> str:
    """Write a number with so many significant digits, never as an exponent; whole from there on.

    `0.0421`, `61.2`, `1 530` (with a narrow space).
    """
    if value is None or not math.isfinite(value):
        return NONE
    if value == 0:
        return "0"
    rounded = float(f"{value:.{digits - 1}e}")
    decimals = digits - 1 - math.floor(math.log10(abs(rounded)))
    if decimals > 0:
        return f"{rounded:,.{decimals}f}".replace(",", THIN)
    return f"{value:,.0f}".replace(",", THIN)


def count(value: float | None) -> str:
    """Write a whole number, thousands apart."""
    return NONE if not is_number(value) else f"{value:,.0f}".replace(",", THIN)


def with_unit(value: float | None, unit: str, digits: int = 3) -> str:
    """Write a number and its unit."""
    return f"{significant(value, digits)}{THIN}{unit}" if is_number(value) else NONE


def ms(value: float | None) -> str:
    """Write milliseconds."""
    return with_unit(value, "ms")


def seconds(value: float | None) -> str:
    """Write a length of time as people say it: `12.4 s`, `3 min 05 s`, `2 h 00 min`."""
    if value is None or not math.isfinite(value):
        return NONE
    if value < 100:
        return with_unit(value, "s")
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours:,}{THIN}h {minutes:02}{THIN}min".replace(",", THIN)
    return f"{minutes}{THIN}min {rest:02}{THIN}s"


def rate(value: float | None) -> str:
    """Write something per second."""
    return f"{significant(value)}/s" if is_number(value) else NONE


def byte_size(value: float | None, digits: int = 3) -> str:
    """Write bytes in decimal units: `812 B`, `1.23 MB`."""
    if value is None or not math.isfinite(value):
        return NONE
    for unit in ("B", "kB", "MB", "GB"):
        if abs(value) < 999.5:
            return with_unit(value, unit, digits)
        value /= 1000
    return with_unit(value, "TB", digits)


def percent(fraction: float | None, digits: int = 3) -> str:
    """Write a fraction as a percentage: `0.5 %`, and `99.97 %` rather than `100 %`."""
    if fraction is None or not math.isfinite(fraction):
        return NONE
    value = 100 * fraction
    if 90 < value < 100:
        text = f"{value:.{1 - math.floor(math.log10(100 - value))}f}"
    else:
        text = significant(value, digits)
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text}{THIN}%"


def per_hour(fraction: float | None) -> str:
    """Write by how much something grows: `0.5 %/h`, `-2 %/h`."""
    if fraction is None or not math.isfinite(fraction):
        return NONE
    return f"{significant(100 * fraction)}{THIN}%/h"


def ratio(value: float | None) -> str:
    """Write a ratio: `3.40x` with the sign for times; finer near 1, where it matters."""
    if value is None or not math.isfinite(value):
        return NONE
    text = f"{value:.3f}" if 0.9 < value < 1.1 else significant(value)
    return text + TIMES


def p_value(value: float | None) -> str:
    """Write a p-value; below a thousandth only the bound carries meaning."""
    if value is None or not math.isfinite(value):
        return NONE
    return f"<{THIN}0.001" if value < 0.001 else f"{value:.3f}"


def measured(value: float | None, unit: str) -> str:
    """Write what a gate measured, with a fourth digit because it is held against a bound.

    Units are those of `mcp_perf.scenario.model.gates`, and `x` for a ratio of two arms; any other
    stands behind the number as it is.
    """
    if unit == "fraction":
        return percent(value, 4)
    if unit == "x":
        return ratio(value)
    if unit == "fraction/h":
        return per_hour(value)
    if unit == "B":
        return byte_size(value, 4)
    if unit == "count":
        return count(value)
    number = significant(value, 4)
    if number == NONE or not unit:
        return number
    return number + (unit if unit.startswith("/") else THIN + unit)


def interval(bounds: tuple[float, float] | None, unit: str) -> str:
    """Write both ends of an interval, in a unit which `measured` takes."""
    if bounds is None or not all(map(math.isfinite, bounds)):
        return NONE
    return " to ".join(measured(bound, unit) for bound in bounds)
