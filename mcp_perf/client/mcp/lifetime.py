"""Opening and closing a session as what is measured: each is one call."""

from collections.abc import Callable

from mcp_perf.client.errors import TargetError
from mcp_perf.client.mcp.attempt import Client
from mcp_perf.client.mcp.handshake import Terms
from mcp_perf.client.reply import Reply


def open_session(client: Client) -> Reply:
    """Open a new session: connection, and handshake where the version has one.

    A session that is still open, because what used it broke off, is dropped before.
    """
    client.drop()
    return _timed(client.terms, client.begin, "no session")


def close_session(client: Client) -> Reply:
    """End the session."""
    return _timed(client.terms, client.leave, "not closed")


def _timed(terms: Terms, act: Callable[[], None], otherwise: str) -> Reply:
    received, sent = terms.setup_bytes
    reply = Reply(terms.clock())
    try:
        act()
    except TargetError as error:
        reply.fail(error.outcome, f"{otherwise}: {error}")
    reply.end_ns = terms.clock()
    reply.bytes_in = terms.setup_bytes[0] - received
    reply.bytes_out = terms.setup_bytes[1] - sent
    return reply
