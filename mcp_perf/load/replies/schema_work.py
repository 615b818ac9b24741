"""How much work a value makes for a JSON Schema: a few lines can keep a validator busy for ever.

If each of twelve schemas refers to the next one eight times, they are 8^12 schemas to a validator.
So the work is counted in advance: how many schemas are applied to a value and to everything on the
way from it to a value nested in it. Alternatives count as if all of them were tried.
"""

from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from typing import Any, Final
from urllib.parse import unquote

MOST_WORK: Final = 10_000
"""Less than a millisecond. Saying what is wrong may take a quarter of a second."""
MOST_PARTS: Final = 20_000
"""Objects and lists in a schema."""
DEEPEST: Final = 128
_MOST_STEPS: Final = 500_000
_LISTS: Final = ("allOf", "anyOf", "oneOf")
_SINGLE: Final = ("not", "if", "then", "else", "propertyNames")
_NAMED: Final = ("dependentSchemas", "dependencies")
_REFERENCES: Final = ("$ref", "$dynamicRef", "$recursiveRef")
_OF_ANY_ITEM: Final = ("items", "contains", "additionalItems", "unevaluatedItems")
_OF_ANY_MEMBER: Final = ("additionalProperties", "unevaluatedProperties")
_TOO_LARGE: Final = "it is too large to expand"

_Part = dict[str, Any]
_Edges = tuple[list[int], list[int], list[int], list[int], list[int]]
"""Parts for the value itself; for each item; for one item; for each member; for one member."""


def deepest(schema: _Part) -> int | None:
    """Return how deeply a value may be nested for a schema to check it; None is any depth.

    Raises ValueError, with the reason, if the schema cannot even check a number.
    """
    parts = _edges(schema)
    order = _order(parts)
    work = dict.fromkeys(parts, 0)
    for depth in range(min(DEEPEST, _MOST_STEPS // len(parts)) + 1):
        before = work
        work = {}
        for part in order:
            here, items, item, members, member = parts[part]
            of_items = sum(map(before.__getitem__, items)) + _most(before, item)
            of_members = sum(map(before.__getitem__, members)) + _most(before, member)
            below = max(of_items, of_members) if depth else 0
            work[part] = 1 + sum(map(work.__getitem__, here)) + below
        if work == before:
            return None
        if max(work.values()) > MOST_WORK:
            if not depth:
                raise ValueError(_TOO_LARGE)
            return depth - 1
    return depth


def _most(work: dict[int, int], parts: list[int]) -> int:
    return max(map(work.__getitem__, parts), default=0)


def _edges(root: _Part) -> dict[int, _Edges]:
    """Return all parts that may be applied to a value, and the parts that each leads to."""
    named = _named(root)
    found: dict[int, _Edges] = {}
    waiting = [root]
    while waiting:
        part = waiting.pop()
        if id(part) in found:
            continue
        groups = _groups(part, root, named)
        found[id(part)] = tuple([id(inner) for inner in group] for group in groups)  # type: ignore[assignment]
        waiting += (inner for group in groups for inner in group)
    return found


def _named(root: _Part) -> dict[str, _Part]:
    """Return the parts that have an anchor. Raises ValueError if there are too many parts.

    A part with another `$id` changes the meaning of its references, which are not followed then.
    """
    own_id = "id" if "draft-04" in str(root.get("$schema")) else "$id"
    named: dict[str, _Part] = {"#": root, str(root.get(own_id, "#")): root}
    waiting: list[Any] = [root]
    parts, refers, foreign = 0, False, False
    while waiting:
        part = waiting.pop()
        parts += 1
        if parts > MOST_PARTS:
            raise ValueError(_TOO_LARGE)
        if isinstance(part, dict):
            refers = refers or any(isinstance(part.get(name), str) for name in _REFERENCES)
            foreign = foreign or (part is not root and isinstance(part.get(own_id), str))
            for name in ("$anchor", "$dynamicAnchor"):
                if isinstance(anchor := part.get(name), str):
                    named[f"#{anchor}"] = part
            part = part.values()
        waiting += (inner for inner in part if isinstance(inner, dict | list))
    if refers and foreign:
        raise ValueError(f"a part of it sets another {own_id}")
    return named


def _groups(part: _Part, root: _Part, named: dict[str, _Part]) -> list[list[_Part]]:
    here = [
        *(inner for name in _LISTS for inner in _each(part.get(name))),
        *(part.get(name) for name in _SINGLE),
        *(inner for name in _NAMED for inner in _each(part.get(name))),
        *(_target(str(part[name]), root, named) for name in _REFERENCES if name in part),
    ]
    items = [part.get(name) for name in _OF_ANY_ITEM]
    members = [*(part.get(name) for name in _OF_ANY_MEMBER), *_each(part.get("patternProperties"))]
    item = [*_each(part.get("prefixItems")), *_each(part.get("items"), of=list)]
    groups = (here, items, item, members, list(_each(part.get("properties"))))
    return [[inner for inner in group if isinstance(inner, dict)] for group in groups]


def _each(value: Any, of: type = object) -> Iterator[Any]:
    if isinstance(value, of):
        if isinstance(value, dict):
            yield from value.values()
        elif isinstance(value, list):
            yield from value


def _target(reference: str, root: _Part, named: dict[str, _Part]) -> Any:
    """Return the part that a reference leads to; None if it is not in the schema."""
    base, _, pointer = reference.partition("#")
    if f"#{pointer}" in named and not base:
        return named[f"#{pointer}"]
    if base and f"{base}#" not in named and base not in named:
        return None
    found: Any = root
    for written in unquote(pointer).split("/")[1:]:
        key = written.replace("~1", "/").replace("~0", "~")
        if isinstance(found, list):
            found = found[int(key)] if key.isdecimal() and int(key) < len(found) else None
        else:
            found = found.get(key) if isinstance(found, dict) else None
    return found


def _order(parts: dict[int, _Edges]) -> list[int]:
    """Return the parts, each after the parts that it applies to the same value.

    Raises ValueError if there is a circle.
    """
    try:
        return [
            *TopologicalSorter({part: edges[0] for part, edges in parts.items()}).static_order()
        ]
    except CycleError as error:
        raise ValueError("it refers to itself endlessly") from error
