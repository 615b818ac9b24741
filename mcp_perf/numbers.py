"""How numbers are written: the same digits and units in every rendering.

A rendering must never claim more than was measured, so three significant digits are the rule. It
must never hide a difference that decides, so a rate above 0 is never written as 0 %, nor a rate
below 1 as 100 %, and a number that misses its bound is never written like the bound. A value that
was not measured is written as `NONE`.
"""

import math
import re
from typing import Final

NONE: Final = "\u2013"
"""An en dash: not measured, which is not zero."""
THIN: Final = "\u202f"
"""A narrow space that does not break: between thousands, and between a number and its unit."""
TIMES: Final = "\u00d7"
_HALF: Final = 0.5
"""A ratio below it is written upside down: `13.1x less` is easier to read than `0.0766x`."""
_MOST_DIGITS: Final = 15
"""How many decimal digits any float holds exactly."""
_ZEROS: Final = re.compile(r"\.0+(?!\d)|(?<=\d)(\.\d*[1-9])0+(?!\d)")
"""Zeros at the end of a number with decimals."""


def is_number(value: float | None) -> bool:
    """Tell whether there is a finite number to write."""
    return value is not None and math.isfinite(value)


def significant(value: float | None, digits: int = 3) -> str:
    """Write a number with this many significant digits, without an exponent; a large one is whole.

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
    """Write a whole number, with its thousands separated."""
    return NONE if not is_number(value) else f"{value:,.0f}".replace(",", THIN)


def with_unit(value: float | None, unit: str, digits: int = 3) -> str:
    """Write a number and its unit."""
    return f"{significant(value, digits)}{THIN}{unit}" if is_number(value) else NONE


def ms(value: float | None) -> str:
    """Write milliseconds."""
    return with_unit(value, "ms")


def seconds(value: float | None) -> str:
    """Write a length of time as people say it: `12.4 s`, `3 min 05 s`, `2 h 00 min`."""
    if value is None or not math.isfinite(value) or value < 100:
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
    for unit in ("B", "kB", "MB", "GB"):
        if value is None or abs(value) < 999.5:
            return with_unit(value, unit, digits)
        value /= 1000
    return with_unit(value, "TB", digits)


def percent(fraction: float | None, digits: int = 3) -> str:
    """Write a fraction as a percentage: `0.5 %`, and `99.97 %` rather than `100 %`."""
    if fraction is None or not math.isfinite(fraction):
        return NONE
    value = 100 * fraction
    if 90 < value < 100:
        text = f"{value:.{max(digits - 2, 1 - math.floor(math.log10(100 - value)))}f}"
    else:
        text = significant(value, digits)
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text}{THIN}%"


def per_hour(fraction: float | None, digits: int = 3) -> str:
    """Write how much something grows per hour: `0.5 %/h`, `-2 %/h`."""
    return with_unit(None if fraction is None else 100 * fraction, "%/h", digits)


def times(value: float | None, digits: int = 3) -> str:
    """Write a factor: `3.40x`, with a multiplication sign; finer near 1, where it matters."""
    if value is None or not math.isfinite(value):
        return NONE
    near = digits == 3 and 0.9 < value < 1.1
    return (f"{value:.3f}" if near else significant(value, digits)) + TIMES


def ratio(value: float | None) -> str:
    """Write a ratio: `3.40x`, and `13.1x less` rather than `0.0766x`."""
    if value is None or not 0 < value < _HALF:
        return times(value)
    return f"{times(1 / value)} less"


def p_value(value: float | None) -> str:
    """Write a p-value. Below a thousandth, only the bound means anything."""
    if value is None or not math.isfinite(value):
        return NONE
    return f"<{THIN}0.001" if value < 0.001 else f"{value:.3f}"


def measured(value: float | None, unit: str) -> str:
    """Write a metric, with a fourth digit because it is compared with another number.

    Units are listed in `mcp_perf.scenario.model.gates`; `x` is a ratio of two arms. Any other unit
    is written behind the number.
    """
    return ratio(value) if unit == "x" else _held(value, unit)


def _held(value: float | None, unit: str, digits: int = 4) -> str:
    """Write a number that is compared with a bound: a ratio is not turned upside down."""
    if unit == "fraction":
        return percent(value, digits)
    if unit == "x":
        return times(value, max(3, digits - 1))
    if unit == "fraction/h":
        return per_hour(value, max(3, digits - 1))
    if unit == "B":
        return byte_size(value, digits)
    if unit == "count":
        return count(value)
    number = significant(value, digits)
    if number == NONE or not unit:
        return number
    return number + (unit if unit.startswith("/") else THIN + unit)


def near_bound(value: float | None, unit: str, bound: float | None, digits: int = 4) -> str:
    """Write a number next to its bound, with as many digits as tell the two apart."""
    if value is None or bound is None:
        return _held(value, unit, digits)
    exact = _short(_held(bound, unit, _MOST_DIGITS))
    if value == bound:
        return exact
    every = (_held(value, unit, more) for more in range(digits, _MOST_DIGITS + 1))
    return next((text for text in every if _short(text) != exact), repr(value))


def said(value: float | None, unit: str, bound: float | None = None) -> str:
    """Write a number for a sentence: `61.2 ms`, `0.5 %`, `120/s`, `3.4x`, `1 530`."""
    return plain(_short(near_bound(value, unit, bound, 3)))


def _short(text: str) -> str:
    return _ZEROS.sub(lambda match: match[1] or "", text)


def change(fraction: float | None) -> str:
    """Write how much something changed: `+2.5 %`, `-0.3 %`."""
    text = percent(fraction)
    return f"+{text}" if fraction is not None and fraction > 0 and text != NONE else text


def interval(bounds: tuple[float, float] | None, unit: str) -> str:
    """Write both ends of an interval, in a unit that `measured` takes."""
    if bounds is None or not all(map(math.isfinite, bounds)):
        return NONE
    low, high = bounds
    if unit != "x":
        return f"{measured(low, unit)} to {measured(high, unit)}"
    if 0 < low <= high < 1 and math.sqrt(low * high) < _HALF:  # as the ratio in its middle
        return f"{times(1 / high)} to {ratio(low)}"
    return f"{times(low)} to {times(high)}"


def counted(number: float | None, what: str) -> str:
    """Write how many there are: `1 call`, `2 calls`, `1 530 calls`."""
    return f"{plain(count(number))} {what}{'' if number == 1 else 's'}"


def out_of(number: float, whole: float, what: str) -> str:
    """Write how many there are of how many: `1 of 2 calls`, `31 of 6 070 calls`."""
    return f"{plain(count(number))} of {counted(whole, what)}"


def plain(text: str) -> str:
    """Replace narrow spaces by ordinary ones: terminals and logs show them differently."""
    return text.replace(THIN, " ")
