"""A small, very fast HTTP/1.1 server kit on asyncio and httptools, for servers under measurement.

It keeps connections alive, answers pipelined requests in order, streams replies in chunks, counts
requests, and can misbehave at connection level on demand.
"""

from mcp_targets.serving.httpd.messages import Cut, Fault, Reply, Request, Reset, Slow, Stream
from mcp_targets.serving.httpd.server import Counters, Server
from mcp_targets.serving.httpd.timer import Timer

__all__ = [
    "Counters",
    "Cut",
    "Fault",
    "Reply",
    "Request",
    "Reset",
    "Server",
    "Slow",
    "Stream",
    "Timer",
]
