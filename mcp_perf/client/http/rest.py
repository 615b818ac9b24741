"""The control arm: plain HTTP over the same engine, so a difference is the target's alone."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlsplit

from mcp_perf.client import rate_limits
from mcp_perf.client.http.connection import Connection
from mcp_perf.client.http.cookies import Cookies
from mcp_perf.client.http.dialing import WaitFactory
from mcp_perf.client.http.encodings import packed
from mcp_perf.client.http.endpoint import Endpoint
from mcp_perf.client.reply import Reply
from mcp_perf.outcomes import OK

_PATH_SAFE: Final = "/?#[]@!$&'()*+,;=:%-._~"


@dataclass(eq=False)
class RestClient:
    """One virtual user's connection to one HTTP API."""

    endpoint: Endpoint
    waits: WaitFactory | None = None
    shared: Cookies | None = None
    """Cookies of another client of the same user; None begins without any."""

    def __post_init__(self) -> None:
        self.cookies = self.shared or Cookies(self.endpoint.origin)
        self.own_fields = self.endpoint.own_fields
        """What goes into every head besides the step's fields, encoded once."""
        self.connection = Connection(self.endpoint.origin, waits=self.waits, cookies=self.cookies)

    def ready(self) -> None:
        self.connection.ready(self.endpoint.timeout_s)

    def send(self, request: bytes, timeout_s: float | None = None) -> Reply:
        """Send an encoded request. A status of 400 or more is a failure."""
        timeout = self.endpoint.timeout_s if timeout_s is None else timeout_s
        reply = self.connection.exchange(request, timeout)
        if reply.outcome == OK and reply.status >= 400:
            rate_limits.refuse(reply)
        return reply

    def remarks(self) -> list[str]:
        """Say what was odd about the replies."""
        return [*packed(self.connection.reader.encodings), *self.cookies.remarks()]

    def close(self) -> None:
        self.connection.close()


def encode_line(endpoint: Endpoint, method: str, path: str) -> bytes:
    """Encode the request line of a step; `path` may hold a query and is joined to the endpoint's.

    Characters that would break out of the line are percent-encoded.
    """
    base = urlsplit(endpoint.url).path.rstrip("/")
    return endpoint.line(method, base + quote(path, safe=_PATH_SAFE))


def encode_fields(endpoint: Endpoint, headers: list[tuple[str, str]]) -> bytes:
    """Encode a step's headers. Raises ValueError on one that is not a header."""
    given = {name.lower() for name, _ in headers}
    defaults = [("Accept", "application/json"), ("Accept-Encoding", "identity")]
    kept = [(name, value) for name, value in defaults if name.lower() not in given]
    return endpoint.fields([*kept, *headers])
