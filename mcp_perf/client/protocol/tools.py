"""What a server says about its tools, as far as a call needs it."""

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

from mcp_perf.client.errors import ReadError
from mcp_perf.client.reply import members

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""RFC 9110, section 5.6.2."""
_ANNOTATION: Final = "x-mcp-header"
DEEPEST: Final = 200
"""Levels of an entry of `tools/list`: far more than anybody writes, far fewer than Python walks."""


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool of `tools/list`."""

    name: str
    input_schema: dict[str, Any]
    header_params: tuple[tuple[tuple[str, ...], str], ...] = ()
    """For each argument that a header repeats (2026-07-28): its path, and the header's token."""
    output_schema: dict[str, Any] | None = None
    may_be_task: bool = False
    """Whether a call of it may, or has to, become a task."""
    other_schemas: tuple[dict[str, Any], ...] = ()
    """The inputSchemas of further entries of the same name."""
    hints: dict[str, Any] = field(default_factory=dict)
    """Its annotations, such as `readOnlyHint`: what it says about itself."""


class InvalidAnnotation(ValueError):  # noqa: N818 -- it is the annotation that is invalid
    """A tool's x-mcp-header is not allowed: by the specification, clients drop the tool."""


def read_tool(raw: Any, *, may_be_task: bool = False) -> Tool:
    """Read one entry of `tools/list`. Raises ValueError with what is odd about it."""
    if not isinstance(raw, dict) or not isinstance(raw.get("name"), str):
        raise ValueError("it has no name")  # noqa: TRY004 -- data
    name, schema = raw["name"], raw.get("inputSchema")
    if not isinstance(schema, dict):
        shown = "missing" if "inputSchema" not in raw else f"{schema!r:.40}, not an object"
        raise ValueError(f"its inputSchema is {shown}")  # noqa: TRY004 -- data
    if is_deeper(raw, DEEPEST):
        raise ValueError(f"it is nested more than {DEEPEST} levels deep")
    found = tuple(_header_params(schema, ()))
    tokens = [token.lower() for _, token in found]
    if len(set(tokens)) != len(tokens):
        raise InvalidAnnotation("two arguments share one header")
    output = raw.get("outputSchema")
    output = output if isinstance(output, dict) else None
    hints = members(raw.get("annotations"))
    return Tool(name, schema, found, output, may_be_task, hints=hints)


def read_tools(
    listed: Any, known: dict[str, Tool], *, modern: bool, tasks: bool = False
) -> list[str]:
    """Add the tools of one page of `tools/list` to those that are known; return what is odd.

    `tasks` says whether the server has tasks. An odd tool is left out without harm to the others.
    In 2026-07-28 clients also leave out a tool with an invalid annotation; before, there were no
    annotations. Raises ReadError if `listed` is not a page.
    """
    if not isinstance(listed, list):
        raise ReadError("tools/list: the result does not contain a list of tools")
    odd: list[str] = []
    here: set[str] = set()
    for number, raw in enumerate(listed, 1):
        try:
            tool = read_tool(raw, may_be_task=_may_be_task(raw, modern=modern, tasks=tasks))
        except ValueError as error:
            if modern or not isinstance(error, InvalidAnnotation):
                odd.append(_left_out(raw, number, error))
                continue
            tool = Tool(raw["name"], raw["inputSchema"])
        first = known.get(tool.name)
        if first is None:
            known[tool.name] = tool
        elif tool.input_schema != first.input_schema:
            schemas = (*first.other_schemas, tool.input_schema)
            known[tool.name] = replace(first, other_schemas=schemas)
        if tool.name in here or first not in (None, tool):
            odd.append(f"tools/list names {tool.name!r} twice; arguments may fit either schema")
        here.add(tool.name)
    return odd


def _may_be_task(raw: Any, *, modern: bool, tasks: bool) -> bool:
    """Tell whether a call of a listed tool is to become a task.

    Up to 2025-11-25 the client decides, and makes a task of a call only if the tool requires it.
    Raises ValueError if the server has no tasks for tools. In 2026-07-28 the server decides.
    """
    if modern:
        return tasks
    required = members(members(raw).get("execution")).get("taskSupport") == "required"
    if required and not tasks:
        undeclared = "the server does not declare the capability tasks.requests.tools.call"
        raise ValueError(
            f"it can only be called as a task (taskSupport: required), but {undeclared}"
        )
    return required


def _left_out(raw: Any, number: int, error: ValueError) -> str:
    name = members(raw).get("name")
    what = f"the tool {name!r}" if isinstance(name, str) else f"entry {number}"
    return f"tools/list: {what} cannot be called: {error}"


def _header_params(
    schema: dict[str, Any], path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], str]]:
    for key, value in schema.items():
        if key == "properties" and isinstance(value, dict):
            for name, inner in value.items():
                if isinstance(inner, dict):
                    if _ANNOTATION in inner:
                        yield (*path, name), _token(inner)
                    yield from _header_params(inner, (*path, name))
        elif _mentions(value):
            raise InvalidAnnotation(f"x-mcp-header under {key!r} is not an argument of the tool")


def _token(schema: dict[str, Any]) -> str:
    token = schema[_ANNOTATION]
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise InvalidAnnotation(f"x-mcp-header {token!r} is not a token")
    if schema.get("type") not in ("string", "integer", "boolean"):
        raise InvalidAnnotation(f"x-mcp-header {token!r} is on a {schema.get('type')!r}")
    return token


def is_deeper(value: Any, levels: int) -> bool:
    """Tell whether a value is nested more than `levels` deep."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return bool(inner) and (levels <= 0 or any(is_deeper(one, levels - 1) for one in inner))


def _mentions(value: Any) -> bool:
    """Tell whether a schema below anything but `properties` carries the annotation."""
    if isinstance(value, dict):
        return _ANNOTATION in value or any(map(_mentions, value.values()))
    return isinstance(value, list) and any(map(_mentions, value))


def encode_header_value(value: str) -> str:
    """Encode a routing header's value: as it is if HTTP allows that, otherwise in base64.

    From the specification 2026-07-28, streamable HTTP, "Header value encoding".
    """
    plain = all(" " <= letter <= "~" for letter in value) and value == value.strip()
    if plain and not (value.startswith("=?base64?") and value.endswith("?=")):
        return value
    return f"=?base64?{base64.b64encode(value.encode()).decode()}?="


def param_headers(tool: Tool, arguments: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the `Mcp-Param-*` headers of one call; absent and null arguments have none."""
    headers = []
    for path, token in tool.header_params:
        value: Any = arguments
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        if value is not None:
            text = str(value).lower() if isinstance(value, bool) else str(value)
            headers.append((f"Mcp-Param-{token}", encode_header_value(text)))
    return headers
