"""The ways to run a call: on this loop, on a new loop per call, or on a second, lasting loop."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, ExitStack
from typing import Any, Self

import anyio
import anyio.from_thread
import anyio.to_thread
from anyio.from_thread import BlockingPortal

from mcp_targets.dual_runtime.tooling.crossing import Signal

Work = Callable[[], Awaitable[Any]]
Session = Callable[[], AbstractAsyncContextManager[None]]
"""Gives a loop its upstream connections while calls run on it."""


class Here:
    """Run calls on the loop that they come from."""

    available = True

    async def run(self, work: Work) -> Any:
        """Run it on the current loop."""
        return await work()


class PerCall:
    """Run each call in a thread, on a new loop that ends with it: the bridged path."""

    available = True

    def __init__(self, backend: str, threads: int, session: Session) -> None:
        self._backend = backend
        self._threads = threads
        self._session = session
        self._limiter: anyio.CapacityLimiter | None = None

    async def run(self, work: Work) -> Any:
        """Run it on a new loop."""
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(self._threads)
        return await anyio.to_thread.run_sync(self._in_new_loop, work, limiter=self._limiter)

    def _in_new_loop(self, work: Work) -> Any:
        async def main() -> Any:
            async with self._session():
                return await work()

        return anyio.run(main, backend=self._backend)


class Second:
    """Run calls on a second loop, in another thread, as long as this is entered."""

    def __init__(self, backend: str, session: Session) -> None:
        self._backend = backend
        self._session = session
        self._stack = ExitStack()
        self._portal: BlockingPortal | None = None

    @property
    def available(self) -> bool:
        return self._portal is not None

    def __enter__(self) -> Self:
        portal = self._stack.enter_context(
            anyio.from_thread.start_blocking_portal(self._backend, name="second-runtime")
        )
        self._stack.enter_context(portal.wrap_async_context_manager(self._session()))
        self._portal = portal
        return self

    def __exit__(self, *_: object) -> None:
        self._portal = None
        self._stack.close()

    async def run(self, work: Work) -> Any:
        """Run it on the second loop; if the caller is cancelled, so is the call."""
        if self._portal is None:
            raise RuntimeError("the second runtime is not running")
        done = Signal()
        future = self._portal.start_task_soon(work)
        future.add_done_callback(lambda _: done.set())
        try:
            await done.wait()
        except BaseException:
            future.cancel()
            raise
        return future.result()


Executor = Here | PerCall | Second
"""A way to run a call: it returns what the call returns, or raises what it raises."""
