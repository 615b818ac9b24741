"""What a step may expect of its result: for each kind, the test, and the words for it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from mcp_perf.scenario.model import steps as model
from mcp_perf.scenario.values.patterns import MOST_MATCHED, compile_pattern
from mcp_perf.scenario.values.templates import Template

FIRST_TEXT: Final = "content[0].text"
"""The path of the text in the first content block."""
_SHOWN: Final = 80


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a step expects at a path."""

    path: str
    wanted: Template | None
    """None if nothing is compared: the value has to match a pattern, to exist or to be true."""
    meets: Callable[[Any, Any], bool]
    """Tells whether the found value meets the wanted one."""
    says: str = "{}"
    """What is expected; {} is the wanted value."""

    def problem(self, found: Any, wanted: Any) -> str:
        """Say what was found instead."""
        what = short(found)
        if isinstance(found, str) and len(found) > MOST_MATCHED and "match" in self.says:
            what = f"{len(found)} characters, but at most {MOST_MATCHED} can be matched"
        elif self.meets is _has_length and isinstance(found, str | list | dict):
            what = str(len(found))
        return f"expect {self.path}: found {what}, expected {self.says.format(short(wanted))}"


def same(found: Any, wanted: Any) -> bool:
    """Compare as JSON does, at any depth: 1 is 1.0, and true is not 1."""
    if isinstance(found, bool) or isinstance(wanted, bool):
        return found is wanted
    if isinstance(found, list) and isinstance(wanted, list):
        return len(found) == len(wanted) and all(map(same, found, wanted))
    if isinstance(found, dict) and isinstance(wanted, dict):
        return found.keys() == wanted.keys() and all(same(found[k], wanted[k]) for k in found)
    return bool(found == wanted)


def _has(found: Any, wanted: Any) -> bool:
    """Tell whether a text contains a text, a list a value, or an object all of these members."""
    if isinstance(found, str):
        return isinstance(wanted, str) and wanted in found
    if isinstance(found, dict) and isinstance(wanted, dict):
        return all(key in found and same(found[key], value) for key, value in wanted.items())
    return isinstance(found, list) and any(same(one, wanted) for one in found)


def _is_less(found: Any, wanted: Any) -> bool:
    return _are_numbers(found, wanted) and bool(found < wanted)


def _is_greater(found: Any, wanted: Any) -> bool:
    return _are_numbers(found, wanted) and bool(found > wanted)


def _are_numbers(*values: Any) -> bool:
    return all(isinstance(one, int | float) and not isinstance(one, bool) for one in values)


def _has_length(found: Any, wanted: Any) -> bool:
    return isinstance(found, str | list | dict) and same(len(found), wanted)


def _exists(found: Any, _wanted: Any) -> bool:
    return found is not None


def _is_true(found: Any, _wanted: Any) -> bool:
    """Tell whether a value is true in JMESPath: 0 is, but an empty text, list or object is not."""
    return found is not None and found is not False and found not in ("", [], {})


_COMPARED: Final[Mapping[str, tuple[Callable[[Any, Any], bool], str]]] = {
    "equals": (same, "{}"),
    "contains": (_has, "it to contain {}"),
    "less": (_is_less, "less than {}"),
    "greater": (_is_greater, "more than {}"),
    "length": (_has_length, "a length of {}"),
}


def expectations(
    expect: model.Expect, template: Callable[[Any], Template]
) -> Iterator[Expectation]:
    """Compile what a step expects; `template` compiles values that may contain lookups."""
    text = expect.text if isinstance(expect, model.ExpectMcp) else None
    for kind, (meets, says) in _COMPARED.items():
        wanted = dict(getattr(expect, kind))
        if (of_text := getattr(text, kind, None)) is not None:
            wanted[FIRST_TEXT] = of_text
        for path, value in wanted.items():
            yield Expectation(path, template(value), meets, says)
    patterns = dict(expect.matches)
    if text is not None and text.matches is not None:
        patterns[FIRST_TEXT] = text.matches
    for path, pattern in patterns.items():
        yield Expectation(path, None, _matching(pattern), f"it to match {_braced(pattern)}")
    for path in expect.exists:
        yield Expectation(path, None, _exists, "something")
    for path in expect.holds:
        yield Expectation(path, None, _is_true, "it to be true")


def _matching(pattern: str) -> Callable[[Any, Any], bool]:
    is_found = compile_pattern(pattern)

    def matches(found: Any, _wanted: Any) -> bool:
        return isinstance(found, str) and len(found) <= MOST_MATCHED and is_found(found)

    return matches


def _braced(pattern: str) -> str:
    return short(pattern).replace("{", "{{").replace("}", "}}")


def short(value: Any) -> str:
    """Write a value as JSON, cut to a length that is read at a glance."""
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
