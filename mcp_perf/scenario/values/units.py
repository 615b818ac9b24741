"""Quantities as they are written in a scenario file: `500ms`, `2m`, `90%`."""

import re
from typing import Any, Final

from mcp_perf.scenario.problems.wording import InputError, quote

_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
DURATION: Final = r"(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|h)"
PERCENT: Final = r"(\d{1,3}(?:\.\d{1,9})?)%"
RATE: Final = r"(\d{1,9}(?:\.\d{1,9})?)(k?)/(s|m)"
_LONGEST_S: Final = 1000 * 3600.0
_HIGHEST_RATE: Final = 1e6
TOLERANCE: Final = "10%"
"""By how much a metric may be worse than in earlier runs, unless somebody says otherwise."""


def is_number(value: object) -> bool:
    """Tell whether a value is a number; true and false are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _match(pattern: str, value: Any, kind: str, example: str) -> re.Match[str]:
    match = re.fullmatch(pattern, value, re.ASCII) if isinstance(value, str) else None
    if match is None:
        raise InputError(f"{quote(value)} is not a {kind}", f"write it like {example}")
    return match


def seconds(value: Any) -> float:
    """Read a duration such as `500ms`, `5s`, `2m` or `1h`. Returns seconds; raises InputError."""
    if is_number(value):
        raise InputError(f"{quote(value)} has no unit", f"add one: {value}s or {value}ms")
    match = _match(DURATION, value, "duration", "500ms, 5s, 2m or 1h")
    result = float(match[1]) * _SECONDS[match[2]]
    if result > _LONGEST_S:
        raise InputError(f"{quote(value)} is too long", "write at most 1000h")
    return result


def positive_seconds(value: Any) -> float:
    """Read a duration above zero. Returns seconds; raises InputError."""
    if (result := seconds(value)) == 0:
        raise InputError(f"{quote(value)} is not above zero", "write a duration above zero")
    return result


def per_second(value: Any) -> float:
    """Read a rate such as `200/s`, `1.5k/s` or `30/m`. Returns it per second; raises InputError."""
    if is_number(value):
        raise InputError(f"{quote(value)} has no unit", f"add one: {value}/s")
    match = _match(RATE, value, "rate", "200/s, 1.5k/s or 30/m")
    result = float(match[1]) * (1000 if match[2] else 1) / _SECONDS[match[3]]
    if not 0 < result <= _HIGHEST_RATE:
        raise InputError(f"{quote(value)} is out of range", "write more than 0 and at most 1000k/s")
    return result


def fraction(value: Any) -> float:
    """Read a percentage from above 0 % to 100 %. Returns a fraction; raises InputError."""
    if is_number(value):
        raise InputError(f"{quote(value)} has no percent sign", "write it like 90%")
    # Divided, not multiplied: 90% is to be exactly 0.9.
    result = float(_match(PERCENT, value, "percentage", "90%")[1]) / 100
    if not 0 < result <= 1:
        raise InputError(f"{quote(value)} is out of range", "write more than 0% and at most 100%")
    return result
