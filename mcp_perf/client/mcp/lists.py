"""Lists, page by page: as one call that is measured, and as what a client has to know."""

from typing import Any, Final

import msgspec

from mcp_perf.client.errors import ReadError
from mcp_perf.client.mcp.attempt import Caller, joined
from mcp_perf.client.mcp.handshake import Ask, Terms
from mcp_perf.client.protocol import jsonrpc
from mcp_perf.client.protocol.requests import Request
from mcp_perf.client.protocol.tools import Tool, read_tools
from mcp_perf.client.reply import CHECK_FAILED, OK, Reply

MAX_PAGES: Final = 1000


def list_all(client: Caller, method: str, key: str, timeout_s: float | None = None) -> Reply:
    """List all of a kind, page by page, as one call; its body is that of a single page."""
    timeout = client.timeout_s if timeout_s is None else timeout_s
    request = Request(method, None)
    whole = client.call(request, {}, timeout)
    listed: list[Any] = []
    seen: set[str] = set()
    for _ in range(MAX_PAGES):
        if whole.outcome != OK:
            return whole
        result = jsonrpc.result_of(whole)
        page = result.get(key)
        if not isinstance(page, list):
            return whole.fail(CHECK_FAILED, f"{method}: the result has no list of {key}")
        listed += page
        cursor = result.get("nextCursor")
        if not isinstance(cursor, str):
            whole.body = msgspec.json.encode({"result": {**result, key: listed}})
            return whole
        if cursor in seen:
            return whole.fail(CHECK_FAILED, f"{method} {_endless(cursor)}")
        seen.add(cursor)
        left_s = client.terms.left_s(whole.start_ns, timeout)
        whole = joined(whole, client.call(request, {"cursor": cursor}, left_s))
    return whole.fail(CHECK_FAILED, f"{method} does not end after {MAX_PAGES} pages")


def _endless(cursor: str) -> str:
    return f"does not end: the cursor {cursor[:60]!r} came again"


def list_tools(terms: Terms, ask: Ask) -> dict[str, Tool]:
    """List all tools, and note the size of the list. Raises ReadError when it cannot be had.

    What is odd in the list is remarked on, and ends neither the list nor the run.
    """
    tools: dict[str, Tool] = {}
    seen: set[str] = set()
    params: dict[str, Any] = {}
    terms.tools_list_bytes = 0
    for _ in range(MAX_PAGES):
        reply = ask("tools/list", params, modern=terms.modern)
        if reply.outcome != OK:
            raise ReadError(f"tools/list failed: {reply.detail}").told_by(reply)
        terms.tools_list_bytes += len(reply.body)
        result = jsonrpc.result_of(reply)
        page = result.get("tools")
        for odd in read_tools(page, tools, modern=terms.modern, tasks=terms.tasks):
            terms.remark(odd)
        cursor = result.get("nextCursor")
        if not isinstance(cursor, str):
            return tools
        if cursor in seen:
            terms.remark(f"tools/list {_endless(cursor)}; the tools seen are used ({len(tools)})")
            return tools
        seen.add(cursor)
        params = {"cursor": cursor}
    raise ReadError(f"tools/list does not end after {MAX_PAGES} pages")
