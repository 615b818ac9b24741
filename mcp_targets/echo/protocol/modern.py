"""Protocol 2026-07-28: every POST is self-contained, and its headers repeat what routers need.

The checks are in the order of the reference implementation: HTTP, JSON-RPC envelope, repeated
headers, `_meta`, headers against body, version, parameter headers, dispatch. The first failure
decides.
"""

from collections.abc import Callable
from typing import Any, Final

from mcp_targets.echo import rpc
from mcp_targets.echo.changes import Changes
from mcp_targets.echo.protocol.calls import Call, Outcome, call, called
from mcp_targets.echo.protocol.features import CAPABILITIES, INSTRUCTIONS, SERVER_INFO, Features
from mcp_targets.echo.protocol.routing_headers import (
    VERSION_HEADER,
    check_once,
    check_params,
    check_route,
)
from mcp_targets.echo.rpc import RpcError
from mcp_targets.serving.httpd import Reply, Request, Stream

VERSION: Final = "2026-07-28"
_VERSION_KEY: Final = "io.modelcontextprotocol/protocolVersion"
_CAPABILITIES_KEY: Final = "io.modelcontextprotocol/clientCapabilities"
_STAMP: Final = {"io.modelcontextprotocol/serverInfo": SERVER_INFO}
_CACHE: Final = {"ttlMs": 300_000, "cacheScope": "public"}
_CACHEABLE: Final = frozenset(
    {"tools/list", "resources/list", "resources/templates/list", "resources/read", "prompts/list"}
)
_STATUS: Final = {rpc.METHOD_NOT_FOUND: 404}
"""The HTTP status by error code; every other error of this era is a 400."""

Finish = Callable[[Request, bytes, str, rpc.Id, Outcome], Reply | Stream]
"""Makes the reply from the request, its session, the tool, the request's id and the outcome."""


class Modern:
    """Answer requests of this era. `finish` turns a tool's outcome into a reply."""

    def __init__(self, features: Features, finish: Finish, changes: Changes) -> None:
        self._methods = features.methods
        self._changes = changes
        self._finish = finish

    def answer(self, request: Request) -> Reply | Stream:
        if request.method != b"POST":
            return Reply(b"", 405, b"", ((b"allow", b"POST"),))
        request_id: rpc.Id = None
        try:
            message = rpc.decode(request.body)
            if "id" not in message:
                return _acknowledge(request, message)
            rpc.check_request(message)
            request_id = message["id"]
            return self.serve(request, message)
        except RpcError as error:
            return error.reply(_STATUS.get(error.code, 400), request_id)

    def serve(self, request: Request, message: dict[str, Any], pipe: bytes = b"") -> Reply | Stream:
        """Answer a request. Raises RpcError.

        `pipe` identifies the caller if its messages come without headers that repeat them.
        """
        method: str = message["method"]
        params: dict[str, Any] = message.get("params", {})
        if not pipe:
            check_once(request)
        version = _envelope(params)
        if not pipe:
            check_route(request, method, params, version)
        if version != VERSION:
            raise _unsupported(version)
        _check_responses(params)
        if method == "tools/call":
            return self._call(request, message["id"], params, pipe)
        if method == "subscriptions/listen":
            return self._changes.listen(message["id"], params)
        if method == "server/discover":
            result = _discovery()
        elif method in self._methods:
            result = dict(self._methods[method](params))
        else:
            raise RpcError(rpc.METHOD_NOT_FOUND, "Method not found", {"method": method})
        if method in _CACHEABLE:
            result.update(_CACHE)
        return Reply(rpc.result(message["id"], _stamped(result)))

    def _call(
        self, request: Request, request_id: rpc.Id, params: dict[str, Any], pipe: bytes
    ) -> Reply | Stream:
        tool = called(params)
        if not pipe:
            check_params(request, tool.name, params.get("arguments"))
        outcome = call(tool, Call(params, modern=True))
        outcome.result = _stamped(outcome.result)
        return self._finish(request, pipe, tool.name, request_id, outcome)


def _acknowledge(request: Request, message: dict[str, Any]) -> Reply:
    rpc.check_notification(message)
    requested = request.headers[VERSION_HEADER].decode("latin-1")
    if requested != VERSION:
        raise _unsupported(requested)
    return Reply(b"", 202, b"")


def _envelope(params: dict[str, Any]) -> Any:
    meta = params.get("_meta")
    if not isinstance(meta, dict):
        raise RpcError(
            rpc.INVALID_PARAMS,
            "params._meta must be an object carrying the required "
            f"{_VERSION_KEY!r} and {_CAPABILITIES_KEY!r} envelope keys",
        )
    if missing := [key for key in (_VERSION_KEY, _CAPABILITIES_KEY) if key not in meta]:
        raise RpcError(
            rpc.INVALID_PARAMS,
            f"params._meta is missing the required envelope key(s): {', '.join(missing)}",
        )
    return meta[_VERSION_KEY]


def _check_responses(params: dict[str, Any]) -> None:
    """Refuse malformed answers: each must be an object under the server's key."""
    responses = params.get("inputResponses", {})
    if not isinstance(responses, dict) or not all(isinstance(r, dict) for r in responses.values()):
        raise RpcError(rpc.INVALID_PARAMS, "inputResponses must be an object of objects")


def _unsupported(requested: str) -> RpcError:
    data = {"supported": [VERSION], "requested": requested}
    return RpcError(rpc.UNSUPPORTED_VERSION, "Unsupported protocol version", data)


def _discovery() -> dict[str, Any]:
    return {
        "supportedVersions": [VERSION],
        "capabilities": CAPABILITIES,
        "instructions": INSTRUCTIONS,
        **_CACHE,
    }


def _stamped(result: dict[str, Any]) -> dict[str, Any]:
    return {"resultType": "complete", **result, "_meta": _STAMP}
