"""JSON-RPC 2.0 as MCP uses it, without I/O: what a reply is, according to its content.

`judge` alone decides in which class a reply to a request ends. The HTTP status only decides if the
content does not: a tool's error comes with 200, an rpc error with 200, 400 or 404, and a login page
with 200.
"""

import re
from typing import Any, Final, Literal

import msgspec

from mcp_perf.client import rate_limits
from mcp_perf.client.protocol import unreadable
from mcp_perf.client.protocol.versions import HANDSHAKE, MODERN
from mcp_perf.client.reply import UNREADABLE, Reply, beginning, members
from mcp_perf.outcomes import CHECK_FAILED, HTTP_ERROR, RPC_ERROR, TOOL_ERROR, TRANSPORT_ERROR

RequestId = int | str
_UNAVAILABLE: Final = re.compile(r"(?:un|not )(?:available|supported)", re.IGNORECASE)
_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
HEADER_MISMATCH: Final = -32020
"""Error codes; the last one is MCP's own: a header of a request contradicts its body."""
NO_HTTP: Final = 0
"""The status of a reply that came by another transport."""
_TAKEN: Final = frozenset((NO_HTTP, 200, 201, 203))
"""Statuses whose replies are taken at their word; the SDKs' clients take any 2xx but 202."""


class RpcError(msgspec.Struct):
    """The `error` member of a response."""

    code: int
    message: str = ""
    data: Any = None


class _Outcome(msgspec.Struct):
    """What decides the class of a result; the rest of it is skipped, not built."""

    isError: bool = False  # noqa: N815 -- the protocol's name
    resultType: str = "complete"  # noqa: N815 -- the protocol's name


class _Response(msgspec.Struct):
    jsonrpc: Literal["2.0"]
    id: int | str | None = None
    result: _Outcome | msgspec.UnsetType = msgspec.UNSET
    error: RpcError | msgspec.UnsetType = msgspec.UNSET
    method: str | msgspec.UnsetType = msgspec.UNSET


_decode = msgspec.json.Decoder(_Response).decode
_decode_batch = msgspec.json.Decoder(list[msgspec.Raw]).decode


def is_reply(message: bytes, request_id: RequestId) -> bool:
    """Tell whether a message on a request's own stream is the reply to it, by its id.

    A message that cannot be read is the reply if it still shows the id: `judge` says what is wrong
    with it. An error needs no id there: a server that could not read the request does not know the
    id.
    """
    try:
        response = _decode(message)
    except UNREADABLE:
        return has_id(unreadable.read(message).message, request_id)
    if response.method is not msgspec.UNSET:
        return False
    if response.id == request_id:
        return True
    nameless = response.id is None and response.error is not msgspec.UNSET
    return nameless or str(response.id) == str(request_id)


def has_id(message: dict[str, Any], request_id: RequestId) -> bool:
    """Tell whether this is JSON-RPC 2.0 with this id, written as a number or as a text."""
    return message.get("jsonrpc") == "2.0" and str(message.get("id")) == str(request_id)


def notification_of(message: bytes) -> str:
    """Return the method of a notification or request; empty for anything else."""
    try:
        method = _decode(message).method
    except UNREADABLE:
        return ""
    return "" if method is msgspec.UNSET else method


def batch_of(message: bytes) -> list[bytes]:
    """Return the messages of a batch, as servers of 2025-03-26 may send; empty if it is not one."""
    if message.lstrip()[:1] != b"[":
        return []
    try:
        return [bytes(one) for one in _decode_batch(message)]
    except UNREADABLE:
        return []


def judge(reply: Reply, request_id: RequestId) -> Reply:
    """Set the outcome of a reply from its status and body."""
    try:
        response = _decode(reply.body)
    except msgspec.ValidationError as error:
        if reply.status >= 400:
            return rate_limits.refuse(reply)
        shown = beginning(reply.body)
        return reply.fail(RPC_ERROR, f"not a JSON-RPC response ({error}): {shown}")
    except UNREADABLE:
        return _no_json(reply, request_id)
    if response.error is not msgspec.UNSET:
        return _failed(reply, response.id, response.error, request_id)
    if reply.status not in _TAKEN:
        return rate_limits.refuse(reply)
    result = response.result
    if result is msgspec.UNSET:
        method = response.method
        nothing = "the reply has neither a result nor an error"
        return reply.fail(RPC_ERROR, nothing if method is msgspec.UNSET else asked_back(method))
    if response.id != request_id:
        return reply.fail(RPC_ERROR, _mismatch(response.id, request_id))
    if result.isError:
        return rate_limits.fail(reply, TOOL_ERROR, _with_hint(_tool_text(reply)))
    if result.resultType != "complete":
        odd = f"the result is {result.resultType!r}, which the client did not ask for"
        return reply.fail(CHECK_FAILED, odd)
    body = reply.body
    return reply if body.isascii() and b"\\u" not in body else _strictly(reply)


