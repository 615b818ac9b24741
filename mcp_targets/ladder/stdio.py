"""Serve over standard input and output: `python …/mcp_targets/stdio.py ladder`."""

from mcp_targets.ladder.server import server


def main() -> None:
    """Serve until standard input ends."""
    server.run()
