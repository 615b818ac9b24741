"""Text of strangers, made harmless: all that it can do in a report is be read.

Names, reasons and examples come from scenario files and from servers' replies. Here their invisible
characters are made visible, before they are put into the document or on a terminal; each rendering
then quotes for its own format.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

LONGEST: Final = 20_000
"""Characters of a text in the document, or in what is said at once."""

_BIDI: Final = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_INVISIBLE: Final = re.compile(
    f"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff{_BIDI}]"
)
"""They include all that XML 1.0 forbids (production 2, Char) or discourages."""
_COMMAND: Final = re.compile(r"(?:(?<!\S)|(?<=\S{40})):(?=:[A-Za-z])|#(?=#[A-Za-z]*\[)")
"""The start of a workflow command. On GitHub, `::` at the start of a line; a terminal may wrap
before any word, or within a long one. On Azure, `##[` and `##vso[` anywhere in a line."""
_NUMBER: Final = re.compile(r"(?<![\w.])(?![45]\d\d\b)\d[\w.-]*")
_BEGINNING: Final = 300
_BLANKS: Final = re.compile(r"[ \t\n]+")


def _escape(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def visible(text: str) -> str:
    """Replace control, direction-changing and unpaired characters, and commands, by escapes.

    Tabs and line feeds stay. Right-to-left script stays too: only the characters which reorder
    their neighbours ("Trojan Source", CVE-2021-42574) are shown instead of obeyed.
    """
    return _COMMAND.sub(_escape, _INVISIBLE.sub(_escape, text.replace("\r\n", "\n")))


def shown(value: Any) -> Any:
    """Make each text in a value visible and of bearable length, names of members too."""
    return changed(value, _bearable, _bearable)


def changed(value: Any, change: Callable[[str], str], name: Callable[[str], str] = str) -> Any:
    """Change each text in nested objects and lists; `name` changes the names of members."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {name(key): changed(inner, change, name) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [changed(inner, change, name) for inner in value]
    return value


def _bearable(text: str) -> str:
    return visible(clip(text, LONGEST))


@lru_cache(maxsize=1024)
def wording(text: str) -> str:
    """Return what messages have in common that differ in numbers only, in at most 300 characters.

    The status of an HTTP error is not such a number.
    """
    return _NUMBER.sub("#", one_line(text[:_BEGINNING]))


def one_line(text: str) -> str:
    """Make text visible and put it on one line."""
    return _BLANKS.sub(" ", visible(text)).strip()


def shortened(name: str, most: int) -> str:
    """Shorten a name in its middle: names that begin alike end differently."""
    if len(name) <= most:
        return name
    tail = (most - 1) // 2
    return f"{name[: most - 1 - tail]}\u2026{name[len(name) - tail :]}"


def clip(text: str, limit: int) -> str:
    """Cut text to `limit` characters and say how many were left out."""
    left_out = len(text) - limit
    if left_out <= 0:
        return text
    return f"{text[:limit]}\u2026 ({left_out} more characters)"
