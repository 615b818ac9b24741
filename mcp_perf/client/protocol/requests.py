"""What a user asks of a server, prepared once and shared by all users."""

from collections.abc import Mapping
from typing import Any, Final

from mcp_perf.client.protocol.answers import Answers
from mcp_perf.client.protocol.tools import Tool

PROGRESS_TOKEN: Final = "mcp-perf"  # noqa: S105 -- names a call, opens nothing
"""One for all calls: it has to be unique among a client's calls in flight, which is one."""
_NONE: Final[Mapping[str, Any]] = {}

LISTS: Final = {
    "tools": "tools/list",
    "prompts": "prompts/list",
    "resources": "resources/list",
    "templates": "resources/templates/list",
}
"""What can be listed -> the method that lists it."""
LIST_KEYS: Final = {**{name: name for name in LISTS}, "templates": "resourceTemplates"}
"""What can be listed -> where the result holds it."""


class Call:
    """One tool call: encoded once per client when its arguments are constant."""

    __slots__ = ("answers", "arguments", "meta", "tool")

    def __init__(
        self,
        tool: Tool,
        arguments: dict[str, Any] | None,
        *,
        answers: Answers | None = None,
        meta: Mapping[str, Any] = _NONE,
    ) -> None:
        self.tool = tool
        self.arguments = arguments
        """None: the arguments come with each call."""
        self.answers = answers
        """None: those of the client."""
        self.meta = meta
        """What `_meta` has beside the envelope of the era: `progressToken`, a log level."""


class Request:
    """One request of any other method: encoded once per client when its params are constant."""

    __slots__ = ("answers", "meta", "method", "params")

    def __init__(
        self,
        method: str,
        params: dict[str, Any] | None,
        *,
        answers: Answers | None = None,
        meta: Mapping[str, Any] = _NONE,
    ) -> None:
        self.method = method
        self.params = params
        """None: the params come with each call."""
        self.answers = answers
        self.meta = meta


Prepared = Call | Request
