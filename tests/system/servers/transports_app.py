"""A server of the Python SDK, for the transports other than streamable HTTP.

`python transports_app.py PORT` serves HTTP+SSE; without a port, stdio. As a module it has the
server, `server`, and the functions themselves. Each call of a tool adds a byte to the file that the
environment variable CALLS names.
"""

import logging
import os
import sys
from pathlib import Path

from mcp.server.mcpserver import MCPServer

CALLS = os.environ.get("CALLS", "")


def count() -> None:
    """Count a call, even if several processes count."""
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


# Before the library sets up logging: rendering a traceback takes half a second.
logging.basicConfig(level=logging.CRITICAL)
logging.disable(logging.CRITICAL)
server = MCPServer("transports-app", log_level="CRITICAL")
for tool in (greet, boom, die):
    server.add_tool(tool)

if __name__ == "__main__":
    if sys.argv[1:]:
        from counting import serve

        serve(server.sse_app(), int(sys.argv[1]))
    else:
        server.run()
