"""The inputs of a request, checked against the provider file."""

import re
from collections.abc import Collection
from typing import Any, Final

import msgspec

from mcp_targets.upstream.provider import Input
from mcp_targets.upstream.templates import Compiler, Template

_TRUTH: Final = {"true": True, "false": False}


class RefusedError(Exception):
    """The request is refused with one of the provider's errors."""

    def __init__(self, name: str, values: dict[str, Any]) -> None:
        super().__init__(name)
        self.name = name
        self.values = values


class Field(msgspec.Struct, frozen=True):
    """An input, compiled."""

    name: str
    input: Input
    pattern: re.Pattern[str] | None
    default: Template

    def value(self, given: Any, values: dict[str, Any]) -> Any:
        """Return the checked value. Raises RefusedError."""
        if given is None or given == "":
            if self.input.required:
                raise RefusedError(self.input.required, values)
            return self.default(values)
        text = str(given)
        too_long = self.input.max_length is not None and len(text) > self.input.max_length
        if too_long or (self.pattern is not None and not self.pattern.fullmatch(text)):
            raise self._wrong(given, values)
        return self._typed(given, values) if isinstance(given, str) else given

    def _typed(self, text: str, values: dict[str, Any]) -> Any:
        match self.input.type:
            case "integer" if re.fullmatch(r"-?\d{1,15}", text):
                return int(text)
            case "boolean" if text.lower() in _TRUTH:
                return _TRUTH[text.lower()]
            case "string":
                return text
        raise self._wrong(text, values)

    def _wrong(self, given: Any, values: dict[str, Any]) -> RefusedError:
        return RefusedError(self.input.error or "bad-request", {**values, self.name: given})


def fields(inputs: dict[str, Input], known: Collection[str], compiler: Compiler) -> list[Field]:
    """Compile inputs; each default may use the names before it. Raises ValueError, re.error."""
    names = set(known)
    compiled: list[Field] = []
    for name, wanted in inputs.items():
        pattern = re.compile(wanted.matches) if wanted.matches else None
        compiled.append(Field(name, wanted, pattern, compiler.compile(wanted.default, names)))
        names.add(name)
    return compiled
