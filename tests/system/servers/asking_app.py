"""A server of the Python SDK that talks back: `python asking_app.py PORT [--sse]`; no port: stdio.

Its tools ask for input, report progress and close their stream. It also has resources and prompts.
"""

import argparse
import logging
import warnings
from collections import Counter
from itertools import count
from typing import Annotated

import anyio
from counting import serve
from mcp.server.mcpserver import Context, Elicit, MCPServer
from mcp.server.mcpserver.resolve import ListRoots, Resolve, Sample
from mcp.server.streamable_http import EventMessage, EventStore
from mcp_types import Completion, CreateMessageResult, ListRootsResult, SamplingMessage, TextContent
from pydantic import BaseModel

CANCELLED: Counter[str] = Counter()


class Name(BaseModel):
    """The requested input."""

    name: str = "nobody"
    age: int = 3


def ask_name() -> Elicit[Name]:
    """Ask the user."""
    return Elicit("Who are you?", Name)


def ask_model() -> Sample:
    """Ask the model."""
    words = TextContent(type="text", text="Say something")
    return Sample([SamplingMessage(role="user", content=words)], max_tokens=10)


def ask_roots() -> ListRoots:
    """Ask for the folders."""
    return ListRoots()


def meet(who: Annotated[Name, Resolve(ask_name)]) -> str:
    """Greet the person that the user names."""
    return f"hello {who.name}, {who.age}"


def quote(said: Annotated[CreateMessageResult, Resolve(ask_model)]) -> str:
    """Repeat what the model says."""
    return f"{said.model}: {said.content.text}"


def folders(roots: Annotated[ListRootsResult, Resolve(ask_roots)]) -> str:
    """List the folders."""
    return ", ".join(str(root.uri) for root in roots.roots)


async def work(steps: int, ctx: Context) -> str:
    """Report progress, and write to the log."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        await ctx.info("begun")
    for step in range(steps):
        await ctx.report_progress(step + 1, steps)
    return "done"


async def hang() -> str:
    """Wait until somebody cancels the call."""
    try:
        await anyio.sleep(20)
    except anyio.get_cancelled_exc_class():
        CANCELLED["hang"] += 1
        raise
    return "not cancelled"


def cancelled() -> int:
    """Return how many calls were cancelled."""
    return CANCELLED["hang"]


async def poll(ctx: Context) -> str:
    """Close the stream before the answer; the client has to come back for it."""
    await ctx.close_sse_stream()
    await anyio.sleep(0.05)
    return "worth the wait"


class Memory(EventStore):
    """Keeps every event."""

    def __init__(self) -> None:
        self.events: dict[str, tuple[str, object]] = {}
        self.ids = count()

    async def store_event(self, stream_id, message) -> str:
        """Keep one event."""
        event_id = f"{next(self.ids)}"
        self.events[event_id] = (stream_id, message)
        return event_id

    async def replay_events_after(self, last_event_id, send_callback) -> str | None:
        """Send what came after an event on its stream."""
        if last_event_id not in self.events:
            return None
        stream = self.events[last_event_id][0]
        for event_id, (kept, message) in list(self.events.items()):
            if kept == stream and int(event_id) > int(last_event_id) and message is not None:
                await send_callback(EventMessage(message, event_id))
        return stream


def main() -> None:
    """Serve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int, nargs="?")
    parser.add_argument("--sse", action="store_true")
    options = parser.parse_args()
    logging.basicConfig(level=logging.CRITICAL)
    server = MCPServer("asking-app", log_level="CRITICAL")
    for tool in (meet, quote, folders, work, hang, cancelled, poll):
        server.add_tool(tool)

    @server.resource("res://one")
    def one() -> str:
        return "the first"

    @server.resource("res://named/{name}")
    def named(name: str) -> str:
        return f"named {name}"

    @server.prompt()
    def greeting(name: str) -> str:
        return f"Greet {name}"

    @server.completion()
    async def complete(_ref, argument, _context):
        names = [name for name in ("Ada", "Alan", "Grace") if name.startswith(argument.value)]
        return Completion(values=names)

    if options.port is None:
        server.run()
    elif options.sse:
        serve(server.sse_app(), options.port)
    else:
        serve(server.streamable_http_app(event_store=Memory(), retry_interval=60), options.port)


main()
