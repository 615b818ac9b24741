"""Steps that open and close a session, so that coming and going can be put under load."""

from mcp_perf.client.mcp.lifetime import close_session, open_session
from mcp_perf.client.reply import Reply
from mcp_perf.load.steps.step import Lane, Step
from mcp_perf.load.targets.clients import McpSession


class OpenStep(Step[McpSession]):
    """`open:`: the connection, or the server's process, and the handshake, as one call."""

    def call(self, lane: Lane[McpSession]) -> tuple[Reply, str]:
        reply = open_session(lane.client)
        return reply, reply.outcome


class CloseStep(Step[McpSession]):
    """`close:`: the goodbye, and the end of all connections, as one call."""

    def call(self, lane: Lane[McpSession]) -> tuple[Reply, str]:
        reply = close_session(lane.client)
        return reply, reply.outcome
