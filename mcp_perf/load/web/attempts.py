"""Guessing a password takes time: the more wrong ones a client sent, the longer it has to wait."""

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

_FREE: Final = 2
"""Wrong passwords in a row after which nobody waits: people mistype."""
LONGEST_S: Final = 60.0
_DOUBLED: Final = 10
"""How often the wait doubles at most; by then it is the longest."""
MOST_CLIENTS: Final = 1024


@dataclass(eq=False)
class Attempts:
    """Wrong passwords in a row, by client. It only counts, and does not delay any request."""

    clock: Callable[[], float]
    """In seconds."""
    _wrong: dict[str, tuple[int, float]] = field(default_factory=dict)
    """Client -> how many, and when its next one is checked; the longest silent client first."""

    def wait_s(self, client: str) -> float:
        """Return how long no password of this client is checked; 0 if the next one is."""
        _, until = self._wrong.get(_network(client), (0, 0.0))
        return max(0.0, until - self.clock())

    def wrong(self, client: str) -> None:
        network = _network(client)
        count = self._wrong.pop(network, (0, 0.0))[0] + 1
        if len(self._wrong) >= MOST_CLIENTS:
            del self._wrong[next(iter(self._wrong))]
        doubled = min(count - _FREE - 1, _DOUBLED)
        wait_s = min(2.0**doubled, LONGEST_S) if doubled >= 0 else 0.0
        self._wrong[network] = count, self.clock() + wait_s

    def right(self, client: str) -> None:
        self._wrong.pop(_network(client), None)


def _network(client: str) -> str:
    """Return the network whose addresses a client can choose from: with IPv6, its 64 bits."""
    try:
        address = ipaddress.ip_address(client.partition("%")[0])
    except ValueError:
        return client
    if address.version == 4:
        return str(address)
    return str(address.ipv4_mapped or ipaddress.ip_network((address, 64), strict=False))
