"""Waiting for something to become true, and addresses that nobody listens on."""

import contextlib
import socket
import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")


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
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def answers(port: int) -> bool:
    """Tell whether somebody listens."""
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    return False
