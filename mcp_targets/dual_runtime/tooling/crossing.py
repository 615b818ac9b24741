"""From one event loop to another: wake a waiter on any loop."""

import asyncio
import sys
import threading
from collections.abc import Callable
from typing import Any

import anyio

Soon = Callable[[Callable[[], object]], None]
"""Calls a function on a loop, from any thread."""


def _trio() -> Any:
    """Return Trio if this runs on it. Does not import it: it may not be importable."""
    trio = sys.modules.get("trio")
    return trio if trio is not None and trio.lowlevel.in_trio_run() else None


def current_loop() -> object:
    """Return an object that identifies the current loop."""
    if trio := _trio():
        return trio.lowlevel.current_trio_token()
    return asyncio.get_running_loop()


def soon() -> Soon:
    """Return a function by which other threads call functions on the current loop.

    It does nothing once the loop has ended: nobody waits there any more.
    """
    if trio := _trio():
        token = trio.lowlevel.current_trio_token()
        return lambda function: _unless_ended(lambda: token.run_sync_soon(function))
    loop = asyncio.get_running_loop()
    return lambda function: _unless_ended(lambda: loop.call_soon_threadsafe(function))


def _unless_ended(call: Callable[[], object]) -> None:
    try:
        call()
    except RuntimeError:  # also Trio's RunFinishedError
        return


class Signal:
    """An event that any thread may set and any loop may wait for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._set = False
        self._waiters: list[Callable[[], None]] = []

    def set(self) -> None:
        """Wake all current and later waiters."""
        with self._lock:
            self._set = True
            waiters, self._waiters = self._waiters, []
        for wake in waiters:
            wake()

    def clear(self) -> None:
        with self._lock:
            self._set = False

    async def wait(self) -> None:
        """Wait until it is set."""
        event = anyio.Event()
        call_soon = soon()

        def wake() -> None:
            call_soon(event.set)

        with self._lock:
            if self._set:
                return
            self._waiters.append(wake)
        try:
            await event.wait()
        finally:
            with self._lock:
                if wake in self._waiters:
                    self._waiters.remove(wake)
