"""The headers of protocol 2026-07-28 that repeat parts of the body, and how they must agree."""

import base64
import binascii
import re
from typing import Any, Final

from mcp_targets.echo.arguments import schema
from mcp_targets.echo.protocol.calls import TOOLS
from mcp_targets.echo.rpc import HEADER_MISMATCH, RpcError
from mcp_targets.serving.httpd import Request

VERSION_HEADER: Final = b"mcp-protocol-version"

_NAMED_BY: Final = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
_ONCE: Final = frozenset({VERSION_HEADER, b"mcp-method", b"mcp-name"})
_SENTINEL: Final = re.compile(r"=\?base64\?(.*)\?=")
_DECIMAL: Final = re.compile(r"-?[0-9]+(\.0+)?")

Mirrored = tuple[str, str, bytes, str]
"""An argument, its header as shown, its header as received, and its JSON type."""


def _mirrored(properties: dict[str, Any]) -> tuple[Mirrored, ...]:
    shown = {name: f"Mcp-Param-{p['x-mcp-header']}" for name, p in properties.items() if _marked(p)}
    return tuple(
        (name, header, header.lower().encode(), properties[name]["type"])
        for name, header in shown.items()
    )


def _marked(schema_of_property: dict[str, Any]) -> bool:
    return "x-mcp-header" in schema_of_property


_MIRRORED: Final = {
    tool.name: _mirrored(schema(tool.arguments)["properties"]) for tool in TOOLS.values()
}


def check_once(request: Request) -> None:
    """Refuse a repeated routing header: readers that take the first or the last would disagree."""
    if request.repeated and (twice := _ONCE & request.repeated):
        raise _mismatch(f"{min(twice).decode()} header appears more than once")


def check_route(request: Request, method: str, params: dict[str, Any], version: Any) -> None:
    """Compare the routing headers with the body. Raises RpcError."""
    headers = request.headers
    if not isinstance(version, str) or headers.get(VERSION_HEADER) != version.encode():
        raise _mismatch(
            "mcp-protocol-version header does not match the request envelope's protocol version"
        )
    if headers.get(b"mcp-method") != method.encode():
        raise _mismatch("mcp-method header does not match the request body's method")
    key = _NAMED_BY.get(method)
    if key is None or (named := params.get(key)) is None:
        return
    if _decoded(headers.get(b"mcp-name")) != named:
        raise _mismatch(f"mcp-name header does not match the request body's {key!r} parameter")


def check_params(request: Request, tool: str, arguments: Any) -> None:
    """Compare the `Mcp-Param-*` headers of a tools/call with its arguments. Raises RpcError."""
    for name, shown, header, kind in _MIRRORED[tool]:
        if header in request.repeated:
            raise _mismatch(f"{shown} header appears more than once")
        value = arguments.get(name) if isinstance(arguments, dict) else None
        raw = request.headers.get(header)
        if value is None and raw is None:
            continue
        if raw is None:
            raise _mismatch(f"{shown} header is missing but the argument {name!r} is present")
        if value is None:
            raise _mismatch(f"{shown} header is present but the argument {name!r} is absent")
        if not _agree(_decoded(raw), value, kind):
            raise _mismatch(f"{shown} header does not match the argument {name!r}")


def _agree(decoded: str | None, value: Any, kind: str) -> bool:
    if decoded is None:
        return False
    if kind == "integer" and type(value) is int:
        return bool(_DECIMAL.fullmatch(decoded)) and int(decoded.partition(".")[0]) == value
    return decoded == str(value)


def _decoded(raw: bytes | None) -> str | None:
    """Return a header's value, or None if it is absent or not canonical base64 of UTF-8."""
    if raw is None:
        return None
    value = raw.decode("latin-1")
    found = _SENTINEL.fullmatch(value)
    if found is None:
        return value
    try:
        plain = base64.b64decode(found[1], validate=True)
        text = plain.decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return text if base64.b64encode(plain).decode() == found[1] else None


def _mismatch(message: str) -> RpcError:
    return RpcError(HEADER_MISMATCH, message)
