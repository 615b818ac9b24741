"""Arguments for a tool, made from its inputSchema: plausible, seeded, checked by the schema."""

import math
import random
import re
from collections.abc import Mapping
from typing import Any, Final

from mcp_perf.load.replies.output_check import CompiledSchema, unusable
from mcp_perf.load.survey import words
from mcp_perf.load.survey.patterns import matching
from mcp_perf.results.document.text import changed

SEQ: Final = "\ue000"
"""Stands in a text for a part that no other journey has: a tool's names may have to be unique."""
_ATTEMPTS: Final = 40
_PLAIN: Final = 3
"""The first attempts, which make only what is required."""
_DEEPEST: Final = 3
_MOST_PARTS: Final = 1000
_MOST_ITEMS: Final = 100
_LONGEST: Final = 10_000
_LARGEST: Final = 10**15
"""The bound of numbers that are drawn: YAML keeps at most 18 digits."""
_BOUNDS: Final = {
    **dict.fromkeys(("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"), max),
    **dict.fromkeys(("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"), min),
}
_KEYS: Final = {
    "object": ("properties", "required", "additionalProperties", "minProperties"),
    "array": ("items", "prefixItems", "minItems"),
    "number": ("minimum", "maximum", "multipleOf", "exclusiveMinimum", "exclusiveMaximum"),
    "string": (),
}
"""What a schema without a type is about, by its keys."""


class NoArguments(ValueError):  # noqa: N818 -- none were found
    """No arguments were found for a tool; the message says why."""


class _Impossible(Exception):  # noqa: N818 -- caught, and tried in another way
    """Nothing can be made here in this way."""


def arguments(tool: str, schema: dict[str, Any], seed: int) -> dict[str, Any]:
    """Make arguments that fit; texts may hold `SEQ`. Equal for equal seeds. Raises NoArguments."""
    if why := unusable(schema):
        raise NoArguments(f"its inputSchema cannot be used: {why}")
    check = CompiledSchema(schema, "what was drawn", "inputSchema")
    problem = "no value that was tried fits it"
    for attempt in range(_ATTEMPTS):
        maker = _Maker(tool, schema, random.Random(f"{seed}/{tool}/{attempt}"), attempt)
        try:
            made = maker.value({"type": "object", **schema}, "", 0)
            problems = {check(filled(made, sample)) for sample in ("abcdef-1", "abcdef-1234567")}
        except (_Impossible, RecursionError):
            continue
        if problems == {""}:
            return dict(made)
        problem = max(problems)
    raise NoArguments(f"no arguments were found that fit its inputSchema: {problem}")


def filled(made: Any, seq: str) -> Any:
    """Put a text in the place of `SEQ`."""
    return changed(made, lambda text: text.replace(SEQ, seq))


