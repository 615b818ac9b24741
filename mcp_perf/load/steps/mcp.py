"""Steps that ask an MCP server for anything but an ordinary tool call."""

import time
from dataclasses import dataclass
from typing import Any

from mcp_perf.client.mcp.lists import list_all
from mcp_perf.client.protocol.requests import LIST_KEYS, LISTS, Request
from mcp_perf.client.reply import Reply
from mcp_perf.load.steps.checks import Checks
from mcp_perf.load.steps.step import Lane, Step, ToolStep
from mcp_perf.load.targets.clients import ToolClient
from mcp_perf.scenario.values.templates import Template


@dataclass(eq=False, kw_only=True)
class CancelledStep(ToolStep):
    """`call: TOOL` with `cancel_after:`."""

    cancel_after_s: float = 0.0

    def _send(self, lane: Lane[ToolClient], arguments: dict[str, Any] | None) -> Reply:
        """Call, cancel; what the user waits beyond that is in no time."""
        reply, stop = lane.client.cancelled_call(self.prepared, arguments, self.cancel_after_s)
        if stop is not None:
            lane.recorder.stopped(self.track, stop)
            lane.waited_ns += time.perf_counter_ns() - reply.end_ns
        return reply


@dataclass(eq=False, kw_only=True)
class RequestStep(Step[ToolClient]):
    """`read:`, `prompt:`, `complete:` and `ping:`."""

    request: Request
    checks: Checks
    params: Template | None
    """None where they are constant, and part of the prepared request."""

    def call(self, lane: Lane[ToolClient]) -> tuple[Reply, str]:
        params = None if self.params is None else self.params.render(lane.values)
        reply = lane.client.call(self.request, params, self.timeout_s)
        return reply, self.checks.judge(reply, lane.values)


class ProgressStep(Step[ToolClient]):
    """A step with `progress: true`: calls that bring no notification are counted."""

    def __init__(self, step: Step[ToolClient]) -> None:
        super().__init__(track=step.track, goes_on=step.goes_on)
        self._step = step

    def call(self, lane: Lane[ToolClient]) -> tuple[Reply, str]:
        reply, cls = self._step.call(lane)
        if reply.heard is None:
            lane.recorder.unheard(self.track, cls, reply)
        return reply, cls


@dataclass(eq=False, kw_only=True)
class ListStep(Step[ToolClient]):
    """`list: tools|resources|templates|prompts`: all pages, as one call."""

    what: str
    checks: Checks

    def call(self, lane: Lane[ToolClient]) -> tuple[Reply, str]:
        reply = list_all(lane.client, LISTS[self.what], LIST_KEYS[self.what], self.timeout_s)
        return reply, self.checks.judge(reply, lane.values)
