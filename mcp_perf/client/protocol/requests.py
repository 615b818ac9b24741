"""What a user asks of a server, prepared once and shared by all users."""

from dataclasses import dataclass
from typing import Any, ClassVar, Final

import msgspec

from mcp_perf.client.protocol import tasks, versions
from mcp_perf.client.protocol.answers import Responder
from mcp_perf.client.protocol.tools import Tool

ARGUMENTS_HOLE: Final = 1
TOKEN_HOLE: Final = 2
"""What an encoded call leaves open, as bits: its arguments, and the token of its progress."""
_ARGUMENTS: Final = msgspec.Raw(b"\0")
_TOKEN: Final = msgspec.Raw(b"\1")

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
    """None: the client's answers."""
    progress: bool = False
    """Whether the server is asked to report progress, by a token that is the request's id."""
    task_ttl_ms: int = 0
    """How long the server is to keep the task that the call may become; 0: no task."""
    method: ClassVar = "tools/call"


@dataclass(eq=False, slots=True)
class Request:
    """One request of any other method: encoded once per client when its params are constant."""

    method: str
    params: dict[str, Any] | None
    """None: the params come with each call."""
    answers: Responder | None = None
    progress: bool = False
    task_ttl_ms: int = 0
    """Not 0 if it is about a task."""


PreparedCall = Call | Request
Params = dict[str, Any]
Arguments = Params | None
"""What comes with a call whose own arguments, or params, are not constant."""


def encode(
    call: PreparedCall, arguments: Arguments, added: Params, version: str, capabilities: Params
) -> tuple[bytes, int]:
    """Return what follows a request's id, and which holes it has: %b for arguments, then %d.

    A tool call whose arguments come with each call has the first, unless `added` makes it unique; a
    call with progress has the second, for the id.
    """
    hole = ARGUMENTS_HOLE * (isinstance(call, Call) and call.arguments is None and not added)
    if isinstance(call, Request):
        params: Params = {**(call.params or {}), **(arguments or {}), **added}
    else:
        given = arguments if call.arguments is None else call.arguments
        params = {"name": call.tool.name, "arguments": _ARGUMENTS if hole else given, **added}
        if call.task_ttl_ms and version != versions.MODERN:
            params["task"] = {"ttl": call.task_ttl_ms}
    if call.task_ttl_ms:
        capabilities = {**capabilities, "extensions": {tasks.EXTENSION: {}}}
    meta = {"progressToken": _TOKEN} if call.progress else {}
    hole |= TOKEN_HOLE * call.progress
    if version == versions.MODERN:
        params = versions.modern_params(params, capabilities, meta)
    elif meta:
        params["_meta"] = meta
    tail = versions.encode_tail(call.method, params)
    if hole:
        tail = tail.replace(b"%", b"%%").replace(b"\0", b"%b").replace(b"\1", b"%d")
    return tail, hole


def filled(tail: bytes, hole: int, arguments: Arguments, request_id: int) -> bytes:
    """Fill the holes of a tail."""
    given = [msgspec.json.encode(arguments)] if hole & ARGUMENTS_HOLE else []
    return tail % (*given, *([request_id] if hole & TOKEN_HOLE else []))
