"""Serve the MCP server with uvicorn."""

from pathlib import Path

from mcp_targets.serving import asgi, entry
from mcp_targets.twilio import accounts
from mcp_targets.twilio.server import build


def serve(port: int, ready_file: Path | None, upstream: str, lines: entry.Lines) -> None:
    """Serve until the process is stopped."""
    asgi.serve(build(upstream, accounts.MCP).streamable_http_app(), port, ready_file, lines)
