"""Serve the MCP server with uvicorn."""

from pathlib import Path

from mcp_targets.systems import asgi, serving
from mcp_targets.systems.twilio import accounts
from mcp_targets.systems.twilio.server import build


def serve(port: int, ready_file: Path | None, upstream: str, lines: serving.Lines) -> None:
    """Serve until the process is stopped."""
    asgi.serve(build(upstream, accounts.MCP).streamable_http_app(), port, ready_file, lines)
