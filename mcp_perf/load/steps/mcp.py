"""Steps that ask an MCP server for anything but an ordinary tool call."""

import time
from dataclasses import dataclass
from typing import Any

from mcp_perf.client.mcp.streamable_http import McpClient
from mcp_perf.client.protocol.requests import LIST_KEYS, LISTS, Request
from mcp_perf.client.reply import Reply
from mcp_perf.load.steps.checks import Checks
from mcp_perf.load.steps.step import Lane, Step, ToolStep
from mcp_perf.load.targets.clients import TOOL_CLIENTS, ToolClient
from mcp_perf.scenario.values.templates import Template


@dataclass(eq=False, kw_only=True)
class CancelledStep(ToolStep):
    """`call: TOOL` with `cancel_after:`."""

    cancel_after_s: float = 0.0

    def call(self, lane: Lane) -> tuple[Reply, str]:
        """Call, cancel; what the user waits beyond that is in no time."""
        reply, cls = super().call(lane)
        stop = lane.client.take_stop() if isinstance(lane.client, McpClient) else None
        if stop is not None:
            lane.recorder.stopped(self.track, stop)
            lane.waited_ns += time.perf_counter_ns() - reply.end_ns
        return reply, cls

    def _send(self, client: ToolClient, arguments: dict[str, Any] | None) -> Reply:
        return client.cancelled_call(self.prepared, arguments, self.cancel_after_s)


@dataclass(eq=False, kw_only=True)
class RequestStep(Step):
    """`read:`, `prompt:`, `complete:` and `ping:`."""

    request: Request
    checks: Checks
    params: Template | None
    """None where they are constant, and part of the prepared request."""

    def call(self, lane: Lane) -> tuple[Reply, str]:
        params = None if self.params is None else self.params.render(lane.values)
        client = lane.client
        assert isinstance(client, TOOL_CLIENTS)  # noqa: S101 -- compiled for this kind of arm
        reply = client.call(self.request, params, self.timeout_s)
        return reply, self.checks.judge(reply, lane.values)


class ProgressStep(Step):
    """A step with `progress: true`: calls that bring no notification are counted."""

    def __init__(self, step: Step) -> None:
        super().__init__(track=step.track, goes_on=step.goes_on)
        self._step = step

    def call(self, lane: Lane) -> tuple[Reply, str]:
        reply, cls = self._step.call(lane)
        if reply.heard is None:
            lane.recorder.unheard(self.track, cls, reply)
        return reply, cls


@dataclass(eq=False, kw_only=True)
class ListStep(Step):
    """`list: tools|resources|templates|prompts`: all pages, as one call."""

    what: str
    checks: Checks

    def call(self, lane: Lane) -> tuple[Reply, str]:
        client = lane.client
        assert isinstance(client, TOOL_CLIENTS)  # noqa: S101 -- compiled for this kind of arm
        reply = client.list_all(LISTS[self.what], LIST_KEYS[self.what], self.timeout_s)
        return reply, self.checks.judge(reply, lane.values)
