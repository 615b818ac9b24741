"""The `rest` face: the same work as the tools, as plain JSON over HTTP."""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from mcp_targets.echo import arguments as a
from mcp_targets.echo import tools
from mcp_targets.echo.rpc import encode
from mcp_targets.serving.httpd import Reply, Request

_TEXT: Final = b"text/plain"


def _reply(value: dict[str, Any], status: int = 200) -> Reply:
    return Reply(encode(value), status)


def error(status: int, code: str, message: str) -> Reply:
    """Return an error, in the form of all errors here."""
    return _reply({"error": {"code": code, "message": message}}, status)


def _echo(given: a.Echo) -> Reply:
    return _reply(tools.echo(given.message))


def _sleep(given: a.Sleep) -> Reply:
    reply = _reply(tools.slept(given.ms))
    reply.after_s = given.ms / 1000
    return reply


ROUTES: Final[dict[tuple[bytes, bytes], tuple[type[a.Arguments], Callable[[Any], Reply]]]] = {
    (b"POST", b"/echo"): (a.Echo, _echo),
    (b"GET", b"/echo"): (a.Echo, _echo),
    (b"POST", b"/add"): (a.Add, lambda given: _reply(tools.add(given.a, given.b))),
    (b"POST", b"/sleep"): (a.Sleep, _sleep),
    (b"POST", b"/fail"): (a.Fail, lambda given: error(500, "failed", given.message)),
    (b"GET", b"/big"): (a.Big, lambda given: Reply(tools.big(given.bytes).encode(), 200, _TEXT)),
}
"""The type of a route's arguments, from its query or body, and the function that answers."""
_PATHS: Final = frozenset(path for _, path in ROUTES)


def answer(request: Request) -> Reply:
    """Return the reply of a route, or an error that says what to send instead."""
    route = ROUTES.get((request.method, request.path))
    if route is None:
        return _unknown(request)
    kind, respond = route
    try:
        if request.method == b"GET":
            return respond(msgspec.convert(request.query(), kind, strict=False))
        return respond(msgspec.json.decode(request.body, type=kind))
    except (msgspec.ValidationError, msgspec.DecodeError) as problem:
        return error(400, "bad_request", str(problem))


def _unknown(request: Request) -> Reply:
    if request.path not in _PATHS:
        known = ", ".join(sorted({path.decode() for path in _PATHS}))
        return error(404, "not_found", f"no such path; there are {known}")
    allowed = b", ".join(method for method, path in ROUTES if path == request.path)
    reply = error(405, "method_not_allowed", f"this path answers {allowed.decode()}")
    reply.headers = ((b"allow", allowed),)
    return reply
