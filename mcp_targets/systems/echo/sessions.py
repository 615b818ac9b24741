"""The sessions of the handshake era: opened, used, ended by their client or after an idle time."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

KEEP_ALIVE_S: Final = 15.0
_COMMENT: Final = b": keep-alive\n\n"


class Session:
    """One session. It keeps as little as it can, so that thousands of them can be open."""

    __slots__ = ("streams", "used", "version")

    def __init__(self, version: str) -> None:
        self.version = version
        self.used = True
        """Since the idle ones were last looked for."""
        self.streams: set[asyncio.Future[None]] = set()
        """Ends of the open ones."""


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
        self.streams_open = 0

    def __len__(self) -> int:
        return len(self._sessions)

    def open(self, version: str) -> bytes:
        """Open a session; return its id."""
        name = secrets.token_hex(16).encode()
        self._sessions[name] = Session(version)
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
        """End a session and its streams."""
        for stream in self._sessions.pop(name).streams:
            if not stream.done():
                stream.set_result(None)

    async def stream(self, session: Session) -> AsyncIterator[bytes]:
        """Yield what a session's stream carries until one side ends it: comments, rarely."""
        ended = asyncio.get_running_loop().create_future()
        session.streams.add(ended)
        self.streams_open += 1
        try:
            while not ended.done():
                await asyncio.wait((ended,), timeout=KEEP_ALIVE_S)
                yield b"" if ended.done() else _COMMENT
        finally:
            self.streams_open -= 1
            session.streams.discard(ended)
            session.used = True

    def _sweep(self) -> None:
        for name, session in list(self._sessions.items()):
            if not session.used and not session.streams:
                self.end(name)
            session.used = False
        self._sweeping = bool(self._sessions)
        if self._sweeping and self._idle_s is not None:
            self._later(self._idle_s, self._sweep)
