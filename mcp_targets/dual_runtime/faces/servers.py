"""The two servers: uvicorn on asyncio, Hypercorn on Trio."""

import contextlib
import functools
import signal
import socket
from collections.abc import Callable, Iterator
from typing import Any

import trio
import uvicorn
from fastapi import FastAPI
from hypercorn.config import Config
from hypercorn.trio import serve

from mcp_targets.serving import entry

Ready = Callable[[], None]
"""Says that requests are accepted."""


class _Announcing(uvicorn.Server):
    """Say that the process is ready once requests are accepted."""

    def __init__(self, config: uvicorn.Config, ready: Ready) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then announce."""
        await super().startup(sockets=sockets)
        if self.started:
            self._ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to `serving.run`, which does not wait for calls in progress."""
        yield


def on_asyncio(app: FastAPI, listener: socket.socket, ready: Ready) -> None:
    """Serve with uvicorn until the process is stopped."""
    config = uvicorn.Config(app, log_level="warning", access_log=False)
    entry.run(_Announcing(config, ready).serve(sockets=[listener]))


def on_trio(app: FastAPI, listener: socket.socket, ready: Ready) -> None:
    """Serve with Hypercorn until the process is stopped."""
    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.loglevel = "WARNING"
    trio.run(_serve, app, config, ready)


async def _serve(app: FastAPI, config: Config, ready: Ready) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_stop_on_signal, nursery.cancel_scope)
        framework: Any = app  # Hypercorn's types know no FastAPI
        await nursery.start(functools.partial(serve, framework, config))
        ready()


async def _stop_on_signal(scope: trio.CancelScope) -> None:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            scope.cancel()
