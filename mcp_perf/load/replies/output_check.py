"""A tool's results are checked by its outputSchema: all of them, as long as that costs little."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

import jsonschema_rs
import msgspec

from mcp_perf.client.protocol.tools import is_deeper
from mcp_perf.load.replies.cpu_share import CpuShare
from mcp_perf.load.replies.schema_work import deepest

CHECKS_SHARE: Final = 0.2
"""Of the CPU time that calls take without the checks."""
_UNKNOWN_DIALECT: Final = "Unknown meta-schema"
_MOST_EXPLAINED: Final = 32
"""How many violations of each step are explained: more than are ever shown."""


class CheckCounts(Protocol):
    """Counts of a step's results: checked, in violation of the schema, not checked."""

    checked: int
    violations: int
    unchecked: int


class _Result(msgspec.Struct):
    structuredContent: Any = msgspec.UNSET  # noqa: N815 -- the protocol's name


class _ToolReply(msgspec.Struct):
    """A reply; only its structuredContent is decoded into objects."""

    result: _Result


_decode: Final = msgspec.json.Decoder(_ToolReply).decode
_decode_beyond: Final = msgspec.json.Decoder(_ToolReply, float_hook=float).decode
"""Slower, but also reads numbers beyond any double, as infinity."""


def unusable(schema: dict[str, Any] | None) -> str:
    """Say why a schema cannot be used for checks; empty if it can, or if there is none."""
    try:
        if schema is not None:
            CompiledSchema(schema, "", "")
    except ValueError as error:
        why = str(error).partition("\n")[0]
        dialect = schema.get("$schema") if schema else None
        return f"its $schema is {str(dialect)[:100]!r}" if why.startswith(_UNKNOWN_DIALECT) else why
    return ""


class CompiledSchema:
    """A JSON Schema. A call with a value says what is wrong with it, or returns an empty text."""

    def __init__(self, schema: dict[str, Any], what: str, kind: str) -> None:
        """Compile it, and fetch nothing that it refers to. Raises ValueError if it is broken.

        It does not check a value that is nested too deeply for it: see `schema_work`.
        """
        self._deepest = deepest(schema)
        try:
            self._validator = jsonschema_rs.validator_for(schema, retriever=_no_retrieval)
        except jsonschema_rs.ValidationError as error:
            raise ValueError(error.message) from error
        self.is_valid: Callable[[Any], bool] = self._validator.is_valid
        self._what, self._kind = what, kind

    def __call__(self, value: Any) -> str:
        return "" if self.is_beyond(value) or self.is_valid(value) else self.problem(value)

    def is_beyond(self, value: Any) -> bool:
        """Tell whether checking a value would take too long, because it is nested too deeply."""
        return self._deepest is not None and is_deeper(value, self._deepest)

    def problem(self, value: Any) -> str:
        """Say what is wrong first. This takes ten times as long as finding that something is."""
        error = _first_error(self._validator, value)
        where = ".".join(map(str, error.instance_path)) or "all of it"
        message = error.message
        if _is_beyond(value, error.instance_path):
            message = "a number too large for JSON readers"
        return f"{self._what}: {where}: {message} (by the tool's {self._kind})"


@dataclass(eq=False, slots=True)
class OutputCheck:
    """Checks a tool's structuredContent by its outputSchema, and counts the outcomes."""

    schema: CompiledSchema
    counts: CheckCounts
    share: CpuShare
    _explained: int = 0
    _problem: str = ""

    def of_body(self, body: bytes) -> str:
        """Return what is wrong with a reply, or an empty text. Raises one of `UNREADABLE`."""
        begun_ns = self.share.begin()
        problem = self._judge(structured_content(body))
        if begun_ns:
            self.share.end(begun_ns)
        return problem

    def of_result(self, result: Any) -> str:
        """Return what is wrong with a result that is decoded already, or an empty text."""
        begun_ns = self.share.begin()
        known = isinstance(result, dict)
        problem = self._judge(result.get("structuredContent", msgspec.UNSET) if known else None)
        if begun_ns:
            self.share.end(begun_ns)
        return problem

    def _judge(self, content: Any) -> str:
        if self.schema.is_beyond(content):
            self.counts.unchecked += 1
            return ""
        self.counts.checked += 1
        absent = content is msgspec.UNSET
        if not absent and self.schema.is_valid(content):
            return ""
        self.counts.violations += 1
        if absent:
            return "the tool has an outputSchema, but its result has no structuredContent"
        if self._explained < _MOST_EXPLAINED:
            self._explained += 1
            self._problem = self.schema.problem(content)
        return self._problem


def structured_content(body: bytes) -> Any:
    """Read the structuredContent of a reply; UNSET if it has none. Raises one of `UNREADABLE`."""
    try:
        return _decode(body).result.structuredContent
    except msgspec.ValidationError:
        return _decode_beyond(body).result.structuredContent


def _first_error(validator: Any, value: Any) -> jsonschema_rs.ValidationError:
    """Return the first error. The list of all errors may not fit into memory."""
    try:
        validator.validate(value)
    except jsonschema_rs.ValidationError as error:
        return error
    raise AssertionError("it is valid")


def _is_beyond(value: Any, path: list[str | int]) -> bool:
    for key in path:
        value = value[key]
    return isinstance(value, float) and math.isinf(value)


def _no_retrieval(uri: str) -> Any:
    raise ValueError(f"{uri} is not fetched")
