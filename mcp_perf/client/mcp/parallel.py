"""Calls at once within one session over streamable HTTP: each has a connection of its own.

An HTTP/1.1 connection carries one call at a time. A `Line` is the client once more, with its own
connection and its own call; what a server knows a client by is the client's.
"""

import threading
from typing import Any, cast

from mcp_perf.client.http.connection import Connection
from mcp_perf.client.mcp.base import NOTHING
from mcp_perf.client.mcp.get_stream import Listener
from mcp_perf.client.mcp.streamable_http import McpClient
from mcp_perf.client.protocol.requests import Arguments, Params, Prepared
from mcp_perf.client.protocol.subscriptions import Inbox
from mcp_perf.client.reply import REJOINED, REOPENED, Reply


class _Shared:
    """An attribute of a line that is the client's own."""

    def __set_name__(self, _owner: type, name: str) -> None:
        self._name = name

    def __get__(self, line: "Line", _owner: type) -> Any:
        return getattr(line.client, self._name)

    def __set__(self, line: "Line", value: Any) -> None:
        setattr(line.client, self._name, value)


class Line(McpClient):
    """One more way of a client to its server; several may call at once.

    Ids, encoded calls, redirects and credentials are shared as they are, because these are objects
    that change within; the rest of what is shared stands below.
    """

    version = cast(str, _Shared())
    _session = cast(str, _Shared())
    _token = cast(str, _Shared())
    _opened = cast(bool, _Shared())
    _lost = cast(bool, _Shared())
    _listener = cast(Listener | None, _Shared())
    _inbox = cast(Inbox | None, _Shared())
    _subscribed = cast(list[str], _Shared())

    def __init__(self, client: McpClient, connection: Connection) -> None:
        """Take a connection: it may be the client's own, as long as the client does not call."""
        self.client = client
        own = {name: value for name, value in vars(client).items() if not _is_shared(name)}
        vars(self).update(own, connection=connection, _side=None, _heard=None)
        self._side_lock = threading.Lock()
        self._sent_in = ""
        """The session that the last attempt of the call was sent in."""

    def ready(self) -> None:
        """Open the connection where it is gone; the session is the client's affair."""
        self.connection.ready(self.endpoint.timeout_s)

    def close(self) -> None:
        self.connection.close()
        if self._side is not None:
            self._side.close()

    def open(self) -> bool:
        """Open the session; False where a line beside has just done so."""
        with self._renewing:
            return not self._opened and super().open()

    def _call_once(
        self, call: Prepared, arguments: Arguments, timeout_s: float, added: Params = NOTHING
    ) -> Reply:
        with self._renewing:  # nothing is sent between two sessions
            self._sent_in = self._session
        self.client._answers = self._answers  # noqa: SLF001 -- it hears what names no call
        return super()._call_once(call, arguments, timeout_s, added)

    def _called_in(self) -> str:
        return self._sent_in

    def _renew(self) -> int:
        with self._renewing:
            if self._opened and self._session != self._sent_in:
                return REJOINED
            super()._renew()
            return REOPENED

    def _listen(self, timeout_s: float) -> Reply:
        return self.client._listen(timeout_s)  # noqa: SLF001 -- the stream is the session's


def _is_shared(name: str) -> bool:
    return isinstance(vars(Line).get(name), _Shared)
