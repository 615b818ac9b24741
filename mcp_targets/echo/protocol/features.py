"""What both eras share: the lists, the resource, the prompt, the server's description."""

import base64
from collections.abc import Callable
from typing import Any, Final

from mcp_targets.echo.protocol.calls import TOOLS
from mcp_targets.echo.rpc import INVALID_PARAMS, RpcError

SERVER_INFO: Final = {"name": "mcp-perf-echo", "version": "1.0.0"}
INSTRUCTIONS: Final = "A calibration server: its tools do nothing useful, predictably."
CAPABILITIES: Final[dict[str, Any]] = {
    "tools": {"listChanged": True},
    "resources": {"subscribe": True, "listChanged": True},
    "prompts": {"listChanged": True},
}

_README_URI: Final = "echo://readme"
_README: Final = "# echo\n\nA calibration server for load tests.\n"
_RESOURCE: Final = {"uri": _README_URI, "name": "readme", "mimeType": "text/markdown"}
_PROMPT: Final = {
    "name": "greet",
    "description": "Greet somebody.",
    "arguments": [{"name": "name", "description": "Whom to greet.", "required": True}],
}

Params = dict[str, Any]
Answer = Callable[[Params], dict[str, Any]]


class Features:
    """Answer the methods that do not call a tool and are the same in both eras."""

    def __init__(self, page_size: int | None) -> None:
        self._tools = [tool.listed() for tool in TOOLS.values()]
        self._page_size = page_size or len(self._tools)
        self.methods: dict[str, Answer] = {
            "tools/list": self._list_tools,
            "resources/list": lambda _: {"resources": [_RESOURCE]},
            "resources/templates/list": lambda _: {"resourceTemplates": []},
            "resources/read": _read_resource,
            "prompts/list": lambda _: {"prompts": [_PROMPT]},
            "prompts/get": _get_prompt,
        }

    def _list_tools(self, params: Params) -> dict[str, Any]:
        start = self._offset(params.get("cursor"))
        end = start + self._page_size
        page: dict[str, Any] = {"tools": self._tools[start:end]}
        if end < len(self._tools):
            page["nextCursor"] = base64.urlsafe_b64encode(f"tools:{end}".encode()).decode()
        return page

    def _offset(self, cursor: Any) -> int:
        if cursor is None:
            return 0
        for start in range(self._page_size, len(self._tools), self._page_size):
            if cursor == base64.urlsafe_b64encode(f"tools:{start}".encode()).decode():
                return start
        raise RpcError(INVALID_PARAMS, "Invalid cursor")


def _read_resource(params: Params) -> dict[str, Any]:
    uri = params.get("uri")
    if uri != _README_URI:
        raise RpcError(INVALID_PARAMS, "Unknown resource", {"uri": uri})
    return {"contents": [{"uri": uri, "mimeType": "text/markdown", "text": _README}]}


def _get_prompt(params: Params) -> dict[str, Any]:
    if params.get("name") != "greet":
        raise RpcError(INVALID_PARAMS, "Unknown prompt")
    arguments = params.get("arguments")
    name = arguments.get("name") if isinstance(arguments, dict) else None
    if not isinstance(name, str):
        raise RpcError(INVALID_PARAMS, "greet needs the argument 'name', a string")
    message = {"role": "user", "content": {"type": "text", "text": f"Please greet {name}."}}
    return {"description": "Greet somebody.", "messages": [message]}
