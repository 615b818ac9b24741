"""The words of messages: how a value is quoted, how names are listed."""

from collections.abc import Iterable

_LONGEST = 60


class InputError(ValueError):
    """Something a person wrote that cannot be right: what is wrong, and what to write instead."""

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


def all_of(names: Iterable[object]) -> str:
    """Join names to `a, b and c`."""
    return " and ".join(one_of(names).rsplit(" or ", 1))


def one_of(names: Iterable[object]) -> str:
    """Join names to `a, b or c`."""
    *head, last = [str(name) for name in names]
    return f"{', '.join(head)} or {last}" if head else last
