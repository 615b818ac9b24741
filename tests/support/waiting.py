"""Waiting for something to become true, and addresses that nobody listens on."""

import contextlib
import random
import socket
import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")
_PORTS = range(20_000, 32_000)
"""Below those that a system gives to outgoing connections: thousands are opened next to a test,
and one of them could get a port before the server that it was found for."""


def until(
    what: Callable[[], Found],
    failure: str | Callable[[], str] = "it did not come to that",
    seconds: float = 120.0,
    *,
    sleep: Callable[[float], object] = time.sleep,
) -> Found:
    """Wait for something to become true; return it. `failure` says what it was, if it does not."""
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, failure if isinstance(failure, str) else failure()
        sleep(0.02)
    return found


def free_port() -> int:
    """Return a port that nobody listens on."""
    while True:
        # Seeds of tests would give all workers the same ports.
        port = random.SystemRandom().choice(_PORTS)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def answers(port: int) -> bool:
    """Tell whether somebody listens."""
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    return False
