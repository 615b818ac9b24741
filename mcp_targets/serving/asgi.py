"""Serve an ASGI application as a system's process, with uvicorn."""

import contextlib
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import uvicorn

from mcp_targets.serving import entry


class _Announcing(uvicorn.Server):
    """Say that the process is ready once requests are accepted."""

    def __init__(
        self,
        config: uvicorn.Config,
        ports: Mapping[str, int],
        lines: entry.Lines,
        ready_file: Path | None,
    ) -> None:
        super().__init__(config)
        self._announcement = (ports, lines, ready_file)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then announce."""
        await super().startup(sockets=sockets)
        if self.started:
            entry.announce(*self._announcement)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to `serving.run`, which does not wait for calls in progress."""
        yield


def serve(app: Any, port: int, ready_file: Path | None, lines: entry.Lines) -> None:
    """Serve the application until the process is stopped; its port is called `mcp`."""
    listener = entry.listen(port)
    config = uvicorn.Config(app, log_level="warning", access_log=False)
    server = _Announcing(config, {"mcp": listener.getsockname()[1]}, lines, ready_file)
    entry.run(server.serve(sockets=[listener]))
