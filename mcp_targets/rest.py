"""The control arm: plain HTTP over the same engine, so a difference is the target's alone."""

import time
from urllib.parse import urlsplit

from mcp_targets.client.connection import Clock, Connection
from mcp_targets.client.exchange import Endpoint, exchange
from mcp_targets.reply import HTTP_ERROR, OK, Reply, beginning


class RestClient:
    """One virtual user's connection to one HTTP API."""

    def __init__(self, endpoint: Endpoint, *, clock: Clock = time.perf_counter_ns) -> None:
        self.endpoint = endpoint
        self.connection = Connection(endpoint.origin, clock)
        self._clock = clock

    def ready(self) -> None:
        """Check the connection and re-open it where the server has closed it."""
        self.connection.ready(self.endpoint.timeout_s)

    def send(self, request: bytes, timeout_s: float | None = None) -> Reply:
        """Send an encoded request. A status of 400 or more is an `http_error`."""
        timeout = self.endpoint.timeout_s if timeout_s is None else timeout_s
        reply = exchange(self.connection, request, timeout, self._clock)
        if reply.outcome is OK and reply.status >= 400:
            reply.fail(HTTP_ERROR, f"HTTP {reply.status}: {beginning(reply.body)}")
        return reply

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()


def encode_head(
    endpoint: Endpoint, method: str, path: str, headers: list[tuple[str, str]]
) -> bytes:
    """Encode a request head up to and including `Content-Length: `; `path` may hold a query.

    The path is joined to that of the endpoint. Raises ValueError on a path that would break out of
    the request line.
    """
    base = urlsplit(endpoint.url).path.rstrip("/")
    if any(letter <= " " or letter == "\x7f" for letter in path):
        raise ValueError(f"path {path!r} holds white space or a control character")
    fields = [("Accept", "application/json"), ("Accept-Encoding", "identity"), *headers]
    return endpoint.head(method, base + path, fields)
