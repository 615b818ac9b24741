"""How a connection is opened, and how to wait for what comes on it."""

import re
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from mcp_perf.client.errors import ConnectError, connect_error
from mcp_perf.client.http import addresses
from mcp_perf.client.http.endpoint import USER_AGENT, Origin
from mcp_perf.client.http.http1 import encode_headers

_MOST_BYTES: Final = 16 * 1024
_OPENED: Final = re.compile(rb"HTTP/1\.[01] 2\d\d\b.*?\r\n\r\n", re.DOTALL)
"""The answer of a proxy that has opened a tunnel."""

Clock = Callable[[], int]


class Wait(Protocol):
    """A way to wait for the first byte of a reply that is cheaper than the socket's own."""

    def __call__(self, deadline_ns: int) -> None:
        """Return when the descriptor is readable. Raises TimeoutError at the deadline."""

    def close(self) -> None: ...


WaitFactory = Callable[[int], Wait]
"""Makes one for a file descriptor; the load generator passes a factory for its event loop."""


def dial(origin: Origin, timeout_s: float) -> socket.socket:
    """Return a socket to an origin. Raises ConnectError."""
    plain: socket.socket | None = None
    where = origin.address if origin.proxy is None else f"the proxy {origin.proxy.address}"
    try:
        plain = _connected(origin, timeout_s)
        if not origin.socket:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if origin.tls is None:
            return plain
        if origin.proxy is not None:
            _ask_for_the_way(plain, origin, where, timeout_s)
        where = origin.address
        name = urlsplit(f"//{origin.authority}").hostname
        return origin.tls.wrap_socket(plain, server_hostname=name)
    except BaseException as error:
        if plain is not None:
            plain.close()
        if isinstance(error, OSError):
            raise connect_error(where, error) from error
        raise


Peer = tuple[int, tuple[Any, ...] | str]
"""An address family, and a numeric address as sockets take it, or a file."""


def look_up(host: str, port: int) -> list[Peer]:
    """Return the addresses of a host: the one place where names are resolved. Raises OSError.

    A numeric address needs no resolver: gevent's is a thread, and costs 80 µs.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.inet_pton(family, host)
    except OSError:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return [(family, where) for family, _, _, _, where in found]
    return [(family, (host, port))]


def _looked_at(origin: Origin) -> Iterator[Peer]:
    """Yield the addresses of an origin. Raises ConnectError at one that may not be connected to."""
    for family, where in look_up(origin.host, origin.port):
        if why := addresses.never(where[0]):
            raise ConnectError(f"{origin.address}: {why}")
        if origin.only_public and not addresses.is_public(where[0]):
            why = "is private, and an OAuth server may not send mcp-perf there"
            cure = (
                "If it is the right authorization server, write its address as issuer under oauth"
            )
            raise ConnectError(f"{origin.address}: the address {where[0]} {why}. {cure}")
        yield family, where


def _peers(origin: Origin) -> Iterator[Peer]:
    """Yield where to connect to. A proxy is never asked for an address that is forbidden here."""
    if origin.socket:
        return iter([(socket.AF_UNIX, origin.socket)])
    if origin.proxy is None:
        return _looked_at(origin)
    try:
        list(_looked_at(origin))
    except socket.gaierror:  # a name that only the proxy may know
        if origin.only_public:
            raise
    return _looked_at(origin.proxy)


def _connected(origin: Origin, timeout_s: float) -> socket.socket:
    """Connect to the first address that answers; each is checked before."""
    last: OSError = OSError("the host has no address")
    for family, where in _peers(origin):
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


def _ask_for_the_way(plain: socket.socket, origin: Origin, proxy: str, timeout_s: float) -> None:
    """Ask a proxy to open a tunnel (RFC 9110, section 9.3.6). Raises ConnectError and OSError."""
    to = f"{origin.address}:443" if origin.port == 443 else origin.address
    login = [("Proxy-Authorization", origin.login)] if origin.login else []
    fields = encode_headers([("Host", to), ("User-Agent", USER_AGENT), *login])
    plain.sendall(b"CONNECT %b HTTP/1.1\r\n%b\r\n" % (to.encode(), fields))
    head, until_s = b"", time.monotonic() + timeout_s
    while b"\r\n\r\n" not in head and len(head) < _MOST_BYTES:
        plain.settimeout(max(0.001, until_s - time.monotonic()))
        came = plain.recv(_MOST_BYTES)
        if not came:
            break
        head += came
    plain.settimeout(timeout_s)
    if not _OPENED.match(head):
        said = head.partition(b"\r\n")[0].decode("latin-1") or "it closed the connection"
        cure = " (write headers: {Proxy-Authorization: …})" if " 407" in said else ""
        raise ConnectError(f"{proxy} refuses to connect to {to}: {said}{cure}")
