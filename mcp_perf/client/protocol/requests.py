"""What a user asks of a server, prepared once and shared by all users."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

import msgspec

from mcp_perf.client.protocol import tasks, versions
from mcp_perf.client.protocol.answers import Responder
from mcp_perf.client.protocol.tools import Tool

PROGRESS_TOKEN: Final = "mcp-perf"  # noqa: S105 -- names a call, opens nothing
"""One for all calls: it has to be unique among a client's calls in flight, which is one."""
_HOLE: Final = msgspec.Raw(b"\0")

LISTS: Final = {
    "tools": "tools/list",
    "prompts": "prompts/list",
    "resources": "resources/list",
    "templates": "resources/templates/list",
}
"""What can be listed -> the method that lists it."""
LIST_KEYS: Final = {**{name: name for name in LISTS}, "templates": "resourceTemplates"}
"""What can be listed -> where the result holds it."""


@dataclass(eq=False, slots=True)
class Call:
    """One tool call: encoded once per client when its arguments are constant."""

    tool: Tool
    arguments: dict[str, Any] | None
    """None: the arguments come with each call."""
    answers: Responder | None = None
    """None: those of the client."""
    meta: Mapping[str, Any] = field(default_factory=dict)
    """What `_meta` has beside the envelope of the era: `progressToken`, a log level."""
    task_ttl_ms: int = 0
    """How long the server is to keep the task that the call may become; 0: it becomes none."""
    method: ClassVar = "tools/call"


@dataclass(eq=False, slots=True)
class Request:
    """One request of any other method: encoded once per client when its params are constant."""

    method: str
    params: dict[str, Any] | None
    """None: the params come with each call."""
    answers: Responder | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)
    task_ttl_ms: int = 0
    """Not 0: it is about a task."""


PreparedCall = Call | Request
Params = dict[str, Any]
Arguments = Params | None
"""What comes with a call whose own arguments, or params, are not constant."""


def encode(
    call: PreparedCall,
    arguments: dict[str, Any] | None,
    added: Mapping[str, Any],
    version: str,
    capabilities: Mapping[str, Any],
) -> tuple[bytes, bool]:
    """Return what follows a request's id, and whether that holds a %b for arguments.

    A tool call whose arguments come with each call has that, unless `added` makes it a single one.
    """
    hole = isinstance(call, Call) and call.arguments is None and not added
    if isinstance(call, Request):
        params: dict[str, Any] = {**(call.params or {}), **(arguments or {}), **added}
    else:
        given = arguments if call.arguments is None else call.arguments
        params = {"name": call.tool.name, "arguments": _HOLE if hole else given, **added}
        if call.task_ttl_ms and version != versions.MODERN:
            params["task"] = {"ttl": call.task_ttl_ms}
    if call.task_ttl_ms:
        capabilities = {**capabilities, "extensions": {tasks.EXTENSION: {}}}
    sent = (
        versions.modern_params(params, capabilities, call.meta)
        if version == versions.MODERN
        else versions.handshake_params(params, call.meta)
    )
    tail = versions.encode_tail(call.method, sent)
    return (tail.replace(b"%", b"%%").replace(b"\0", b"%b") if hole else tail), hole
