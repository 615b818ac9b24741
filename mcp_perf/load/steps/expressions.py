"""JMESPath, compiled once, and bounded: a single line can ask for more than memory holds.

`[@,@] | [@,@] | …` makes a value that has 2^n parts as soon as it is written out or compared. So
the values that an expression looks at and makes are counted before they are made.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions
from jmespath.parser import Parser
from jmespath.visitor import TreeInterpreter

Getter = Callable[[Any], Any]

MOST_VALUES: Final = 1_000_000
"""Looked at or made by one search. It takes half a second, in which no other user goes on. 16
characters count as one."""
_WHOLE: Final = ("to_string", "contains", "join")
"""Functions that go through all of their arguments; the others look at the first level."""
_FUNCTIONS: Final = Functions()
_FREE: Final = ("length", "type", "not_null", "to_array")


class TooMuch(JMESPathError):  # noqa: N818 -- a bound, not a mistake in the expression
    """A search would look at more values than it may."""

    def __str__(self) -> str:
        return f"it looks at more than {MOST_VALUES} values: write a shorter path"


def getter(expression: str) -> Getter:
    """Compile a JMESPath expression; plain paths (`a.b[0].c`) take a shortcut, 20 times faster."""
    keys = _plain_path(Parser().parse(expression).parsed)
    if keys is None:
        parsed = jmespath.compile(expression).parsed

        def search(value: Any) -> Any:
            return _Interpreter().search(parsed, value)

        return search

    if len(keys) <= 2 and all(isinstance(key, str) for key in keys):
        return _field(keys[0]) if len(keys) == 1 else _field_of_field(*keys)

    def walk(value: Any) -> Any:
        for key in keys:
            if isinstance(key, str):
                value = value.get(key) if isinstance(value, dict) else None
            elif isinstance(value, list) and -len(value) <= key < len(value):
                value = value[key]
            else:
                return None
        return value

    return walk


def _field(key: Any) -> Getter:
    return lambda value: value.get(key) if value.__class__ is dict else None


def _field_of_field(outer: Any, inner: Any) -> Getter:
    def get(value: Any) -> Any:
        found = value.get(outer) if value.__class__ is dict else None
        return found.get(inner) if found.__class__ is dict else None

    return get


_SEQUENCES: Final = ("subexpression", "index_expression")


def _plain_path(node: Mapping[str, Any]) -> list[str | int] | None:
    """Return the keys of a path of fields and indices; None for anything more."""
    if node["type"] in ("field", "index"):
        return [node["value"]]
    if node["type"] not in _SEQUENCES:
        return None
    keys: list[str | int] = []
    for child in node["children"]:
        part = _plain_path(child)
        if part is None:
            return None
        keys.extend(part)
    return keys


class _Interpreter(TreeInterpreter):
    """Counts down what one search may still look at."""

    def __init__(self) -> None:
        super().__init__()
        self._left = MOST_VALUES

    def search(self, parsed: Any, value: Any) -> Any:
        """Search, and weigh what was found: it may be written into a request."""
        found = self.visit(parsed, value)
        self._weigh(found)
        return found

    def visit(self, node: Any, *values: Any) -> Any:
        self._spend(1)
        return super().visit(node, *values)

    def visit_flatten(self, node: Any, value: Any) -> Any:
        base = self.visit(node["children"][0], value)
        if not isinstance(base, list):
            return None
        self._spend(sum(len(part) if isinstance(part, list) else 1 for part in base))
        return [one for part in base for one in (part if isinstance(part, list) else [part])]

    def visit_slice(self, node: Any, value: Any) -> Any:
        self._spend(len(value) if isinstance(value, list) else 1)
        return super().visit_slice(node, value)

    def visit_comparator(self, node: Any, value: Any) -> Any:
        sides = [self.visit(child, value) for child in node["children"]]
        for side in sides:
            self._weigh(side)
        known = [{"type": "literal", "value": side, "children": []} for side in sides]
        compared: Any = {**node, "children": known}
        return super().visit_comparator(compared, value)

    def visit_function_expression(self, node: Any, value: Any) -> Any:
        name = node["value"]
        given = [self.visit(child, value) for child in node["children"]]
        for one in given if name not in _FREE else ():
            if name in _WHOLE:
                self._weigh(one)
            elif isinstance(one, list | dict | str):
                self._spend(len(one))
        if name == "join" and isinstance(given[0], str) and isinstance(given[-1], list):
            self._spend(len(given[0]) * len(given[-1]) // 16)
        return _FUNCTIONS.call_function(name, given)

    def _weigh(self, value: Any) -> None:
        """Count all parts of a value; one that occurs several times counts each time."""
        waiting = [value]
        while waiting:
            one = waiting.pop()
            self._spend(1 + len(one) // 16 if isinstance(one, str) else 1)
            if isinstance(one, list | dict):
                self._spend(len(one))  # before they are queued to be counted
                waiting += one.values() if isinstance(one, dict) else one

    def _spend(self, values: int) -> None:
        self._left -= values
        if self._left < 0:
            raise TooMuch
