"""The words of messages: how a value is quoted, how a near name is offered."""

import difflib
from collections.abc import Collection, Iterable

_LONGEST = 60
_MOST_NAMES = 16


class InputError(ValueError):
    """Something a person wrote that cannot be meant: what is wrong, and what to write instead."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def quote(value: object) -> str:
    """Quote what was written, cut to a length that keeps a message on one line."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a mapping" if value else "{}"
    if isinstance(value, list | tuple):
        return "a list" if value else "[]"
    text = str(value) if len(str(value)) <= _LONGEST else str(value)[: _LONGEST - 1] + "…"
    return repr(text) if isinstance(value, str) else text


def one_of(names: Iterable[object]) -> str:
    """Join names to `a, b or c`."""
    *head, last = [str(name) for name in names]
    return f"{', '.join(head)} or {last}" if head else last


def nearest(word: str, names: Collection[str]) -> str:
    """Return the known name that `word` resembles most, or an empty string."""
    # Matching is quadratic in the length, and nobody misspells a name into a page of text.
    folded = {name.lower(): name for name in names}
    matches = difflib.get_close_matches(word[:_LONGEST].lower(), folded, n=1, cutoff=0.6)
    return folded[matches[0]] if matches else ""


def suggest(word: str, names: Collection[str]) -> str:
    """Write the hint for an unknown name: the nearest one, else all of them."""
    if match := nearest(word, names):
        return f"did you mean {match!r}?"
    shown = sorted(names)
    if len(shown) > _MOST_NAMES:
        return f"known are {', '.join(shown[:_MOST_NAMES])}, …"
    return f"write {one_of(shown)}" if shown else ""
