"""How a call can end: the classes, and which of them count against the target."""

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
"""What the target answered for: the denominator. A call that we cut off, or that we built wrongly,
says nothing about the target."""