class _Maker:
    """One attempt: the first ones make the plainest values that may fit, later ones draw them."""

    def __init__(self, tool: str, root: Any, numbers: random.Random, attempt: int) -> None:
        self._tool, self._root, self._numbers = tool, root, numbers
        self._plain, self._first, self._unique = attempt < _PLAIN, attempt == 0, attempt % 2 == 0
        self._parts = 0

    def value(self, schema: Any, name: str, depth: int) -> Any:
        """Make a value for a schema. Raises _Impossible."""
        schema = self._joined(schema)
        for key in ("oneOf", "anyOf"):
            if key in schema:
                return self._any(schema, key, name, depth)
        if "const" in schema:
            return schema["const"]
        if known := _known(schema):
            return known[0] if self._first else self._numbers.choice(known)
        match self._ordered(_kinds(schema))[0]:
            case "object":
                return self._object(schema, depth)
            case "array":
                return self._array(schema, name, depth)
            case "string":
                return self._text(schema, name)
            case "integer" | "number" as kind:
                return self._number(schema, name, whole=kind == "integer")
            case kind:
                return None if kind == "null" else not self._plain and self._numbers.random() < 0.5

    def _any(self, schema: dict[str, Any], key: str, name: str, depth: int) -> Any:
        rest = {other: inner for other, inner in schema.items() if other != key}
        for option in self._ordered(schema[key], deep=depth > _DEEPEST):
            try:
                return self.value({"allOf": [rest, option]}, name, depth + 1)
            except _Impossible:
                continue
        raise _Impossible

    def _ordered(self, options: list[Any], *, deep: bool = False) -> list[Any]:
        """Order what may be tried: null last or, deep inside, references last."""
        if not self._plain:
            options = self._numbers.sample(options, len(options))
        null = ("null", {"type": "null"})
        return sorted(options, key=lambda one: "$ref" in str(one) if deep else one in null)

    def _joined(self, schema: Any) -> dict[str, Any]:
        """Join a schema with what it refers to, and with all of its `allOf`."""
        schema = {} if schema is True else schema
        while isinstance(schema, dict):
            self._parts += 1
            if self._parts > _MOST_PARTS:
                break
            if "$ref" not in schema and "allOf" not in schema:
                return schema
            others = list(schema.get("allOf", ()))
            others += [self._at(schema["$ref"])] if "$ref" in schema else []
            schema = {key: it for key, it in schema.items() if key not in ("$ref", "allOf")}
            for other in others:
                as_schema = {} if other is True else {"enum": []} if other is False else other
                schema = _both(schema, as_schema)
        raise _Impossible

    def _at(self, ref: str) -> Any:
        found = self._root
        for part in ref.split("/")[1:]:
            key = part.replace("~1", "/").replace("~0", "~")
            try:
                found = found[int(key)] if isinstance(found, list) else found[key]
            except (LookupError, ValueError, TypeError):
                raise _Impossible from None
        return found

    def _object(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        listed = schema.get("properties", {})
        needed = dict.fromkeys(schema.get("required", ()))
        if not self._plain and depth <= _DEEPEST:
            needed |= dict.fromkeys(name for name in listed if self._numbers.random() < 0.5)
        fewest = min(schema.get("minProperties", 0), _MOST_ITEMS)
        others = [name for name in listed if name not in needed]
        others += [f"key{number}" for number in range(fewest)]
        needed |= dict.fromkeys(others[: max(0, fewest - len(needed))])
        rest = schema.get("additionalProperties", True)
        return {name: self.value(listed.get(name, rest), name, depth + 1) for name in needed}

    def _array(self, schema: dict[str, Any], name: str, depth: int) -> list[Any]:
        items = schema.get("items", True)
        first = schema.get("prefixItems", items if isinstance(items, list) else [])
        rest = schema.get("additionalItems", True) if isinstance(items, list) else items
        least = 0 if depth > _DEEPEST or rest is False else 1
        least += 0 if self._plain else self._numbers.randint(0, 2)
        wanted = max(schema.get("minItems", 0), len(first), least)
        unique, made = schema.get("uniqueItems", False), list[Any]()
        for number in range(min(wanted, schema.get("maxItems", wanted), _MOST_ITEMS)):
            inner = first[number] if number < len(first) else rest
            for _ in range(20 if unique else 1):
                one = self.value(inner, name.removesuffix("s"), depth + 1)
                if one not in made:
                    break
            is_again = unique and one in made and isinstance(one, str)
            made.append(f"{one}{number}" if is_again else one)
        return made

    def _text(self, schema: dict[str, Any], name: str) -> str:
        low, high = schema.get("minLength", 0), schema.get("maxLength", _LONGEST)
        pattern = schema.get("pattern")
        known = words.FORMATS.get(schema.get("format", ""), "")
        candidates = words.texts(name, str(schema.get("description", "")))
        candidates = [known, *candidates] if known else candidates
        if pattern is not None:
            candidates = [text for text in candidates if _is_found(pattern, text)]
            if not candidates:
                return self._matching(pattern)
        chosen = candidates[0] if self._plain else self._numbers.choice(candidates)
        if self._unique and not known and words.is_unique(self._tool, name):
            chosen = f"{chosen}-{SEQ}"
        return chosen.ljust(min(low, _LONGEST), "x")[: int(high)]

    def _matching(self, pattern: str) -> str:
        try:
            return matching(pattern, self._numbers)
        except ValueError:
            raise _Impossible from None

    def _number(self, schema: dict[str, Any], name: str, *, whole: bool) -> int | float:
        least, ends = 1 if whole else 1e-6, dict(schema)
        for key in [key for key in ends if isinstance(ends[key], bool)]:
            del ends[key]  # in draft-04, true excludes the bound itself; the check finds that out
        low = max(ends.get("minimum", -math.inf), ends.get("exclusiveMinimum", -math.inf) + least)
        high = min(ends.get("maximum", math.inf), ends.get("exclusiveMaximum", math.inf) - least)
        step = schema.get("multipleOf") or (1 if whole else 0)
        wanted = words.number(name)
        if wanted is None or not low <= wanted <= high:
            start = low if low > -math.inf else min(1, high)
            end = min(high, start + 9)
            wanted = (start + end) / 2
            if math.ceil(start) < math.floor(end):
                wanted = self._numbers.randint(math.ceil(start), math.floor(end))
        if step and not math.isclose(wanted % step, 0):
            near = math.floor(wanted / step) if low == -math.inf else math.ceil(low / step)
            wanted = near * step
        if abs(wanted) > _LARGEST:
            raise _Impossible
        return round(wanted) if whole or wanted == int(wanted) else round(wanted, 6)


def _both(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Join two schemas that both have to hold, as far as that is easy; the check does the rest."""
    joined: dict[str, Any] = {**one, **other}
    for key in one.keys() & other.keys():
        first, second = one[key], other[key]
        if key == "properties":
            both = {
                name: {"allOf": [first[name], second[name]]} for name in first if name in second
            }
            joined[key] = {**first, **second, **both}
        elif key == "required":
            joined[key] = [*first, *second]
        elif key in _BOUNDS:
            joined[key] = _BOUNDS[key](first, second)
        elif key == "enum":
            joined[key] = [value for value in first if value in second]
        elif key == "type":
            kinds, allowed = _listed(first), _listed(second)
            both_numbers = "number" in (*kinds, *allowed) and "integer" in (*kinds, *allowed)
            joined[key] = [kind for kind in kinds if kind in allowed] or ["integer"] * both_numbers
        elif key in ("anyOf", "oneOf") and first != second:
            joined["allOf"] = [*joined.get("allOf", ()), {key: first}]
    return joined


def _known(schema: dict[str, Any]) -> list[Any]:
    """Return the values that a schema itself lists. Raises _Impossible if it allows none."""
    if "enum" in schema:
        named = [value for value in schema["enum"] if value is not None] or list(schema["enum"])
        if not named:
            raise _Impossible
        return named
    found = schema["examples"] if isinstance(schema.get("examples"), list) else []
    return [*found, *(schema[key] for key in ("example", "default") if schema.get(key) is not None)]


def _kinds(schema: dict[str, Any]) -> list[str]:
    about = [kind for kind, keys in _KEYS.items() if any(key in schema for key in keys)]
    if not (kinds := _listed(schema.get("type", about or ["string"]))):
        raise _Impossible
    return kinds


def _listed(kinds: Any) -> list[str]:
    return [*kinds] if isinstance(kinds, list) else [str(kinds)]


def _is_found(pattern: str, text: str) -> bool:
    try:
        return re.search(pattern, text) is not None
    except re.error:
        return False
