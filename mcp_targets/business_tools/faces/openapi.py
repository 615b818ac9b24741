"""The OpenAPI document of the face `rest`: a path for each tool, with its own schemas."""

from collections.abc import Iterable
from typing import Any, Final

from mcp_targets.business_tools.tools.tool import OUTPUT, Tool

_ERROR: Final = {
    "type": "object",
    "properties": {"error": OUTPUT["properties"]["error"]},
    "required": ["error"],
}
_FAILURES: Final = (400, 401, 403, 404, 409, 413, 429, 500, 502, 503, 504)


def paths(tools: Iterable[Tool]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the paths, and the schemas that they refer to."""
    schemas: dict[str, Any] = {"Answer": OUTPUT, "Failure": _ERROR}
    found = {}
    for tool in tools:
        schema = dict(tool.schema)
        for name, definition in schema.pop("$defs", {}).items():
            schemas[name] = _moved(definition)
        found[f"/tools/{tool.name}"] = {"post": _operation(tool, _moved(schema))}
    return found, schemas


def _operation(tool: Tool, schema: dict[str, Any]) -> dict[str, Any]:
    failure = {"application/json": {"schema": {"$ref": "#/components/schemas/Failure"}}}
    answer = {"application/json": {"schema": {"$ref": "#/components/schemas/Answer"}}}
    return {
        "operationId": tool.name,
        "summary": tool.description,
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
        "responses": {
            "200": {"description": "The answer.", "content": answer},
            **{
                str(status): {"description": "The standard error.", "content": failure}
                for status in _FAILURES
            },
        },
    }


def _moved(value: Any) -> Any:
    """Return a schema with its references moved to where OpenAPI keeps schemas."""
    if isinstance(value, dict):
        return {
            name: inside.replace("#/$defs/", "#/components/schemas/")
            if name == "$ref" and isinstance(inside, str)
            else _moved(inside)
            for name, inside in value.items()
        }
    return [_moved(inside) for inside in value] if isinstance(value, list) else value
