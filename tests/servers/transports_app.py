"""Servers of two libraries with the same tools, for the transports other than streamable HTTP.

`python transports_app.py PORT --library mcp|fastmcp` serves HTTP+SSE; without a port, stdio. As a
module it has the servers and the functions themselves. Each call of a tool adds a byte to the file
that the environment variable CALLS names.
"""

import argparse
import logging
import os
from pathlib import Path

from fastmcp import FastMCP
from mcp.server.mcpserver import MCPServer

CALLS = os.environ.get("CALLS", "")


def count() -> None:
    """Count a call, also where several processes do."""
    if CALLS:
        with Path(CALLS).open("ab") as file:
            file.write(b".")


def greet(name: str, times: int = 1) -> dict[str, str]:
    """Greet somebody."""
    count()
    return {"text": ", ".join([f"hello {name}"] * times)}


async def greet_slowly(name: str) -> dict[str, str]:
    """Greet somebody, as a coroutine."""
    return greet(name)


def boom(name: str) -> str:
    """Fail."""
    count()
    raise RuntimeError(f"no luck for {name}")


def die(name: str) -> str:
    """End the process in the middle of a call."""
    count()
    os.write(2, f"goodbye {name}\n".encode())
    os._exit(7)


# Before the libraries set up their own: rendering tracebacks takes half a second each.
logging.basicConfig(level=logging.CRITICAL)
logging.disable(logging.CRITICAL)
official = MCPServer("official", log_level="CRITICAL")
fast = FastMCP("fast")
for tool in (greet, boom, die):
    official.add_tool(tool)
    fast.tool(tool)


def main() -> None:
    """Read the switches and serve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int, nargs="?")
    parser.add_argument("--library", choices=("mcp", "fastmcp"), default="mcp")
    options = parser.parse_args()
    if options.port is None:
        official.run() if options.library == "mcp" else fast.run(show_banner=False)
        return
    from counting import serve

    serve(
        official.sse_app() if options.library == "mcp" else fast.http_app("/sse", transport="sse"),
        options.port,
    )


if __name__ == "__main__":
    main()
