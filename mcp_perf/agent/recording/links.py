"""Finds what calls hand to each other: values of a result that occur again in later arguments."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from mcp_perf.load.survey.writing import escaped
from mcp_perf.scenario.values.generators import BUILTINS, IDENTITY

Path = tuple[str | int, ...]
_PLAIN: Final = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_FEWEST: Final = 4
_LONG: Final = 8
"""Characters of a text that hardly occurs twice by chance; a shorter one needs a digit."""
_LONGEST: Final = 500
_LARGE: Final = 1000
_MOST_PARTS: Final = 20_000
"""The most parts of a result that are searched."""


@dataclass(eq=False)
class KnownValue:
    """Where a value came from first."""

    value: Any
    path: Path
    save: dict[str, str]
    """The saves of the step that got it: name -> JMESPath."""
    name: str = ""
    """Empty until the value is used."""

    @property
    def key(self) -> str:
        return next((part for part in reversed(self.path) if isinstance(part, str)), "value")


@dataclass(eq=False)
class Links:
    """The values of one session, in the order of its calls."""

    _sources: dict[Any, list[KnownValue]] = field(default_factory=dict)
    _typed: set[Any] = field(default_factory=set)
    """Values that the agent sent before any result had them."""
    _names: set[str] = field(default_factory=lambda: {*BUILTINS, IDENTITY})

    def linked(self, value: Any, key: str = "") -> Any:
        """Return arguments as a scenario has them, with lookups for values from results."""
        if isinstance(value, dict):
            return {name: self.linked(inner, name) for name, inner in value.items()}
        if isinstance(value, list):
            return [self.linked(inner, key) for inner in value]
        source = self._found(value, key)
        if source is not None:
            return self._lookup(source)
        return self._filled(value) if isinstance(value, str) else value

    def said(self, arguments: Any) -> None:
        """Take in what the agent sent; these values no longer count as new in results."""
        self._typed |= {_known(value) for _, value in _leaves(arguments)}

    def got(self, result: Any, save: dict[str, str]) -> None:
        """Take in the values of a result, and where its step saves."""
        for path, value in _leaves(result):
            known = _known(value)
            # No expression can name an empty key.
            if known not in self._typed and value not in ("", None) and "" not in path:
                self._sources.setdefault(known, []).append(KnownValue(value, path, save))

    def _found(self, value: Any, key: str) -> KnownValue | None:
        if isinstance(value, bool) or value is None:
            return None
        sources = self._sources.get(_known(value), [])
        alike = (one for one in sources if _alike(one.key, key))
        return next(alike, sources[0] if sources and _telling(value) else None)

    def _filled(self, text: str) -> str:
        """Replace the parts of a text that came from results by lookups."""
        parts = [
            source
            for (_, value), (source, *_) in self._sources.items()
            if isinstance(value, str) and len(value) >= _LONG and _telling(value) and value in text
        ]
        parts.sort(key=lambda source: -len(source.value))
        pattern = "|".join(re.escape(source.value) for source in parts)
        by_value = {source.value: source for source in parts}
        if not parts:
            return str(escaped(text))
        pieces = re.split(f"({pattern})", text)
        return "".join(
            self._lookup(by_value[piece]) if piece in by_value else str(escaped(piece))
            for piece in pieces
        )

    def _lookup(self, source: KnownValue) -> str:
        if not source.name:
            stem = re.sub(r"\W+", "_", source.key, flags=re.ASCII).strip("_") or "value"
            stem = stem if _PLAIN.fullmatch(stem) else f"value_{stem}"
            name, number = stem, 2
            while name in self._names:
                name, number = f"{stem}_{number}", number + 1
            self._names.add(name)
            source.name = name
            source.save[name] = _written(source.path)
        return f"${{{source.name}}}"


def _leaves(value: Any) -> Iterator[tuple[Path, Any]]:
    stack: list[tuple[Path, Any]] = [((), value)]
    looked = 0
    while stack and (looked := looked + 1) <= _MOST_PARTS:
        here, one = stack.pop()
        if isinstance(one, dict):
            stack += [((*here, name), inner) for name, inner in reversed(one.items())]
        elif isinstance(one, list):
            stack += [((*here, at), inner) for at, inner in reversed([*enumerate(one)])]
        else:
            yield here, one


def _known(value: Any) -> tuple[str, Any]:
    """Return a key that differs for 1, True and 1.0."""
    return type(value).__name__, value


def _telling(value: Any) -> bool:
    """Tell whether a value hardly occurs twice by chance, whatever its name is."""
    if isinstance(value, str):
        long = len(value) >= _LONG or (len(value) >= _FEWEST and any(map(str.isdigit, value)))
        return long and len(value) <= _LONGEST
    return isinstance(value, int) and abs(value) >= _LARGE


def _alike(one: str, other: str) -> bool:
    """Tell whether keys name the same thing, such as `id` and `orderId`."""
    first, second = (re.sub(r"[\W_]", "", key).lower() for key in (one, other))
    return bool(first and second) and (first.endswith(second) or second.endswith(first))


def _written(path: Path) -> str:
    """Write a path as JMESPath, which quotes as JSON does."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += "." * bool(text) + (part if _PLAIN.fullmatch(part) else json.dumps(part))
    return text
