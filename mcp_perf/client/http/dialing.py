"""How a connection is opened, and how what comes on it is waited for."""

import socket
from collections.abc import Callable
from typing import Protocol

from mcp_perf.client.errors import connect_error
from mcp_perf.client.http.endpoint import Origin

Clock = Callable[[], int]


class Wait(Protocol):
    """A way to wait for the first byte of a reply that is cheaper than the socket's own."""

    def __call__(self, deadline_ns: int) -> None:
        """Return when the descriptor is readable. Raises TimeoutError when the clock is there."""

    def close(self) -> None: ...


WaitFactory = Callable[[int], Wait]
"""From a file descriptor; the load generator hands in one that fits its event loop."""


def dial(origin: Origin, timeout_s: float) -> socket.socket:
    """Return a socket to an origin. Raises ConnectError."""
    plain: socket.socket | None = None
    try:
        plain = _connected(origin.host, origin.port, timeout_s)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if origin.tls is None:
            return plain
        return origin.tls.wrap_socket(plain, server_hostname=origin.host)
    except BaseException as error:
        if plain is not None:
            plain.close()
        if isinstance(error, OSError):
            raise connect_error(origin.authority, error) from error
        raise


def _connected(host: str, port: int, timeout_s: float) -> socket.socket:
    """Connect. In figures, an address needs no resolver: gevent's is a thread, and costs 80 µs."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.inet_pton(family, host)
    except OSError:
        return socket.create_connection((host, port), timeout_s)
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.settimeout(timeout_s)
        made.connect((host, port))
    except BaseException:
        made.close()
        raise
    return made
