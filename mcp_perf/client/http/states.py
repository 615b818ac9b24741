"""The states of a connection, and what takes it from one to the next, all in one place.

A `ResponseReader` has the state, because bytes decide most of it; the `Connection` tells it what
happens to the socket. Nothing else changes it, so a request cannot go out when none may.
"""

from typing import Final

# States.
CLOSED: Final = "closed"
"""There is no socket, and no whole response."""
OPENED: Final = "opened"
"""There is a socket, on which nothing was sent."""
SENT: Final = "sent"
"""A request is out. Nothing of its response has come, so a server may not have seen it."""
HEAD: Final = "head"
"""The response has begun."""
BODY: Final = "body"
"""Its head is whole."""
EVENTS: Final = "events"
"""Its head is whole, and its body is a stream of events."""
IDLE: Final = "idle"
"""The response is whole, and the next request may go out."""
ENDED: Final = "ended"
"""The response is whole, and its connection is of no use any more."""
STRAY: Final = "stray"
"""The response is whole, and the server said more without being asked."""

# What happens.
OPEN: Final = "open"
SEND: Final = "send"
BEGIN: Final = "begin"
INTERIM: Final = "interim"
"""A response of 1xx has ended: another one follows."""
PLAIN: Final = "plain"
"""The head is whole; no stream of events follows."""
STREAM: Final = "stream"
"""The head is whole; a stream of events follows."""
KNOWN: Final = "known"
"""A whole response has come at once, with a head that was read before."""
WHOLE: Final = "whole"
LAST: Final = "last"
"""The response has ended, and the connection with it."""
CLOSE: Final = "close"

NEXT: Final[dict[str, dict[str, str]]] = {
    CLOSED: {OPEN: OPENED, CLOSE: CLOSED},
    OPENED: {SEND: SENT, CLOSE: CLOSED},
    SENT: {BEGIN: HEAD, KNOWN: IDLE, CLOSE: CLOSED},
    HEAD: {INTERIM: SENT, PLAIN: BODY, STREAM: EVENTS, CLOSE: CLOSED},
    BODY: {WHOLE: IDLE, LAST: ENDED, CLOSE: CLOSED},
    EVENTS: {WHOLE: IDLE, LAST: ENDED, CLOSE: CLOSED},
    IDLE: {SEND: SENT, BEGIN: STRAY, CLOSE: ENDED},
    ENDED: {OPEN: OPENED, BEGIN: STRAY, CLOSE: ENDED},
    STRAY: {OPEN: OPENED, BEGIN: STRAY, CLOSE: STRAY},
}

COMPLETE: Final = frozenset((IDLE, ENDED, STRAY))
"""The response is whole."""
COMING: Final = frozenset((SENT, HEAD, BODY))
"""More has to be read before anything can be made of the response."""
READY: Final = frozenset((EVENTS, IDLE))
"""Something can be made of the response, and the connection stays."""
UNDER_WAY: Final = COMING | {EVENTS}
STARTED: Final = frozenset((HEAD, BODY, EVENTS)) | COMPLETE
"""Something of the response has come, so the server has seen the request."""
