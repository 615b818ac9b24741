"""What a plain (unquoted) YAML word means here: the JSON types and texts, and nothing surprising.

YAML 1.1 and 1.2 read words such as `no`, `1:30` and `010` differently. All of these are refused,
because the person who wrote one meant one of two things and would not see which was taken.
"""

import re
from typing import Any, Final

from mcp_perf.scenario.problems.mistake import Path
from mcp_perf.scenario.problems.wording import InputError, quote

_NULLS: Final = frozenset(("", "~", "null", "Null", "NULL"))
_BOOLEANS: Final = dict.fromkeys(("true", "True", "TRUE"), True) | dict.fromkeys(
    ("false", "False", "FALSE"), False
)
_OTHER_BOOLEANS: Final = dict.fromkeys(("y", "yes", "on"), "true") | dict.fromkeys(
    ("n", "no", "off"), "false"
)
_SWITCHES: Final = frozenset((("load", "abort"),))
"""What the word `off` switches off: to other readers of YAML it is false, as here."""
_INT = re.compile(r"-?(0|[1-9]\d*)", re.ASCII)
_FLOAT = re.compile(r"-?(0|[1-9]\d*)\.\d+", re.ASCII)

_PITFALLS: Final = (
    (r"[-+]?\d+(:\d+)+(\.\d*)?", "is a number in base 60 to some YAML readers", "90s for 1:30"),
    (r"[-+]?0[\d_]+(\.\d*)?", "has a leading zero, which some YAML readers take as octal", ""),
    (r"\+[\d_]*\.?[\d_]+", "would lose its plus sign as a number", ""),
    (r"[-+]?0[xXoObB][\da-fA-F_]+", "is not a decimal number", "it in decimal"),
    (
        r"[-+]?\d[\d_]*_[\d_]*(\.[\d_]*)?",
        "has underscores, which only some YAML readers take as a number",
        "",
    ),
    (r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", "is not a number that can be sent as JSON", ""),
    (r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+", "is a number only to some YAML readers", "it in full"),
    (
        r"[-+]?(\.\d+|\d+\.)",
        "lacks a digit before or after the dot",
        "a digit on both sides of the dot",
    ),
    (r"-?(?=[\d.]{19})\d+\.?\d*", "has more digits than a number can keep", ""),
)
_LONGEST: Final = 64
_NUMERIC: Final = frozenset("+-.0123456789")


def plain(text: str, path: Path = ()) -> Any:
    """Return what a plain word means: None, a bool, an int, a float or the text itself.

    Raises InputError for words that readers of YAML disagree about, unless all of them agree on
    what the word means at this `path`.
    """
    if text == "off" and path in _SWITCHES:
        return False
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if meant := _OTHER_BOOLEANS.get(text.lower()):
        hint = f'write {meant}, or "{text}" in quotes'
        raise InputError(f"{quote(text)} is a boolean to some YAML readers", hint)
    return _number(text) if text[0] in _NUMERIC else text


def _number(text: str) -> Any:
    if len(text) > _LONGEST:
        # Patterns are for words: some of them take quadratic time on a page of digits.
        if text.strip("+-.:_0123456789eE"):
            return text
        raise InputError(f"{quote(text)} has more digits than a number can keep", "quote it")
    for pattern, message, write in _PITFALLS:
        if re.fullmatch(pattern, text, re.ASCII):
            quoted = f'"{text}" in quotes' if len(text) < 40 else "it in quotes"
            hint = f"write {write}, or {quoted}" if write else f"write {quoted}"
            raise InputError(f"{quote(text)} {message}", hint)
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text
