"""What the names of tools and arguments say. The lists are in `words.yaml`."""

import re
from pathlib import Path
from typing import Any, Final

import yaml

_FILE: Final = Path(__file__).with_suffix(".yaml")
_LISTS: Final[dict[str, Any]] = yaml.safe_load(_FILE.read_text("utf-8"))
FORMATS: Final[dict[str, str]] = _LISTS["formats"]
_EXAMPLE: Final = re.compile(
    r"(?:e\.g\.|for example|for instance|such as|example)[,:]?\s*"
    r"(?:\"([^\"\n]{1,200})\"|'([^'\n]{1,200})'|`([^`\n]{1,200})`)",
    re.IGNORECASE,
)
_QUOTED: Final = re.compile(r"['\"`]([\w./-]{1,40})['\"`]")


def split(name: str) -> list[str]:
    """Split `snake_case`, `kebab-case` and `camelCase` into their words, in lower case."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)]


def begins(name: str, listed: str) -> bool:
    """Tell whether a name begins with a word of a list."""
    return split(name)[:1] in [[word] for word in _LISTS[listed].split()]


def holds(name: str, listed: str) -> bool:
    """Tell whether a name holds a word of a list."""
    return not set(_LISTS[listed].split()).isdisjoint(split(name))


def texts(name: str, description: str) -> list[str]:
    """Return what a text of this name may be, the most plausible first."""
    found = ["".join(match) for match in _EXAMPLE.findall(description)]
    said = _LISTS["said"].items()
    found += [text for told, text in said if re.search(told, description, re.IGNORECASE)]
    named = [value for value in _named(name) if isinstance(value, str)]
    return [*found, *named, *_QUOTED.findall(description), *_LISTS["any"].split()]


def number(name: str) -> float | None:
    """Return what a number of this name may be; None if the name does not show it."""
    return next((value for value in _named(name) if not isinstance(value, str)), None)


def is_unique(tool: str, name: str) -> bool:
    """Tell whether a tool makes something that may exist only once by this argument."""
    return begins(tool, "makes") and begins("".join(split(name)[-1:]), "unique")


def _named(name: str) -> list[str | float]:
    whole, named = "_".join(split(name)), _LISTS["names"].items()
    return [value for names, value in named if re.fullmatch(rf"(?:.*_)?(?:{names})", whole)]
