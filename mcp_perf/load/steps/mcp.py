"""Steps that ask an MCP server for anything but an ordinary tool call."""

import time
from typing import Any

from mcp_perf.client.mcp.streamable_http import McpClient
from mcp_perf.client.protocol.requests import LIST_KEYS, LISTS, Request
from mcp_perf.client.reply import Reply
from mcp_perf.load.steps.checks import Checks
from mcp_perf.load.steps.recorder import Track
from mcp_perf.load.steps.step import MCP, Lane, Step, ToolStep
from mcp_perf.load.targets.clients import TOOL_CLIENTS, ToolClient
from mcp_perf.scenario.values.lookups import Template


class CancelledStep(ToolStep):
    """`call: TOOL` with `cancel_after:`."""

    cancel_after_s = 0.0

    def call(self, lane: Lane) -> tuple[Reply, str]:
        """Call, cancel; what the user waits beyond that is in no time."""
        reply, cls = super().call(lane)
        stop = lane.client.take_stop() if isinstance(lane.client, McpClient) else None
        if stop is not None:
            lane.recorder.stopped(self.track, stop)
            lane.waited_ns += time.perf_counter_ns() - reply.end_ns
        return reply, cls

    def _send(self, client: ToolClient, arguments: dict[str, Any] | None) -> Reply:
        return client.cancelled_call(self._call, arguments, self.cancel_after_s)


class RequestStep(Step):
    """`read:`, `prompt:`, `complete:` and `ping:`."""

    def __init__(
        self,
        track: Track,
        request: Request,
        checks: Checks,
        *,
        params: Template | None,
        timeout_s: float | None,
        goes_on: bool,
    ) -> None:
        super().__init__(track, MCP, goes_on=goes_on)
        self._request = request
        self._checks = checks
        self._params = params
        """None where they are constant, and part of the prepared request."""
        self._timeout_s = timeout_s

    def call(self, lane: Lane) -> tuple[Reply, str]:
        params = None if self._params is None else self._params.render(lane.values)
        client = lane.client
        assert isinstance(client, TOOL_CLIENTS)  # noqa: S101 -- compiled for this kind of arm
        reply = client.call(self._request, params, self._timeout_s)
        return reply, self._checks.judge(reply, lane.values)


class ProgressStep(Step):
    """A step with `progress: true`: calls that bring no notification are counted."""

    def __init__(self, step: Step) -> None:
        super().__init__(step.track, MCP, goes_on=step.goes_on)
        self._step = step

    def call(self, lane: Lane) -> tuple[Reply, str]:
        """Make the call; count it where nothing was heard of it before its end."""
        reply, cls = self._step.call(lane)
        if reply.heard is None:
            lane.recorder.unheard(self.track, cls, reply)
        return reply, cls


class ListStep(Step):
    """`list: tools|resources|templates|prompts`: all pages, as one call."""

    def __init__(
        self, track: Track, what: str, checks: Checks, *, timeout_s: float | None, goes_on: bool
    ) -> None:
        super().__init__(track, MCP, goes_on=goes_on)
        self._what = what
        self._checks = checks
        self._timeout_s = timeout_s

    def call(self, lane: Lane) -> tuple[Reply, str]:
        client = lane.client
        assert isinstance(client, TOOL_CLIENTS)  # noqa: S101 -- compiled for this kind of arm
        reply = client.list_all(LISTS[self._what], LIST_KEYS[self._what], self._timeout_s)
        return reply, self._checks.judge(reply, lane.values)
