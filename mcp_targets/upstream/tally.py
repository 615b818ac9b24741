"""Counts of requests: in total, per route and per account."""

import msgspec

from mcp_targets.serving.httpd import Counters


class Tally(msgspec.Struct):
    """The counts of one kind of request."""

    requests: int = 0
    errors_sent: int = 0
    """Replies with a status of 400 or above, including injected ones."""
    in_parallel: int = 0
    max_in_parallel: int = 0
    connections_opened: int = 0
    """Connections that carried at least one such request."""

    def begin(self, *, first_on_connection: bool) -> None:
        self.requests += 1
        self.connections_opened += first_on_connection
        self.in_parallel += 1
        self.max_in_parallel = max(self.max_in_parallel, self.in_parallel)

    def end(self) -> None:
        self.in_parallel -= 1

    def shown(self) -> dict[str, int]:
        return {
            "connections_opened": self.connections_opened,
            "requests": self.requests,
            "errors_sent": self.errors_sent,
            "max_in_parallel": self.max_in_parallel,
        }


class Together:
    """Counts over all providers of a process, which show whether they are called at once."""

    def __init__(self) -> None:
        self.servers: list[Counters] = []
        self.in_parallel = 0
        self.max_in_parallel = 0
        """The maximum since the last call of `forget`."""

    def begin(self) -> None:
        self.in_parallel += 1
        self.max_in_parallel = max(self.max_in_parallel, self.in_parallel)

    def forget(self) -> None:
        """Restart the search for the maximum."""
        self.max_in_parallel = self.in_parallel

    def shown(self) -> dict[str, int]:
        return {
            "requests": sum(counters.requests for counters in self.servers),
            "connections": sum(counters.connections for counters in self.servers),
            "max_in_parallel": self.max_in_parallel,
        }
