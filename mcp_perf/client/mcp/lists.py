"""Lists, page by page: as one call that is measured, and as what a client has to know."""

from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from mcp_perf.client.errors import ReadError
from mcp_perf.client.http.dialing import Clock
from mcp_perf.client.mcp.attempt import Caller, joined
from mcp_perf.client.mcp.handshake import Ask, Terms
from mcp_perf.client.protocol import jsonrpc
from mcp_perf.client.protocol.requests import Request
from mcp_perf.client.protocol.tools import Tool, read_tools
from mcp_perf.client.reply import Reply
from mcp_perf.outcomes import CHECK_FAILED, OK

MAX_PAGES: Final = 1000
MAX_LIST_BYTES: Final = 64 * 1024 * 1024
MAX_LIST_S: Final = 60.0


@dataclass(slots=True)
class _Paging:
    """The pages of one list so far: a server may never run out of them."""

    method: str
    clock: Clock
    number: int = 0
    size: int = 0
    begun_ns: int = field(init=False)
    cursors: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.begun_ns = self.clock()

    def add(self, size: int, cursor: str) -> str:
        """Count a page; say why the next one is not asked for, or nothing."""
        self.number += 1
        self.size += size
        if cursor in self.cursors:
            return f"{self.method} does not end: the cursor {cursor[:60]!r} came again"
        self.cursors.add(cursor)
        limits = {
            f"{MAX_PAGES} pages": self.number >= MAX_PAGES,
            f"{MAX_LIST_BYTES} bytes": self.size > MAX_LIST_BYTES,
            f"{MAX_LIST_S:g} s": self.clock() - self.begun_ns > MAX_LIST_S * 1e9,
        }
        limit = next((limit for limit, reached in limits.items() if reached), "")
        return limit and f"{self.method} does not end after {limit}"


def list_all(client: Caller, method: str, key: str, timeout_s: float | None = None) -> Reply:
    """List all of a kind, page by page, as one call; its body is that of a single page."""
    timeout = client.timeout_s if timeout_s is None else timeout_s
    request = Request(method, None)
    whole = client.call(request, {}, timeout)
    listed: list[Any] = []
    pages = _Paging(method, client.terms.clock)
    while whole.outcome == OK:
        result = jsonrpc.result_of(whole)
        page = result.get(key)
        if not isinstance(page, list):
            return whole.fail(CHECK_FAILED, f"{method}: the result does not contain a list {key}")
        listed += page
        cursor = result.get("nextCursor")
        if not isinstance(cursor, str):
            whole.body = msgspec.json.encode({"result": {**result, key: listed}})
            return whole
        if endless := pages.add(len(whole.body), cursor):
            return whole.fail(CHECK_FAILED, endless)
        left_s = client.terms.left_s(whole.start_ns, timeout)
        whole = joined(whole, client.call(request, {"cursor": cursor}, left_s))
    return whole


def list_tools(terms: Terms, ask: Ask) -> dict[str, Tool]:
    """List all tools, and note the size of the list. Raises ReadError if it cannot be read.

    Whatever is odd in the list becomes a remark, and ends neither the list nor the run.
    """
    tools: dict[str, Tool] = {}
    pages = _Paging("tools/list", terms.clock)
    params: dict[str, Any] = {}
    terms.tools_list_bytes = 0
    while True:
        reply = ask("tools/list", params, modern=terms.modern)
        error = None if reply.outcome == OK else jsonrpc.error_of(reply)
        if error is not None and error.code == jsonrpc.METHOD_NOT_FOUND:
            terms.remark(f"the server has no tools: it answers tools/list with {reply.detail}")
            return tools
        if reply.outcome != OK:
            raise ReadError(f"tools/list failed: {reply.detail}").told_by(reply)
        terms.tools_list_bytes += len(reply.body)
        result = jsonrpc.result_of(reply)
        page = result.get("tools")
        terms.remark(*read_tools(page, tools, modern=terms.modern, tasks=terms.tasks))
        cursor = result.get("nextCursor")
        if not isinstance(cursor, str):
            return tools
        if endless := pages.add(len(reply.body), cursor):
            terms.remark(f"{endless}; the tools seen are used ({len(tools)})")
            return tools
        params = {"cursor": cursor}
