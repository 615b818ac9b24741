"""How a call can end, which classes count against the target, and messages outside any call."""

from typing import Final

OK: Final = "ok"
TOOL_ERROR: Final = "tool_error"
RPC_ERROR: Final = "rpc_error"
HTTP_ERROR: Final = "http_error"
TRANSPORT_ERROR: Final = "transport_error"
TIMEOUT: Final = "timeout"
CHECK_FAILED: Final = "check_failed"
RATE_LIMITED: Final = "rate_limited"
INTERRUPTED: Final = "interrupted"
HARNESS_ERROR: Final = "harness_error"

CLASSES: Final = (
    OK,
    TOOL_ERROR,
    RPC_ERROR,
    HTTP_ERROR,
    TRANSPORT_ERROR,
    TIMEOUT,
    CHECK_FAILED,
    RATE_LIMITED,
    INTERRUPTED,
    HARNESS_ERROR,
)

FAILED: Final = frozenset(
    (TOOL_ERROR, RPC_ERROR, HTTP_ERROR, TRANSPORT_ERROR, TIMEOUT, CHECK_FAILED, RATE_LIMITED)
)
"""The target's failures: the numerator of ``error_rate``."""

ENDED: Final = FAILED | {OK}
"""Calls that the target is answerable for: the denominator. A call that we cut off, or that we
built wrongly, says nothing about the target."""

CROSSED_REPLY: Final = "crossed_reply"
LATE_REPLY: Final = "late_reply"
UNMATCHED_REPLY: Final = "unmatched_reply"
STRAY_PROGRESS: Final = "stray_progress"
FORBIDDEN_REQUEST: Final = "forbidden_request"
NO_MESSAGE: Final = "no_message"

STRAYS: Final = {
    CROSSED_REPLY: "answers to requests of other users",
    LATE_REPLY: "answers to requests that were given up",
    UNMATCHED_REPLY: "answers to requests that nobody waited for",
    STRAY_PROGRESS: "progress notifications with an unknown token",
    FORBIDDEN_REQUEST: "requests that this version of MCP forbids servers to send",
    NO_MESSAGE: "lines or events that are not JSON-RPC messages",
}
"""Messages from a target that do not belong to a call: their kinds, in words."""
