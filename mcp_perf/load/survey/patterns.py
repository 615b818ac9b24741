"""A text that a regular expression matches. Pure; it knows what JavaScript and Python share."""

import random
import string
from importlib import import_module
from typing import Any, Final

_compiler: Any = import_module("re._compiler")
_parser: Any = import_module("re._parser")
_ALPHABET: Final = string.ascii_lowercase + string.digits + string.ascii_uppercase + "-_. /:@+#"
_MORE: Final = 3
"""The most repetitions of a part beyond its minimum."""
_LONGEST: Final = 1000


def matching(pattern: str, numbers: random.Random) -> str:
    """Draw a text in which the pattern is found. Raises ValueError if that is too hard."""
    try:
        parsed = _parser.parse(pattern)
        return _drawn(parsed, parsed.state, numbers)
    except (_parser.error, OverflowError, RecursionError) as error:
        raise ValueError(f"the pattern {pattern!r} cannot be read: {error}") from None


def _drawn(nodes: Any, state: Any, numbers: random.Random) -> str:
    return "".join(_one(node, state, numbers) for node in nodes)


def _one(node: Any, state: Any, numbers: random.Random) -> str:
    kind, value = node
    match str(kind):
        case "LITERAL":
            return chr(value)
        case "AT" | "ASSERT" | "ASSERT_NOT":  # the schema's own check shows whether it holds
            return ""
        case "BRANCH":
            return _drawn(numbers.choice(value[1]), state, numbers)
        case "SUBPATTERN":
            return _drawn(value[-1], state, numbers)
        case "MAX_REPEAT" | "MIN_REPEAT":
            low, high, inner = value
            times = min(numbers.randint(low, min(int(high), low + _MORE)), _LONGEST)
            return "".join(_drawn(inner, state, numbers) for _ in range(times))
    one = _compiler.compile(_parser.SubPattern(state, [node]))
    fitting = [letter for letter in _ALPHABET if one.fullmatch(letter)]
    if not fitting:
        raise ValueError(f"{kind} is not supported")
    return numbers.choice(fitting)
