"""Who may call a bundled server: programs on this machine, and pages that the server serves.

A page of any site can send requests to 127.0.0.1 from its reader's browser. `Origin` shows that,
and so does `Host` if a foreign name points at this machine.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

App = Callable[[MutableMapping[str, Any], Any, Any], Awaitable[None]]
"""An ASGI application, called with a scope, `receive` and `send`."""
FOREIGN: Final = b"Host and Origin have to name this machine, such as 127.0.0.1\n"
_OURS: Final = frozenset({b"127.0.0.1", b"localhost", b"[::1]"})


def is_foreign(host: bytes | None, origin: bytes | None) -> bool:
    """Return whether a request came from another site, by its headers `Host` and `Origin`."""
    if host is None or _without_port(host) not in _OURS:
        return True
    return origin is not None and _without_port(origin.partition(b"://")[2]) not in _OURS


def guarded(app: App) -> App:
    """Refuse foreign requests with 403 before the application sees them."""

    async def guard(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        named = dict(scope.get("headers", ()))
        if scope["type"] == "lifespan" or not is_foreign(named.get(b"host"), named.get(b"origin")):
            await app(scope, receive, send)
            return
        kind = [(b"content-type", b"text/plain")]
        await send({"type": "http.response.start", "status": 403, "headers": kind})
        await send({"type": "http.response.body", "body": FOREIGN})

    return guard


def _without_port(host: bytes) -> bytes:
    name, colon, port = host.rpartition(b":")
    return (name if colon and port.isdigit() else host).lower()
