"""The server on Trio: Hypercorn."""

import functools
import signal
import socket
from typing import Any

import trio
from hypercorn.config import Config
from hypercorn.trio import serve

from mcp_targets.serving import entry
from mcp_targets.serving.asgi import Ready
from mcp_targets.serving.httpd.callers import guarded


def run(app: Any, listener: socket.socket, ready: Ready) -> None:
    """Serve with Hypercorn until the process is stopped."""
    config = configured(listener.detach())
    application: Any = guarded(app)
    trio.run(_serve, application, config, ready)


def configured(fd: int) -> Config:
    """Return Hypercorn's configuration for a listening socket."""
    config = Config()
    config.bind = [f"fd://{fd}"]
    config.loglevel = "WARNING"
    config.keep_alive_timeout = entry.KEPT_S
    return config


async def _serve(app: Any, config: Config, ready: Ready) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_stop_on_signal, nursery.cancel_scope)
        await nursery.start(functools.partial(serve, app, config))
        ready()


async def _stop_on_signal(scope: trio.CancelScope) -> None:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            scope.cancel()
