"""A tool's results against its outputSchema: all of them, as long as that costs little."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

import jsonschema_rs
import msgspec

from mcp_perf.load.replies.cpu_share import CpuShare

Validate = Callable[[Any], str]
CHECKS_SHARE: Final = 0.2
"""Of the CPU that calls take without their checks."""


class CheckCounts(Protocol):
    """Where it is counted how many results of a step were checked."""

    checked: int
    violations: int
    unchecked: int


class _Result(msgspec.Struct):
    structuredContent: Any = msgspec.UNSET  # noqa: N815 -- the protocol's name


class _ToolReply(msgspec.Struct):
    """A reply, of which only the structuredContent is built."""

    result: _Result


_decode: Final = msgspec.json.Decoder(_ToolReply).decode
_decode_beyond: Final = msgspec.json.Decoder(_ToolReply, float_hook=float).decode
"""Reads numbers beyond any double, too: as infinity. Slower."""


@dataclass(eq=False, slots=True)
class OutputCheck:
    """Checks a tool's structuredContent against its outputSchema, and counts what was found."""

    validate: Validate
    counts: CheckCounts
    share: CpuShare

    def of_body(self, body: bytes) -> str:
        """Return what is wrong with a reply, or nothing. Raises one of `UNREADABLE`."""
        begun_ns = self.share.begin()
        problem = self._judge(structured_content(body))
        if begun_ns:
            self.share.end(begun_ns)
        return problem

    def of_result(self, result: Any) -> str:
        """Return what is wrong with a result that the step has decoded anyway, or nothing."""
        begun_ns = self.share.begin()
        known = isinstance(result, dict)
        problem = self._judge(result.get("structuredContent", msgspec.UNSET) if known else None)
        if begun_ns:
            self.share.end(begun_ns)
        return problem

    def _judge(self, content: Any) -> str:
        self.counts.checked += 1
        if content is msgspec.UNSET:
            problem = "the tool has an outputSchema, and its result no structuredContent"
        else:
            problem = self.validate(content)
        if problem:
            self.counts.violations += 1
        return problem


def structured_content(body: bytes) -> Any:
    """Read the structuredContent of a reply: UNSET without one. Raises one of `UNREADABLE`."""
    try:
        return _decode(body).result.structuredContent
    except msgspec.ValidationError:
        return _decode_beyond(body).result.structuredContent


def compiled(schema: dict[str, Any], what: str, kind: str) -> Validate | None:
    """Compile a schema to a function that says what is wrong; None if the schema is itself.

    Nothing that a schema points to is fetched.
    """
    try:
        validator = jsonschema_rs.validator_for(schema, retriever=_no_retrieval)
    except (ValueError, jsonschema_rs.ValidationError):
        return None

    def validate(value: Any) -> str:
        if validator.is_valid(value):
            return ""
        error = next(iter(validator.iter_errors(value)))
        where = ".".join(map(str, error.instance_path)) or "all of it"
        message = error.message
        if _is_beyond(value, error.instance_path):
            message = "a number that is beyond what JSON readers take"
        return f"{what}: {where}: {message} (by the tool's {kind})"

    return validate


def _is_beyond(value: Any, path: list[str | int]) -> bool:
    for key in path:
        value = value[key]
    return isinstance(value, float) and math.isinf(value)


def _no_retrieval(uri: str) -> Any:
    raise ValueError(f"{uri} is not fetched")
