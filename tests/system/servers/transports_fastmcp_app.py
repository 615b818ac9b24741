"""The server of transports_app.py, built with fastmcp; started and imported in the same way."""

import sys

from fastmcp import FastMCP
from transports_app import boom, die, greet

server = FastMCP("transports-fastmcp-app")
for tool in (greet, boom, die):
    server.tool(tool)

if __name__ == "__main__":
    if sys.argv[1:]:
        from counting import serve

        serve(server.http_app("/sse", transport="sse"), int(sys.argv[1]))
    else:
        server.run(show_banner=False)
