"""Steps that open and close a session, so that coming and going can be put under load."""

from locustfiles._clients import McpSession
from locustfiles._recorder import Track
from locustfiles._steps import MCP, Lane, Step
from mcp_targets.client.base import BaseClient
from mcp_targets.reply import Reply
from scenarios import model


class OpenStep(Step):
    """`open:`: the connection, or the server's process, and the handshake, as one call."""

    def call(self, lane: Lane) -> tuple[Reply, str]:
        """Open a session."""
        _close_others(lane)
        reply = _client(lane).open_session()
        return reply, reply.outcome


class CloseStep(Step):
    """`close:`: the goodbye, and the end of all connections, as one call."""

    def call(self, lane: Lane) -> tuple[Reply, str]:
        """Close the session."""
        reply = _client(lane).close_session()
        _close_others(lane)
        return reply, reply.outcome


def session_step(step: model.Step, track: Track) -> Step:
    """Compile an `open` or a `close`."""
    kind = OpenStep if step.open else CloseStep
    return kind(track, MCP, goes_on=step.on_error == "continue")


def _client(lane: Lane) -> McpSession:
    client = lane.client
    assert isinstance(client, BaseClient)  # noqa: S101 -- compiled for this kind of arm
    return client


def _close_others(lane: Lane) -> None:
    """Close what calls at once have beside the first connection."""
    for other in lane.others():
        other.close()
