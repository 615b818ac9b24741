"""Tasks, without I/O: calls that the server answers with a handle, which is polled to its end.

In 2025-11-25 they are a part of the protocol (utilities, "Tasks"): `tools/call` asks for one, and
`tasks/result` fetches its result. In 2026-07-28 they are an extension (SEP-2663): the server
decides what becomes one, and `tasks/get` includes the result.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from mcp_perf.client.protocol import jsonrpc
from mcp_perf.client.reply import Reply
from mcp_perf.outcomes import CHECK_FAILED, OK

EXTENSION: Final = "io.modelcontextprotocol/tasks"
GET: Final = "tasks/get"
RESULT: Final = "tasks/result"
UPDATE: Final = "tasks/update"
CANCEL: Final = "tasks/cancel"
_PAUSE_MS: Final = 1000.0
"""Between two polls, if the server does not say how long; the SDKs wait as long."""
_LEAST_PAUSE_MS: Final = 10.0
"""A server that asks for a shorter pause, or none, is not polled in a hot loop."""


class TaskState(msgspec.Struct, rename="camel"):
    """What a server says about a task."""

    task_id: str
    status: str
    status_message: str | None = None
    poll_interval: float | None = None
    """Milliseconds, in 2025-11-25."""
    poll_interval_ms: float | None = None
    input_requests: dict[str, Any] | None = None
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None

    @property
    def is_over(self) -> bool:
        return self.status in ("completed", "failed", "cancelled")

    @property
    def asks(self) -> bool:
        return self.status == "input_required"

    @property
    def pause_s(self) -> float:
        named = self.poll_interval_ms if self.poll_interval is None else self.poll_interval
        return max(_LEAST_PAUSE_MS, _PAUSE_MS if named is None else named) / 1000

    @property
    def asked(self) -> dict[str, Any]:
        """What the server wants to know before it goes on (2026-07-28), by the server's keys."""
        return (self.input_requests or {}) if self.asks else {}

    def outcome(self) -> dict[str, Any]:
        """Return the response that a task of 2026-07-28 ended with, without its id."""
        if self.status == "completed" and self.result is not None:
            return {"result": self.result}
        said = f": {self.status_message}" if self.status_message else ""
        error = {"code": 0, "message": f"the task ended as {self.status}{said}"}
        return {"error": self.error or error}


def offered(capabilities: Any, *, modern: bool) -> bool:
    """Tell whether a server has tasks for tools, by the capabilities that it declares."""
    found = capabilities
    for name in ("extensions", EXTENSION) if modern else ("tasks", "requests", "tools", "call"):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found is not None


def is_task(reply: Reply, *, modern: bool) -> bool:
    """Tell whether the reply to a call that may become a task is the handle of one."""
    if modern:
        failed = reply.outcome == CHECK_FAILED
        return failed and jsonrpc.result_of(reply).get("resultType") == "task"
    return reply.outcome == OK and isinstance(jsonrpc.result_of(reply).get("task"), dict)


def task_of(reply: Reply) -> TaskState | None:
    """Read a task: the handle, or a later state of it. None if the reply is not a task."""
    result = jsonrpc.result_of(reply)
    try:
        return msgspec.convert(result.get("task", result), TaskState)
    except msgspec.ValidationError:
        return None
