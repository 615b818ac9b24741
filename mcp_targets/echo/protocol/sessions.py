"""The sessions of the handshake era: opened, used, ended by their client or after an idle time."""

import secrets
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

from mcp_targets.echo.changes import ALL_LISTS, Changes, Hearer

_NOTHING: Final[frozenset[str]] = frozenset()


class Session:
    """One session. It keeps as little as it can, so that thousands of them can be open."""

    __slots__ = ("elicits", "streams", "uris", "used", "version")

    def __init__(self, version: str, *, elicits: bool) -> None:
        self.version = version
        self.elicits = elicits
        """Whether its client can ask its user."""
        self.uris = _NOTHING
        """The resources that it has subscribed to."""
        self.used = True
        """Since the idle ones were last looked for."""
        self.streams: set[Hearer] = set()
        """The open ones: one, and any that it has just taken the place of."""

    def subscribe(self, uri: str, *, wanted: bool) -> None:
        """Add a resource to what it is told of, or take it away."""
        self.uris = self.uris | {uri} if wanted else self.uris - {uri}
        for stream in self.streams:
            stream.uris = self.uris


class Sessions:
    """All sessions. With `idle_s`, one that is not used and has no stream ends by itself.

    Every `idle_s` those that were not used since the last time are ended: after one to two times
    it. `later` calls a function after some seconds.
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

    def open(self, version: str, *, elicits: bool = False) -> bytes:
        name = secrets.token_hex(16).encode()
        self._sessions[name] = Session(version, elicits=elicits)
        if self._idle_s is not None and not self._sweeping:
            self._sweeping = True
            self._later(self._idle_s, self._sweep)
        return name

    def use(self, name: bytes) -> Session | None:
        """Return a session that is used now; None when there is no such one."""
        session = self._sessions.get(name)
        if session is not None:
            session.used = True
        return session

    def end(self, name: bytes) -> None:
        for stream in self._sessions.pop(name).streams:
            stream.end()

    async def stream(self, session: Session) -> AsyncIterator[bytes]:
        """Yield what a session's stream carries, until one side ends it: changes, and comments.

        It takes the place of one that is open: no message may come by two streams.
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