def _strictly(reply: Reply) -> Reply:
    """Check that the parts that nobody reads are JSON, too: the decoder skips their texts."""
    try:
        suspect = _SURROGATE.search(reply.body.decode())
    except UnicodeDecodeError:
        return _fault(reply, unreadable.read(reply.body))
    if suspect and (read := unreadable.read(reply.body)).fault:
        return _fault(reply, read)
    return reply


def _fault(reply: Reply, read: unreadable.ReadMessage) -> Reply:
    """Say why the reply, whose id is known, is not JSON."""
    if read.whole:
        return reply.fail(CHECK_FAILED, f"the reply is not JSON: {read.fault}")
    said = f"{read.fault}: {beginning(reply.body)}"
    return reply.fail(RPC_ERROR, f"the reply cannot be read: {said}")


def asked_back(method: str) -> str:
    """Say that a server has sent a request in a version that does not allow any."""
    return f"the server sent a request ({method}), which this version of MCP forbids"


def is_of_another(response_id: Any, request_id: RequestId) -> bool:
    """Tell whether an id belongs to another request: it is a number, and not ours."""
    return isinstance(response_id, int) and response_id != request_id


def foreign_id(reply: Reply, request_id: RequestId) -> Any:
    """Return the id of a failed reply that belongs to another request; None if it does not."""
    if reply.outcome != RPC_ERROR or reply.status not in _TAKEN:
        return None
    found = message_of(reply.body).get("id")
    return found if is_of_another(found, request_id) else None


def wants_input(reply: Reply) -> bool:
    """Tell whether a judged reply is a result that asks for input before it is complete."""
    failed = reply.outcome == CHECK_FAILED
    return failed and result_of(reply).get("resultType") == "input_required"


def message_of(event: bytes) -> dict[str, Any]:
    """Return a stream's message that is not a reply; an odd one is empty.

    The parts that were skipped so far may be unreadable: a bad byte, a number beyond any type.
    """
    try:
        message = msgspec.json.decode(event)
    except UNREADABLE:
        return {}
    return message if isinstance(message, dict) else {}


def error_of(reply: Reply) -> RpcError | None:
    """Return the JSON-RPC error of a reply, None if there is none."""
    try:
        error = _decode(reply.body).error
    except UNREADABLE:
        return None
    return None if error is msgspec.UNSET else error


def is_error(reply: Reply) -> bool:
    """Tell whether a judged reply is an error of JSON-RPC, and not something unreadable or stray.

    Only then its detail begins with the error's code.
    """
    error = error_of(reply)
    return error is not None and reply.detail.startswith(str(error.code))


def result_of(reply: Reply) -> dict[str, Any]:
    """Return the result of a judged, successful reply; an odd one is empty."""
    return members(message_of(reply.body).get("result"))


def _failed(reply: Reply, response_id: Any, error: RpcError, request_id: RequestId) -> Reply:
    if is_of_another(response_id, request_id) and reply.status in _TAKEN:
        return reply.fail(RPC_ERROR, _mismatch(response_id, request_id))
    detail = _with_hint(f"{error.code} {error.message}".strip())
    return rate_limits.fail(reply, RPC_ERROR, detail, error.code)


def _with_hint(detail: str) -> str:
    """Say what helps if the server lacks something in the era of the connection."""
    if MODERN not in detail or not _UNAVAILABLE.search(detail):
        return detail
    return f"{detail} (an older version may have it: write protocol: {HANDSHAKE[0]})"


def _mismatch(response_id: Any, request_id: RequestId) -> str:
    if isinstance(response_id, str) and response_id == str(request_id):
        return f"the reply has the id {response_id!r} as a text; the request had a number"
    return f"the reply has id {response_id!r}, expected {request_id}"


def _no_json(reply: Reply, request_id: RequestId) -> Reply:
    if reply.status == 200 and not reply.body:
        return reply.fail(TRANSPORT_ERROR, "the reply is empty")
    if reply.status in _TAKEN:
        read = unreadable.read(reply.body)
        if has_id(read.message, request_id):
            return _fault(reply, read)
    if reply.status in _TAKEN and reply.status != NO_HTTP:
        shown = beginning(reply.body) or "(no body)"
        return reply.fail(HTTP_ERROR, f"HTTP {reply.status} and a body that is not JSON: {shown}")
    return rate_limits.refuse(reply)


def _tool_text(reply: Reply) -> str:
    content = result_of(reply).get("content")
    if isinstance(content, list):
        texts = [part["text"] for part in content if isinstance(part, dict) and "text" in part]
        if texts:
            return beginning(" ".join(map(str, texts)).encode(), 200)
    return beginning(reply.body, 200)
