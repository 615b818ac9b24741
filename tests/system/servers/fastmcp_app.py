"""A small server of fastmcp, with the tools of sdk_app.py: `python fastmcp_app.py PORT`."""

import logging
import sys

from counting import serve
from fastmcp import FastMCP

server = FastMCP("fastmcp-app")


@server.tool
def greet(name: str, times: int = 1) -> dict[str, str]:
    """Greet somebody."""
    return {"text": ", ".join([f"hello {name}"] * times)}


@server.tool
def boom(name: str) -> str:
    """Fail."""
    raise RuntimeError(f"no luck for {name}")


logging.disable(logging.CRITICAL)
serve(server.http_app(path="/mcp"), int(sys.argv[1]))
