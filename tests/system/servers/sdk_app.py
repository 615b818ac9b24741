"""A small server of the official Python SDK: `python sdk_app.py PORT [--json] [--stateless]`.

With `--renamed`, its tools have the names of the next release.
"""

import argparse
import logging
from typing import TypedDict

from counting import serve
from mcp.server.mcpserver import MCPServer


class Said(TypedDict):
    """What `greet` returns."""

    text: str


def greet(name: str, times: int = 1) -> Said:
    """Greet somebody."""
    return Said(text=", ".join([f"hello {name}"] * times))


def boom(name: str) -> str:
    """Fail."""
    raise RuntimeError(f"no luck for {name}")


def main() -> None:
    """Read the switches and serve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--stateless", action="store_true")
    parser.add_argument("--renamed", action="store_true")
    options = parser.parse_args()
    # Before the SDK sets up logging: rendering a traceback with rich takes half a second.
    logging.basicConfig(level=logging.CRITICAL)
    server = MCPServer("sdk-app", log_level="CRITICAL")
    server.add_tool(greet, name="greet_person" if options.renamed else "greet")
    server.add_tool(boom)
    app = server.streamable_http_app(json_response=options.json, stateless_http=options.stateless)
    serve(app, options.port)


main()
