"""Steps that open and close a session, so that coming and going can be put under load."""

from mcp_perf.client.mcp.lifetime import close_session, open_session
from mcp_perf.client.reply import Reply
from mcp_perf.load.steps.step import CallContext, CompiledStep
from mcp_perf.load.targets.clients import McpSession


class OpenStep(CompiledStep[McpSession]):
    """`open:`: the connection, or the server's process, and the handshake, as one call."""

    def call(self, context: CallContext[McpSession]) -> tuple[Reply, str]:
        reply = open_session(context.client)
        return reply, reply.outcome


class CloseStep(CompiledStep[McpSession]):
    """`close:`: the goodbye, and the end of all connections, as one call."""

    def call(self, context: CallContext[McpSession]) -> tuple[Reply, str]:
        reply = close_session(context.client)
        return reply, reply.outcome
