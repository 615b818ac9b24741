"""Steps that open and close a session, so that coming and going can be put under load."""

from mcp_perf.client.mcp.base import BaseClient
from mcp_perf.client.reply import Reply
from mcp_perf.load.steps.step import Lane, Step
from mcp_perf.load.targets.clients import McpSession


class OpenStep(Step):
    """`open:`: the connection, or the server's process, and the handshake, as one call."""

    def call(self, lane: Lane) -> tuple[Reply, str]:
        _close_others(lane)
        reply = _client(lane).open_session()
        return reply, reply.outcome


class CloseStep(Step):
    """`close:`: the goodbye, and the end of all connections, as one call."""

    def call(self, lane: Lane) -> tuple[Reply, str]:
        reply = _client(lane).close_session()
        _close_others(lane)
        return reply, reply.outcome


def _client(lane: Lane) -> McpSession:
    client = lane.client
    assert isinstance(client, BaseClient)  # noqa: S101 -- compiled for this kind of arm
    return client


def _close_others(lane: Lane) -> None:
    for other in lane.others():
        other.close()
