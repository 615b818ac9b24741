"""Who is told of changes: subscriptions of 2026-07-28, and the streams of sessions before."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

from mcp_targets.systems.echo import rpc
from mcp_targets.systems.httpd import Stream

UPDATED: Final = "notifications/resources/updated"
_LISTS: Final = ("tools", "prompts", "resources")
_ID: Final = "io.modelcontextprotocol/subscriptionId"

Change = tuple[str, dict[str, Any]]
"""A notification: its method and its params."""


class _Hearer:
    """One stream: what it is told of, and what it has yet to send."""

    def __init__(self, subscription: rpc.Id = None) -> None:
        self.methods: set[str] = set()
        self.uris: set[str] = set()
        self.queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._meta = {} if subscription is None else {"_meta": {_ID: subscription}}

    def hear(self, method: str, params: dict[str, Any]) -> None:
        """Take a notification, if it is wanted."""
        if params["uri"] in self.uris if method == UPDATED else method in self.methods:
            self.say(method, params)

    def say(self, method: str, params: dict[str, Any]) -> None:
        """Send a notification."""
        self.queue.put_nowait(rpc.event(rpc.notification(method, {**params, **self._meta})))


class Changes:
    """All who listen."""

    def __init__(self) -> None:
        self._hearers: set[_Hearer] = set()
        self._sessions: dict[bytes, _Hearer] = {}

    @property
    def streams(self) -> int:
        """How many streams are open."""
        return len(self._hearers)

    def tell(self, change: Change) -> None:
        """Tell all who asked for it."""
        for hearer in list(self._hearers):
            hearer.hear(*change)

    def listen(self, request_id: rpc.Id, params: dict[str, Any]) -> Stream:
        """Answer `subscriptions/listen`. Raises RpcError."""
        asked = params.get("notifications")
        if not isinstance(asked, dict):
            raise rpc.RpcError(rpc.INVALID_PARAMS, "notifications must be an object")
        hearer = _Hearer(request_id)
        honoured: dict[str, Any] = {}
        for what in _LISTS:
            if asked.get(f"{what}ListChanged") is True:
                hearer.methods.add(list_changed(what))
                honoured[f"{what}ListChanged"] = True
        uris = asked.get("resourceSubscriptions")
        if isinstance(uris, list):
            hearer.uris = {uri for uri in uris if isinstance(uri, str)}
            honoured["resourceSubscriptions"] = sorted(hearer.uris)
        hearer.say("notifications/subscriptions/acknowledged", {"notifications": honoured})
        return Stream(self._stream(hearer))

    # Sessions, up to 2025-11-25.

    def open(self, session: bytes) -> Stream | None:
        """Return the stream of a session; None where it has one already."""
        hearer = self._of(session)
        if hearer in self._hearers:
            return None
        hearer.queue = asyncio.Queue()
        self._hearers.add(hearer)
        return Stream(self._stream(hearer))

    def subscribe(self, session: bytes, uri: Any, *, wanted: bool) -> None:
        """Add a resource to what a session is told of, or take it away. Raises RpcError."""
        if not isinstance(uri, str):
            raise rpc.RpcError(rpc.INVALID_PARAMS, "uri must be a string")
        uris = self._of(session).uris
        (uris.add if wanted else uris.discard)(uri)

    def end(self, session: bytes) -> None:
        """Forget a session, and end its stream."""
        hearer = self._sessions.pop(session, None)
        if hearer is not None:
            hearer.queue.put_nowait(None)

    def _of(self, session: bytes) -> _Hearer:
        hearer = self._sessions.get(session)
        if hearer is None:
            hearer = self._sessions[session] = _Hearer()
            hearer.methods = {list_changed(what) for what in _LISTS}
        return hearer

    async def _stream(self, hearer: _Hearer) -> AsyncIterator[bytes]:
        self._hearers.add(hearer)
        try:
            while (event := await hearer.queue.get()) is not None:
                yield event
        finally:
            self._hearers.discard(hearer)


def list_changed(what: str) -> str:
    """Return the notification that a list has changed."""
    return f"notifications/{what}/list_changed"
