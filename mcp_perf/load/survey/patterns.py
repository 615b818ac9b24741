"""A text that a regular expression matches. Pure; of JavaScript's dialect what Python's shares."""

import random
import string
from importlib import import_module
from typing import Any, Final

_parser: Any = import_module("re._parser")
_ALPHABET: Final = string.ascii_lowercase + string.digits + string.ascii_uppercase + "-_. /:@+#"
_CATEGORIES: Final = {
    "DIGIT": str.isdigit,
    "SPACE": str.isspace,
    "WORD": lambda letter: letter.isalnum() or letter == "_",
}
_MORE: Final = 3
"""So much more often than it has to a part is repeated at most."""
_LONGEST: Final = 1000


def matching(pattern: str, numbers: random.Random) -> str:
    """Draw a text in which the pattern is found. Raises ValueError where it is too hard."""
    try:
        return _sequence(_parser.parse(pattern), numbers)
    except (_parser.error, OverflowError, RecursionError) as error:
        raise ValueError(f"the pattern {pattern!r} cannot be read: {error}") from None


def _sequence(nodes: Any, numbers: random.Random) -> str:
    return "".join(_one(str(kind), value, numbers) for kind, value in nodes)


def _one(kind: str, value: Any, numbers: random.Random) -> str:
    match kind:
        case "LITERAL":
            return chr(value)
        case "AT" | "ASSERT" | "ASSERT_NOT":  # the schema's own check tells whether it holds
            return ""
        case "BRANCH":
            return _sequence(numbers.choice(value[1]), numbers)
        case "SUBPATTERN":
            return _sequence(value[-1], numbers)
        case "MAX_REPEAT" | "MIN_REPEAT":
            low, high, inner = value
            times = min(numbers.randint(low, min(int(high), low + _MORE)), _LONGEST)
            return "".join(_sequence(inner, numbers) for _ in range(times))
    fitting = [letter for letter in _ALPHABET if _fits(kind, value, letter)]
    if not fitting:
        raise ValueError(f"{kind.lower()} is too hard")
    return numbers.choice(fitting)


def _fits(kind: str, value: Any, letter: str) -> bool:
    match kind:
        case "IN":
            items = [(str(node), inner) for node, inner in value]
            fits = any(_fits(node, inner, letter) for node, inner in items if node != "NEGATE")
            return fits is not (items[0][0] == "NEGATE")
        case "RANGE":
            return bool(value[0] <= ord(letter) <= value[1])
        case "CATEGORY":
            name = str(value).removeprefix("CATEGORY_")
            return _CATEGORIES[name.removeprefix("NOT_")](letter) is not name.startswith("NOT_")
        case "LITERAL" | "NOT_LITERAL":
            return (ord(letter) == value) is (kind == "LITERAL")
    return kind == "ANY"
