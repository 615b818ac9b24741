"""How a connection is opened, and how what comes on it is waited for."""

import socket
from collections.abc import Callable
from typing import Any, Protocol

from mcp_perf.client.errors import ConnectError, connect_error
from mcp_perf.client.http import addresses
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
        plain = _connected(origin, timeout_s)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if origin.tls is None:
            return plain
        return origin.tls.wrap_socket(plain, server_hostname=origin.name)
    except BaseException as error:
        if plain is not None:
            plain.close()
        if isinstance(error, OSError):
            raise connect_error(origin.address, error) from error
        raise


Peer = tuple[int, tuple[Any, ...]]
"""An address family, and an address in figures as sockets take it."""


def look_up(host: str, port: int) -> list[Peer]:
    """Return the addresses of a host: the one place where names are resolved. Raises OSError.

    In figures, an address needs no resolver: gevent's is a thread, and costs 80 µs.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.inet_pton(family, host)
    except OSError:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return [(family, where) for family, _, _, _, where in found]
    return [(family, (host, port))]


def _connected(origin: Origin, timeout_s: float) -> socket.socket:
    """Connect to the first address that answers; each is looked at before it is connected to."""
    last: OSError = OSError("the host has no address")
    for family, where in look_up(origin.host, origin.port):
        if why := addresses.never(where[0]):
            raise ConnectError(f"{origin.address}: {why}")
        if origin.only_public and not addresses.is_public(where[0]):
            raise ConnectError(f"{origin.address}: {where[0]} is a private address")
        made = socket.socket(family, socket.SOCK_STREAM)
        try:
            made.settimeout(timeout_s)
            made.connect(where)
        except OSError as error:
            made.close()
            last = error
        except BaseException:
            made.close()
            raise
        else:
            return made
    raise last
