"""The sessions of the handshake era, and the questions to the user in them.

Sessions are opened, used, and ended by their client or after an idle time. Questions are requests
from the server, on the stream of the call that asks them.
"""

import asyncio
import itertools
import secrets
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

from mcp_targets.echo import rpc
from mcp_targets.echo.changes import ALL_LISTS, Changes, Hearer

Answered = Callable[[dict[str, Any]], dict[str, Any]]
"""Makes the tool's result from the client's answer."""
_NOTHING: Final[frozenset[str]] = frozenset()


class Session:
    """One session. It is small because thousands of them may be open."""

    __slots__ = ("elicits", "streams", "uris", "used")

    def __init__(self, *, elicits: bool) -> None:
        self.elicits = elicits
        """Whether its client can ask its user."""
        self.uris = _NOTHING
        """The resources that it subscribes to."""
        self.used = True
        """Whether it was used since the last sweep for idle sessions."""
        self.streams: set[Hearer] = set()
        """Its open streams: one, and any that it has just replaced."""

    def subscribe(self, uri: str, *, wanted: bool) -> None:
        """Add a resource to its subscriptions, or remove it."""
        self.uris = self.uris | {uri} if wanted else self.uris - {uri}
        for stream in self.streams:
            stream.uris = self.uris


class Sessions:
    """All sessions. With `idle_s`, an unused session without a stream ends automatically.

    A sweep every `idle_s` ends the sessions that were not used since the last sweep, which is
    after one to two times `idle_s`. `later` calls a function after some seconds.
    """

    def __init__(
        self, idle_s: float | None, later: Callable[[float, Callable[[], None]], Any]
    ) -> None:
        self._idle_s = idle_s
        self._later = later
        self._sessions: dict[bytes, Session] = {}
        self._sweeping = False
        self.changes = Changes()

    def __len__(self) -> int:
        return len(self._sessions)

    def open(self, *, elicits: bool = False) -> bytes:
        name = secrets.token_hex(16).encode()
        self._sessions[name] = Session(elicits=elicits)
        if self._idle_s is not None and not self._sweeping:
            self._sweeping = True
            self._later(self._idle_s, self._sweep)
        return name

    def use(self, name: bytes) -> Session | None:
        """Return a session and mark it as used, or return None if it does not exist."""
        session = self._sessions.get(name)
        if session is not None:
            session.used = True
        return session

    def end(self, name: bytes) -> None:
        for stream in self._sessions.pop(name).streams:
            stream.end()

    async def stream(self, session: Session) -> AsyncIterator[bytes]:
        """Yield the changes and comments of a session's stream until one side ends it.

        It replaces an open stream, because no message may be sent on two streams.
        """
        for other in session.streams:
            other.end()
        hearer = Hearer()
        hearer.methods, hearer.uris = ALL_LISTS, session.uris
        session.streams.add(hearer)
        try:
            async for event in self.changes.stream(hearer):
                yield event
        finally:
            session.streams.discard(hearer)
            session.used = True

    def _sweep(self) -> None:
        for name, session in list(self._sessions.items()):
            if not session.used and not session.streams:
                self.end(name)
            session.used = False
        self._sweeping = bool(self._sessions)
        if self._sweeping and self._idle_s is not None:
            self._later(self._idle_s, self._sweep)


class Questions:
    """The questions that wait for an answer."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._open: dict[tuple[bytes, int], asyncio.Future[dict[str, Any]]] = {}

    async def ask(
        self, session: bytes, request_id: rpc.Id, params: dict[str, Any], answered: Answered
    ) -> AsyncIterator[bytes]:
        """Ask, wait, and answer the call."""
        number = next(self._numbers)
        waiting = asyncio.get_running_loop().create_future()
        self._open[session, number] = waiting
        question = {"jsonrpc": "2.0", "id": number, "method": "elicitation/create"}
        try:
            yield rpc.event(rpc.encode({**question, "params": params}))
            answer = await waiting
        finally:
            del self._open[session, number]
        yield rpc.event(rpc.result(request_id, answered(answer)))

    def answer(self, session: bytes, message: dict[str, Any]) -> None:
        """Take an answer. Ignore it if nobody waits for it; an error counts as "cancel"."""
        number, result = message.get("id"), message.get("result")
        waiting = self._open.get((session, number)) if isinstance(number, int) else None
        if waiting is not None and not waiting.done():
            waiting.set_result(result if isinstance(result, dict) else {"action": "cancel"})
