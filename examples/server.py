"""A small shop as an MCP server of fastmcp: `python server.py --port 8000`."""

import argparse

from fastmcp import FastMCP
from fastmcp.exceptions import ToolError

STOCK = {"green tea": 40, "black tea": 12, "cup": 7}

server = FastMCP("shop")


@server.tool
def search(text: str) -> list[str]:
    """Find articles by a part of their name."""
    return [article for article in STOCK if text in article]


@server.tool
def order(article: str, number: int = 1) -> dict[str, int]:
    """Order an article."""
    if article not in STOCK:
        raise ToolError("no such article")
    return {"ordered": number}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=8000)
    port = parser.parse_args().port
    server.run(transport="http", host="127.0.0.1", port=port, show_banner=False)
