"""What a user asks of a server, prepared once and shared by all users."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from mcp_perf.client.protocol.answers import Answers
from mcp_perf.client.protocol.tools import Tool

PROGRESS_TOKEN: Final = "mcp-perf"  # noqa: S105 -- names a call, opens nothing
"""One for all calls: it has to be unique among a client's calls in flight, which is one."""

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
    answers: Answers | None = None
    """None: those of the client."""
    meta: Mapping[str, Any] = field(default_factory=dict)
    """What `_meta` has beside the envelope of the era: `progressToken`, a log level."""


@dataclass(eq=False, slots=True)
class Request:
    """One request of any other method: encoded once per client when its params are constant."""

    method: str
    params: dict[str, Any] | None
    """None: the params come with each call."""
    answers: Answers | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)


Prepared = Call | Request
Params = dict[str, Any]
Arguments = Params | None
"""What comes with a call whose own arguments, or params, are not constant."""
