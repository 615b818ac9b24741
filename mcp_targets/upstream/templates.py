"""Templates in provider files: JSON values with `${…}` placeholders.

`${name}` is a value of the request or of the state, `${name[0:3]}` a slice of it as text, `${now}`
and `${now_rfc2822}` the time. A text that is one placeholder keeps the value's type. There are no
expressions, conditions or loops.
"""

import email.utils
import re
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any, Final

Values = Mapping[str, Any]
Template = Callable[[Values], Any]

_PLACEHOLDER: Final = re.compile(r"\$\{([^}]*)\}")
_NAME: Final = re.compile(r"(\w+)(?:\[(\d*):(\d*)\])?")


class Compiler:
    """Compile templates; `clock` returns the time for them."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock

    def compile(self, value: Any, known: Collection[str] | None) -> Template:
        """Return a function from values to the rendered template. Raises ValueError.

        `known` are the names that will have values; None allows any name.
        """
        if isinstance(value, dict):
            fields = [(key, self.compile(item, known)) for key, item in value.items()]
            return lambda values: {key: render(values) for key, render in fields}
        if isinstance(value, list):
            items = [self.compile(item, known) for item in value]
            return lambda values: [render(values) for render in items]
        if isinstance(value, str) and "${" in value:
            return self._text(value, known)
        return lambda _: value

    def _text(self, text: str, known: Collection[str] | None) -> Template:
        whole = _PLACEHOLDER.fullmatch(text)
        if whole:
            return self._placeholder(whole[1], known)
        pieces = _PLACEHOLDER.split(text)
        # Literal text and placeholders alternate.
        parts = [
            self._placeholder(piece, known) if at % 2 else _constant(piece)
            for at, piece in enumerate(pieces)
        ]
        return lambda values: "".join(_shown(part(values)) for part in parts)

    def _placeholder(self, inner: str, known: Collection[str] | None) -> Template:
        if inner == "now":
            return lambda _: self._clock().strftime("%Y-%m-%dT%H:%M:%SZ")
        if inner == "now_rfc2822":
            return lambda _: email.utils.format_datetime(self._clock())
        found = _NAME.fullmatch(inner)
        if found is None or (known is not None and found[1] not in known):
            raise ValueError(f"${{{inner}}} is not known here; there are {', '.join(known or ())}")
        name, start, end = found.groups()
        if start is None:
            return lambda values: values[name]
        cut = slice(int(start or 0), int(end) if end else None)
        return lambda values: _shown(values[name])[cut]


def names_in(text: str) -> set[str]:
    """Return the names that a text template uses."""
    return {inner.partition("[")[0] for inner in _PLACEHOLDER.findall(text)}


def _constant(piece: str) -> Template:
    return lambda _: piece


def _shown(value: Any) -> str:
    return "" if value is None else str(value)
