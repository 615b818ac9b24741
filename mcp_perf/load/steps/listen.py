"""Steps that listen: they ask for notifications, and wait for one that a change causes."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mcp_perf.client.protocol.subscriptions import Wanted
from mcp_perf.client.reply import Reply
from mcp_perf.load.steps.journey import Runnable
from mcp_perf.load.steps.step import CallContext, CompiledStep
from mcp_perf.load.targets.clients import McpSession
from mcp_perf.outcomes import OK
from mcp_perf.scenario.model import steps
from mcp_perf.scenario.values.templates import Template


@dataclass(eq=False, kw_only=True)
class ListenStep(CompiledStep[McpSession]):
    """`listen:` and `subscribe:`: the user listens until the journey ends."""

    lists: tuple[str, ...]
    uri: Template | None

    def run(self, context: CallContext[McpSession]) -> str:
        """Ask; if the session's stream is open already, nothing is sent, and no call counted."""
        listening = context.listens = context.client.listening
        if self.uri is None and listening.hears:
            listening.listen(Wanted(self.lists))
            return OK
        return super().run(context)

    def call(self, context: CallContext[McpSession]) -> tuple[Reply, str]:
        uri = "" if self.uri is None else str(self.uri.render(context.values))
        start_ns = time.perf_counter_ns()
        reply = context.client.listening.listen(Wanted(self.lists, uri), self.timeout_s)
        return (reply or Reply(start_ns)), (OK if reply is None else reply.outcome)


@dataclass(eq=False, kw_only=True)
class AwaitStep(CompiledStep[McpSession]):
    """`await:`."""

    method: str
    uri: Template | None
    after_change: bool
    """Whether an earlier step, after the listening began, may cause the notification."""

    def call(self, context: CallContext[McpSession]) -> tuple[Reply, str]:
        uri = "" if self.uri is None else str(self.uri.render(context.values))
        since_ns = context.changed_ns if self.after_change else 0
        reply = context.client.listening.awaited(self.method, uri, since_ns, self.timeout_s)
        return reply, reply.outcome


@dataclass(slots=True)
class ChangeStep:
    """A step that an `await` follows: the time until the notification starts with this step."""

    step: Runnable

    @property
    def goes_on(self) -> bool:
        return self.step.goes_on

    def run(self, context: CallContext[Any]) -> str:
        context.changed_ns = time.perf_counter_ns()
        return self.step.run(context)


def changes(listed: Sequence[steps.Step]) -> dict[int, int]:
    """Return the index of each `await` -> the index of the step that may cause its notification.

    This step is the last call before the `await`, if the journey listened by then.
    """
    found: dict[int, int] = {}
    last: int | None = None
    for index, step in enumerate(listed):
        if step.action == "await":
            if last is not None:
                found[index] = last
        elif step.action in ("listen", "subscribe", "open"):
            last = None
        elif step.action != "wait":
            last = index
    return found
