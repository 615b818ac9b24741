"""Waiting for something to become true, and finding free ports."""

import contextlib
import random
import socket
import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")
_PORTS = range(20_000, 32_000)
"""Below the ports for outgoing connections: thousands of these are opened next to a test, and one
of them could take a port before the server that it was found for."""


def until(
    what: Callable[[], Found],
    failure: str | Callable[[], str] = "it did not come to that",
    seconds: float = 120.0,
    *,
    sleep: Callable[[float], object] = time.sleep,
) -> Found:
    """Wait for a true value; return it. `failure` describes it in the error if it never comes."""
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, failure if isinstance(failure, str) else failure()
        sleep(0.02)
    return found


def free_port() -> int:
    """Return a port that nobody listens on."""
    while True:
        # The seeds of tests would give all workers the same ports.
        port = random.SystemRandom().choice(_PORTS)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def answers(port: int) -> bool:
    """Return whether something listens."""
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    return False
