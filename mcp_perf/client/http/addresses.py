"""Which addresses mcp-perf never connects to, and which are outside the user's own network."""

import ipaddress
from functools import lru_cache
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
"""RFC 6052: its last 32 bits are an IPv4 address."""
_NEVER: Final = {
    "0.0.0.0/8": "never the address of a server (RFC 1122)",
    "::/128": "never the address of a server (RFC 4291)",
    "169.254.0.0/16": "link-local (RFC 3927), where clouds serve credentials",
    "fe80::/10": "link-local (RFC 4291)",
    "fd00:ec2::254/128": "where AWS serves credentials",
    "fd20:ce::254/128": "where Google Cloud serves credentials",
    "100.100.100.200/32": "where Alibaba Cloud serves credentials",
    "168.63.129.16/32": "where Azure talks to its machines",
    "192.0.0.192/32": "where Oracle Cloud serves credentials",
}
"""Only a machine's own agent has business there; who steers a load generator could read it."""


@lru_cache(maxsize=256)  # some servers take one call on each connection
def never(address: str) -> str:
    """Say why no connection is made to a numeric address; empty if one may be made."""
    read = _read(address)
    for network, what in _NEVER.items():
        if read in ipaddress.ip_network(network):
            return f"{address} is {what}: mcp-perf never connects to it"
    return ""


def is_public(address: str) -> bool:
    """Tell whether a numeric address belongs to the internet, and so to somebody else."""
    return _read(address).is_global


def _read(address: str) -> Address:
    """Read an address; if it wraps an IPv4 address, return that one."""
    read = ipaddress.ip_address(address)
    if isinstance(read, ipaddress.IPv4Address):
        return read
    if read in _NAT64:
        return ipaddress.IPv4Address(int(read) & 0xFFFFFFFF)
    return read.ipv4_mapped or read.sixtofour or read
