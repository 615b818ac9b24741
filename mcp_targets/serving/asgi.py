"""Serve an ASGI application as a system's process, with uvicorn."""

import argparse
import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Iterator, MutableMapping
from typing import Any, Final

import uvicorn

from mcp_targets.serving import entry
from mcp_targets.serving.httpd.callers import App, guarded
from mcp_targets.serving.strictness import trimmed

DRAIN_S: Final = 20
"""How long to wait for calls in progress if other machines may call."""
Ready = Callable[[], None]
"""Announces that requests are accepted."""


class _Announcing(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: Ready, *, drains: bool) -> None:
        super().__init__(config)
        self._ready = ready
        self._drains = drains

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then announce."""
        await super().startup(sockets=sockets)
        if self._drains:
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._stop)
        if self.started:
            self._ready()

    def _stop(self) -> None:
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to `entry.run`, which does not wait for calls in progress."""
        yield


def run(app: Any, listener: socket.socket, ready: Ready, **tls: Any) -> None:
    """Serve the application until the process is stopped.

    On 127.0.0.1, only requests that name this machine are let through. On any other address, every
    name is accepted, the application has to check its callers, and calls in progress finish before
    the server stops. `tls` are uvicorn's `ssl_…`.
    """
    here = listener.getsockname()[0] == entry.HOST
    config = configured(guarded(app) if here else app, **tls)
    entry.run(_Announcing(config, ready, drains=not here).serve(sockets=[listener]))


def faces(mcp: App, rest: App) -> App:
    """Return both faces as one application: MCP at /mcp, REST everywhere else.

    MCP is answered before the middleware and routes of REST: mounted behind them, each call would
    go through two applications.
    """
    mcp = trimmed(mcp)

    async def both(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        mcps = scope["type"] == "http" and scope["path"] == "/mcp"
        await (mcp if mcps else rest)(scope, receive, send)

    return both


def configured(app: Any, **tls: Any) -> uvicorn.Config:
    """Return uvicorn's configuration for an application."""
    return uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        timeout_keep_alive=entry.KEPT_S,
        timeout_graceful_shutdown=DRAIN_S,
        **tls,
    )


def serve(
    app: Any, options: argparse.Namespace, lines: entry.Lines, host: str = entry.HOST, **tls: Any
) -> None:
    """Serve the application at the options' port, which is announced as `mcp`."""
    listener = entry.listen(options.port, host)
    ports = {"mcp": listener.getsockname()[1]}
    run(app, listener, lambda: entry.announce(ports, lines, options.ready_file), **tls)
