"""Refusals because a client asked too often, recognized by status, code or known wording."""

import re
from typing import Final

from mcp_perf.client.reply import Reply, beginning, clipped
from mcp_perf.outcomes import HTTP_ERROR, RATE_LIMITED

TOO_MANY_REQUESTS: Final = 429
"""RFC 6585, section 4. Some servers write it as the code of a JSON-RPC error, too."""
_CODES: Final = (-32029, TOO_MANY_REQUESTS)
"""MCP gateways send -32029; it is in JSON-RPC's range for a server's own errors."""
_WORDS: Final = re.compile(
    r"too[ _-]?many[ _-]?requests"
    r"|rate[ _-]?limit(?:ed|s|ing)?(?:[ _-](?:was|is|has|been|being))*[ _-]?"
    r"(?:exceeded|reached|hit|error|exception)"
    r"|rate[ _-]?limited"
    r"|(?:exceed(?:ed|s)?|hit|over|reached)(?:[ ](?:the|your|its|our|a|api|secondary))*"
    r"[ ]rate[ _-]?limit"
    r"|(?:http|status|status[ _]?code|error|code)[ :=\"']{1,4}429\b"
    r"|throttl(?:ed|ing[ _]?(?:error|exception))"
    r"|quota(?:[ ](?:was|is|has|been))*[ _-]?exceeded|exceeded your current quota"
    r"|resource[ _]exhausted",
    re.IGNORECASE,
)
"""How REST APIs and their client libraries say it: tools pass these texts on."""


def fail(reply: Reply, outcome: str, detail: str, code: int = 0) -> Reply:
    """Fail a reply (`code` is JSON-RPC's), as `rate_limited` if that is what the target says."""
    detail = clipped(detail)
    limited = reply.status == TOO_MANY_REQUESTS or code in _CODES or _WORDS.search(detail)
    return reply.fail(RATE_LIMITED if limited else outcome, detail)


def refuse(reply: Reply) -> Reply:
    """Fail a reply by its HTTP status, because nothing else says what it is."""
    said = reply.detail or beginning(reply.body) or "(no body)"
    return fail(reply, HTTP_ERROR, f"HTTP {reply.status}: {said}")
