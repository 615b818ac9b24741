"""Addresses: who may call the server, and where callers may send it to (SSRF)."""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import urlsplit

from mcp_targets.business_tools.errors import Refused

Resolve = Callable[[str, int], Awaitable[list[str]]]


def allowed(address: str, networks: Sequence[str]) -> bool:
    """Return whether an address is in one of the networks. No networks means every address."""
    if not networks:
        return True
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(known, "ipv4_mapped", None)
    return any((mapped or known) in ipaddress.ip_network(network) for network in networks)


async def resolved(host: str, port: int) -> list[str]:
    """Return a host's addresses."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[4][0]) for address in found]


async def check_target(url: str, hosts: Sequence[str], resolve: Resolve = resolved) -> str:
    """Return the host to connect to for a URL that a caller gave. Raises Refused.

    All its addresses must be public. One of them is returned, because a second lookup of the name
    might give another. The `hosts` in the settings, HOST or HOST:PORT, are exempt.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        raise _refused("it cannot be read") from None
    if host in hosts or f"{host}:{port}" in hosts:
        return host
    if parts.scheme != "https":
        raise _refused("only https is allowed")
    if not host or parts.username is not None:
        raise _refused("it needs a host, and no user")
    try:
        found = await resolve(host, port)
    except OSError:
        raise _refused("its host is unknown") from None
    if not found or not all(ipaddress.ip_address(one).is_global for one in found):
        raise _refused("its host is not public")
    return found[0]


def _refused(why: str) -> Refused:
    hint = "Give a public https address, or name its host in allowed_hosts."
    return Refused("ADDRESS_REFUSED", f"this address is refused: {why}", hint, status=403)
