"""Who is notified of changes: subscriptions of 2026-07-28, and the session streams before it."""

import asyncio
from collections.abc import AsyncIterator, Collection
from typing import Any, Final

from mcp_targets.echo import rpc
from mcp_targets.serving.httpd import Stream

UPDATED: Final = "notifications/resources/updated"
KEEP_ALIVE_S: Final = 15.0
_COMMENT: Final = b": keep-alive\n\n"
_LISTS: Final = ("tools", "prompts", "resources")
_ID: Final = "io.modelcontextprotocol/subscriptionId"

Change = tuple[str, dict[str, Any]]
"""A notification: its method and its params."""


class Hearer:
    """One stream: its subscriptions, and the notifications that it has yet to send."""

    def __init__(self, subscription: rpc.Id = None) -> None:
        self.methods: Collection[str] = ()
        self.uris: Collection[str] = ()
        self.queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._meta = {} if subscription is None else {"_meta": {_ID: subscription}}

    def hear(self, method: str, params: dict[str, Any]) -> None:
        """Queue a notification if the stream subscribes to it."""
        if params["uri"] in self.uris if method == UPDATED else method in self.methods:
            self.say(method, params)

    def end(self) -> None:
        self.queue.put_nowait(None)

    def say(self, method: str, params: dict[str, Any]) -> None:
        self.queue.put_nowait(rpc.event(rpc.notification(method, {**params, **self._meta})))


class Changes:
    """All open streams."""

    def __init__(self) -> None:
        self._hearers: set[Hearer] = set()

    @property
    def streams(self) -> int:
        return len(self._hearers)

    def tell(self, change: Change) -> None:
        """Send a change to every stream that subscribes to it."""
        for hearer in list(self._hearers):
            hearer.hear(*change)

    def listen(self, request_id: rpc.Id, params: dict[str, Any]) -> Stream:
        """Answer `subscriptions/listen`. Raises RpcError."""
        asked = params.get("notifications")
        if not isinstance(asked, dict):
            raise rpc.RpcError(rpc.INVALID_PARAMS, "notifications must be an object")
        hearer = Hearer(request_id)
        honoured: dict[str, Any] = {}
        hearer.methods = methods = set[str]()
        for what in _LISTS:
            if asked.get(f"{what}ListChanged") is True:
                methods.add(list_changed(what))
                honoured[f"{what}ListChanged"] = True
        uris = asked.get("resourceSubscriptions")
        if isinstance(uris, list):
            hearer.uris = {uri for uri in uris if isinstance(uri, str)}
            honoured["resourceSubscriptions"] = sorted(hearer.uris)
        hearer.say("notifications/subscriptions/acknowledged", {"notifications": honoured})
        return Stream(self.stream(hearer))

    async def stream(self, hearer: Hearer) -> AsyncIterator[bytes]:
        """Yield notifications until one side ends the stream; comments while there are none."""
        self._hearers.add(hearer)
        try:
            while True:
                try:
                    # Not wait_for: before Python 3.12, if an event comes while it is cancelled, it
                    # returns the event and the stream would outlive its connection.
                    async with asyncio.timeout(KEEP_ALIVE_S):
                        event = await hearer.queue.get()
                except TimeoutError:
                    event = _COMMENT
                if event is None:
                    return
                yield event
        finally:
            self._hearers.discard(hearer)


def list_changed(what: str) -> str:
    """Return the method of the notification that a list has changed."""
    return f"notifications/{what}/list_changed"


ALL_LISTS: Final = frozenset(map(list_changed, _LISTS))
"""The notifications that every session gets."""
