"""One tool of a Python library, over streamable HTTP: `python sum_app.py LIBRARY PORT [FOLDER]`.

The library is `fastmcp` or `mcp`: an older one from the folder, or the installed one.
"""

import sys

library, port, *folder = sys.argv[1:]
sys.path[:0] = folder


def get_sum(a: float, b: float) -> str:
    """Add, and answer in the words of the reference server."""
    return f"The sum of {a:g} and {b:g} is {a + b:g}."


if library == "fastmcp":
    from fastmcp import FastMCP

    server = FastMCP("sum")
    server.tool(get_sum, name="get-sum")
    server.run("http", host="127.0.0.1", port=int(port), path="/mcp", show_banner=False)
elif folder:
    from mcp.server.fastmcp import FastMCP

    server = FastMCP("sum", host="127.0.0.1", port=int(port), log_level="CRITICAL")
    server.add_tool(get_sum, name="get-sum")
    server.run("streamable-http")
else:
    from mcp.server.mcpserver import MCPServer

    server = MCPServer("sum", log_level="CRITICAL")
    server.add_tool(get_sum, name="get-sum")
    server.run("streamable-http", host="127.0.0.1", port=int(port))
