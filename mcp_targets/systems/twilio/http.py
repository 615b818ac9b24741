"""Serve the MCP server with uvicorn."""

import contextlib
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path

import uvicorn

from mcp_targets.systems import serving
from mcp_targets.systems.twilio import accounts
from mcp_targets.systems.twilio.server import build


class _Announcing(uvicorn.Server):
    """Say that the process is ready once requests are accepted."""

    def __init__(
        self,
        config: uvicorn.Config,
        ports: Mapping[str, int],
        lines: serving.Lines,
        ready_file: Path | None,
    ) -> None:
        super().__init__(config)
        self._announcement = (ports, lines, ready_file)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then announce."""
        await super().startup(sockets=sockets)
        if self.started:
            serving.announce(*self._announcement)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to `serving.run`, which does not wait for calls in progress."""
        yield


def serve(port: int, ready_file: Path | None, upstream: str, lines: serving.Lines) -> None:
    """Serve until the process is stopped."""
    listener = serving.listen(port)
    config = uvicorn.Config(
        build(upstream, accounts.MCP).streamable_http_app(),
        log_level="warning",
        access_log=False,
    )
    server = _Announcing(config, {"mcp": listener.getsockname()[1]}, lines, ready_file)
    serving.run(server.serve(sockets=[listener]))
