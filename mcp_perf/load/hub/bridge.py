"""asyncio in a process that gevent has patched: one event loop, in a greenlet on gevent's hub.

A round trip from a greenlet to a coroutine and back costs 12 microseconds; with the loop in another
thread it would cost several times that. There is one loop per process.
"""

import asyncio
import contextlib
import os
from collections.abc import Callable
from typing import Any, Final

import gevent
from gevent.event import AsyncResult
from gevent.selectors import GeventSelector

_TURNS: Final = 15
"""How many times in a row the loop runs what is ready before other greenlets run; one less than a
power of two."""


class _HubSelector(GeventSelector):  # type: ignore[misc, unused-ignore]
    """A selector that switches to gevent's hub only when there is nothing else to do."""

    _turn = 0

    def select(self, timeout: float | None = None) -> Any:
        if timeout is not None and timeout <= 0 and not self._accumulated_events:
            self._turn += 1
            if not self._turn & _TURNS:
                gevent.sleep(0)
            return []
        return super().select(timeout)

    def wake(self) -> None:
        self._ready.set()


class _HubEventLoop(asyncio.SelectorEventLoop):
    """An event loop that other greenlets of its thread can wake without a system call."""

    def __init__(self) -> None:
        self._hub_selector = _HubSelector()
        super().__init__(self._hub_selector)

    def _write_to_self(self) -> None:
        self._hub_selector.wake()


class HubBridge:
    """Lets greenlets run coroutines on the event loop."""

    def __init__(self) -> None:
        self._loop = _HubEventLoop()
        self._running = gevent.spawn(self._run)

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run a coroutine function on the loop for its result. Killing the greenlet cancels it."""
        result: AsyncResult = AsyncResult()
        started: list[asyncio.Task[Any]] = []

        def finish(task: asyncio.Task[Any]) -> None:
            try:
                result.set(task.result())
            except BaseException as error:  # noqa: BLE001 -- `call` raises it
                result.set_exception(error)

        def start() -> None:
            started.append(self._loop.create_task(function(*arguments)))
            started[0].add_done_callback(finish)

        self.post(start)
        try:
            return result.get()
        except BaseException:
            if started and not started[0].done():
                self.post(started[0].cancel)
            raise

    def post(self, function: Callable[..., object], *arguments: Any) -> None:
        self._loop.call_soon_threadsafe(function, *arguments)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        while True:
            with contextlib.suppress(SystemExit):  # raised by a task, and again by its `call`
                self._loop.run_forever()


class _Bridges:
    """The bridge of this process; a forked child gets its own."""

    pid = 0
    bridge: HubBridge | None = None


def bridge() -> HubBridge:
    """Return the bridge of this process."""
    if _Bridges.bridge is None or _Bridges.pid != os.getpid():
        _Bridges.bridge, _Bridges.pid = HubBridge(), os.getpid()
    return _Bridges.bridge
