"""The `rest` face: the same work as the tools, as plain JSON over HTTP."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

import msgspec

from mcp_targets.echo import arguments as a
from mcp_targets.echo import tools
from mcp_targets.echo.rpc import encode
from mcp_targets.serving.httpd import Reply, Request

_A = TypeVar("_A", bound=a.Arguments)


def _reply(value: dict[str, Any], status: int = 200) -> Reply:
    return Reply(encode(value), status)


def error(status: int, code: str, message: str) -> Reply:
    """Return an error in the one form that errors have here."""
    return _reply({"error": {"code": code, "message": message}}, status)


def _body(request: Request, kind: type[_A]) -> _A:
    return msgspec.json.decode(request.body, type=kind)


def _query(request: Request, kind: type[_A]) -> _A:
    return msgspec.convert(request.query(), kind, strict=False)


def _post_echo(request: Request) -> Reply:
    return _reply(tools.echo(_body(request, a.Echo).message))


def _get_echo(request: Request) -> Reply:
    return _reply(tools.echo(_query(request, a.Echo).message))


def _add(request: Request) -> Reply:
    given = _body(request, a.Add)
    return _reply(tools.add(given.a, given.b))


def _sleep(request: Request) -> Reply:
    waited_ms = _body(request, a.Sleep).ms
    reply = _reply(tools.slept(waited_ms))
    reply.after_s = waited_ms / 1000
    return reply


def _fail(request: Request) -> Reply:
    return error(500, "failed", _body(request, a.Fail).message)


def _big(request: Request) -> Reply:
    return Reply(tools.big(_query(request, a.Big).bytes).encode(), 200, b"text/plain")


ROUTES: Final[dict[tuple[bytes, bytes], Callable[[Request], Reply]]] = {
    (b"POST", b"/echo"): _post_echo,
    (b"GET", b"/echo"): _get_echo,
    (b"POST", b"/add"): _add,
    (b"POST", b"/sleep"): _sleep,
    (b"POST", b"/fail"): _fail,
    (b"GET", b"/big"): _big,
}
_PATHS: Final = frozenset(path for _, path in ROUTES)


def answer(request: Request) -> Reply:
    """Return the reply of a route, or an error that says what to send instead."""
    route = ROUTES.get((request.method, request.path))
    if route is None:
        return _unknown(request)
    try:
        return route(request)
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
