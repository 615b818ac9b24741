"""What a server says of its tools, as far as a call needs it."""

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from mcp_perf.client.errors import ReadError
from mcp_perf.client.protocol.tasks import may_be

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""RFC 9110, section 5.6.2."""
_ANNOTATION: Final = "x-mcp-header"


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool of `tools/list`."""

    name: str
    input_schema: dict[str, Any]
    header_params: tuple[tuple[tuple[str, ...], str], ...] = ()
    """Per argument that is repeated in a header (2026-07-28): its path, the header's token."""
    output_schema: dict[str, Any] | None = None
    may_be_task: bool = False
    """Whether a call of it may, or has to, become a task."""


class InvalidAnnotation(ValueError):  # noqa: N818 -- it is the annotation that is invalid
    """A tool's x-mcp-header is not allowed: the specification has clients drop the tool."""


def read_tool(raw: dict[str, Any], *, may_be_task: bool = False) -> Tool:
    """Read one entry of `tools/list`. Raises ValueError when it has no name or no schema."""
    name, schema = raw.get("name"), raw.get("inputSchema")
    if not isinstance(name, str) or not isinstance(schema, dict):
        raise ValueError("a listed tool lacks its name or its inputSchema")  # noqa: TRY004 -- data
    found = tuple(_header_params(schema, ()))
    tokens = [token.lower() for _, token in found]
    if len(set(tokens)) != len(tokens):
        raise InvalidAnnotation(f"{name}: two arguments share one header")
    output = raw.get("outputSchema")
    output = output if isinstance(output, dict) else None
    return Tool(name, schema, found, output, may_be_task)


def read_tools(listed: Any, *, modern: bool, tasks: bool = False) -> dict[str, Tool]:
    """Read one page of `tools/list`. Raises ReadError when it is not one.

    `tasks` says whether the server has tasks. 2026-07-28 has clients leave out a tool whose
    annotation is invalid; before, there were none.
    """
    if not isinstance(listed, list):
        raise ReadError("tools/list: the result has no list of tools")
    tools = {}
    for raw in listed:
        try:
            known = raw if isinstance(raw, dict) else {}
            tool = read_tool(known, may_be_task=tasks and may_be(known, modern=modern))
        except InvalidAnnotation:
            if modern:
                continue
            tool = Tool(raw["name"], raw["inputSchema"])
        except ValueError as error:
            raise ReadError(f"tools/list: {error}") from error
        tools[tool.name] = tool
    return tools


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
            raise InvalidAnnotation(f"x-mcp-header under {key!r} is not reachable")


def _token(schema: dict[str, Any]) -> str:
    token = schema[_ANNOTATION]
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise InvalidAnnotation(f"x-mcp-header {token!r} is not a token")
    if schema.get("type") not in ("string", "integer", "boolean"):
        raise InvalidAnnotation(f"x-mcp-header {token!r} is on a {schema.get('type')!r}")
    return token


def _mentions(value: Any) -> bool:
    """Tell whether a schema below anything but `properties` carries the annotation."""
    if isinstance(value, dict):
        return _ANNOTATION in value or any(map(_mentions, value.values()))
    return isinstance(value, list) and any(map(_mentions, value))


def encode_header_value(value: str) -> str:
    """Encode a routing header's value: as it is where HTTP allows that, else in base64.

    After the specification 2026-07-28, streamable HTTP, "Header value encoding".
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
