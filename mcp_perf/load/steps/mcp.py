"""Steps that ask an MCP server for anything but an ordinary tool call, or open a session."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mcp_perf.client.mcp.lists import list_all
from mcp_perf.client.protocol.requests import LIST_KEYS, LISTS, Request
from mcp_perf.client.reply import Reply
from mcp_perf.load.steps.checks import Checks
from mcp_perf.load.steps.step import CallContext, CompiledStep, ToolStep
from mcp_perf.load.targets.clients import McpSession, ToolClient
from mcp_perf.scenario.values.templates import Template


@dataclass(eq=False, kw_only=True)
class CancelledStep(ToolStep):
    """`call: TOOL` with `cancel_after:`."""

    cancel_after_s: float

    def _send(self, context: CallContext[ToolClient], arguments: dict[str, Any] | None) -> Reply:
        """Call, and cancel; no time includes what the user waits after that."""
        reply, stop = context.client.cancelled_call(self.prepared, arguments, self.cancel_after_s)
        if stop is not None:
            context.recorder.stopped(self.track, stop)
            context.waited_ns += time.perf_counter_ns() - reply.end_ns
        return reply


@dataclass(eq=False, kw_only=True)
class RequestStep(CompiledStep[ToolClient]):
    """`read:`, `prompt:`, `complete:` and `ping:`."""

    request: Request
    checks: Checks
    params: Template | None
    """None if they are constant, and part of the prepared request."""

    def call(self, context: CallContext[ToolClient]) -> tuple[Reply, str]:
        params = None if self.params is None else self.params.render(context.values)
        reply = context.client.call(self.request, params, self.timeout_s)
        return reply, self.checks.judge(reply, context.values)


class ProgressStep(CompiledStep[ToolClient]):
    """A step with `progress: true`: calls without a notification are counted."""

    def __init__(self, step: CompiledStep[ToolClient]) -> None:
        super().__init__(track=step.track, goes_on=step.goes_on)
        self._step = step

    def call(self, context: CallContext[ToolClient]) -> tuple[Reply, str]:
        reply, cls = self._step.call(context)
        if reply.heard is None:
            context.recorder.unheard(self.track, cls, reply)
        return reply, cls


@dataclass(eq=False, kw_only=True)
class ListStep(CompiledStep[ToolClient]):
    """`list: tools|resources|templates|prompts`: all pages, as one call."""

    what: str
    checks: Checks

    def call(self, context: CallContext[ToolClient]) -> tuple[Reply, str]:
        reply = list_all(context.client, LISTS[self.what], LIST_KEYS[self.what], self.timeout_s)
        return reply, self.checks.judge(reply, context.values)


@dataclass(eq=False, kw_only=True)
class SessionStep(CompiledStep[McpSession]):
    """`open:` and `close:`: everything that opening or closing takes, as one call."""

    act: Callable[[McpSession], Reply]

    def call(self, context: CallContext[McpSession]) -> tuple[Reply, str]:
        reply = self.act(context.client)
        return reply, reply.outcome
