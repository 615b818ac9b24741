"""What can go wrong between us and a target: one tree, by phase; foreign errors are mapped here.

The engine raises these; the clients turn them into a `Reply`, because a failed call is data.
"""

import errno
import re
import socket
import ssl
from typing import Final, Self

from mcp_perf.client.rate_limits import TOO_MANY_REQUESTS
from mcp_perf.client.reply import Reply, clipped
from mcp_perf.outcomes import HARNESS_ERROR, HTTP_ERROR, RATE_LIMITED, TIMEOUT, TRANSPORT_ERROR

NO_ROOM: Final = (
    "no room for the reply in the load generator: all incoming replies together exceed its limit"
)
NO_SESSION: Final = "no session"
"""How the detail begins if a call could not be made because its session was not opened."""


class TargetError(Exception):
    """The target, or the way to it, failed. `outcome` is the class the call ends in."""

    outcome: str = TRANSPORT_ERROR
    retry_after_s: float = 0.0
    """How long the target asks to be left alone; 0 if it does not."""

    def __init__(self, message: str = "") -> None:
        """Keep the beginning of the message: what a target said may be a part of it."""
        super().__init__(clipped(message))

    def told_by(self, reply: Reply) -> Self:
        """Take over what the failed reply says about limits: the server's rate limit, or ours.

        It also takes over how long the target asks to be left alone.
        """
        if reply.status == TOO_MANY_REQUESTS:
            self.outcome = RATE_LIMITED
        elif reply.outcome in (RATE_LIMITED, HARNESS_ERROR):
            self.outcome = reply.outcome
        self.retry_after_s = reply.retry_after_s
        return self

    def fail(self, reply: Reply, detail: str) -> Reply:
        """Fail a reply in the class of the error, with how long to leave the target alone."""
        reply.retry_after_s = self.retry_after_s
        return reply.fail(self.outcome, detail)


class ConnectError(TargetError):
    """No connection could be opened: nothing was sent."""


class OwnLimit(ConnectError):  # noqa: N818 -- a limit, not a fault of the target
    """No port, or no file, is free on this machine for one more connection."""

    outcome = HARNESS_ERROR


class SendError(TargetError):
    """The request could not be written."""


class RefusedError(SendError):
    """The target took the bytes and refused the message, by an HTTP status."""

    outcome = HTTP_ERROR


class SessionGone(RefusedError):  # noqa: N818 -- it is gone, and is opened again
    """The target does not know our session: it did nothing with the message."""


class ReadError(TargetError):
    """The reply did not arrive whole."""


class NoRoom(ReadError):  # noqa: N818 -- a limit, not a fault of the target
    """All replies that come in at once are larger than the load generator may hold."""

    outcome = HARNESS_ERROR


def ended_by(reason: str) -> ReadError:
    """Return the error of a channel that has ended, according to the reason given."""
    return NoRoom(reason) if NO_ROOM in reason else ReadError(reason)


class EncodingError(ReadError):
    """The body is broken, or packed in a way that cannot be read here."""

    outcome = HTTP_ERROR


class ProtocolError(ReadError):
    """The bytes that arrived are not HTTP."""


class CallTimeout(TargetError):  # noqa: N818 -- the class of the call is `timeout`
    """The call's time was used up."""

    outcome = TIMEOUT


class NegotiationError(TargetError):
    """The target answered, but no session could be opened with it."""

    outcome = HTTP_ERROR


_BROKEN_OFF: Final = re.compile("(?i)certificate.required|handshake.failure|violation of protocol")
_PORTS: Final = "no local port is free for another connection (net.ipv4.ip_local_port_range)"
_FILES: Final = "too many open files in the load generator (ulimit -n)"
_OWN_LIMITS: Final = {errno.EADDRNOTAVAIL: _PORTS, errno.EMFILE: _FILES, errno.ENFILE: _FILES}


def not_opened(what: str, cause: OSError) -> ConnectError:
    """Say why the system did not give us a connection or a process."""
    limit = _OWN_LIMITS.get(cause.errno or 0)
    if limit is not None:
        return OwnLimit(f"{what}: {limit}")
    return ConnectError(f"{what}: {cause.strerror or cause}")


def wanted(cause: OSError) -> str:
    """Say what helps if a server aborts TLS, maybe because it wants a client certificate."""
    cure = " (does it want a client certificate? write tls: {cert: FILE, key: FILE} for the arm)"
    return cure if _BROKEN_OFF.search(str(cause)) else ""


def connect_error(address: str, cause: OSError) -> ConnectError:
    """Say in plain words why a connection failed."""
    if isinstance(cause, ssl.SSLCertVerificationError):
        return ConnectError(f"{address}: certificate not trusted: {cause.verify_message}")
    if isinstance(cause, ssl.SSLError):
        return ConnectError(f"{address}: TLS failed: {cause.reason or cause}{wanted(cause)}")
    if isinstance(cause, socket.gaierror):
        return ConnectError(f"{address}: unknown host: {cause.strerror or cause}")
    if isinstance(cause, TimeoutError):
        return ConnectError(f"{address}: no connection before the timeout")
    if isinstance(cause, ConnectionRefusedError) or cause.errno == errno.ECONNREFUSED:
        return ConnectError(f"{address}: connection refused")
    return not_opened(address, cause)
