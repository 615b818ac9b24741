"""Serve an ASGI application as a system's process, with uvicorn."""

import argparse
import contextlib
import socket
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn

from mcp_targets.serving import entry
from mcp_targets.serving.httpd.callers import guarded

Ready = Callable[[], None]
"""Says that requests are accepted."""


class _Announcing(uvicorn.Server):
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
        """Leave signals to `entry.run`, which does not wait for calls in progress."""
        yield


def run(app: Any, listener: socket.socket, ready: Ready, **tls: Any) -> None:
    """Serve the application until the process is stopped.

    To this machine alone by its names alone; elsewhere a server may be called anything, and the
    application has to know who may call. `tls` are uvicorn's `ssl_…`.
    """
    app = guarded(app) if listener.getsockname()[0] == entry.HOST else app
    config = uvicorn.Config(app, log_level="warning", access_log=False, **tls)
    entry.run(_Announcing(config, ready).serve(sockets=[listener]))


def serve(
    app: Any, options: argparse.Namespace, lines: entry.Lines, host: str = entry.HOST, **tls: Any
) -> None:
    """Serve the application at the port of the options; it is called `mcp`."""
    listener = entry.listen(options.port, host)
    ports = {"mcp": listener.getsockname()[1]}
    run(app, listener, lambda: entry.announce(ports, lines, options.ready_file), **tls)
