"""JSON-RPC 2.0 as both eras of MCP use it over HTTP: envelopes, error codes, encoding."""

from typing import Any, Final

import msgspec

from mcp_targets.serving.httpd import Reply

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
CANCELLED: Final = -32800
HEADER_MISMATCH: Final = -32020
MISSING_CLIENT_CAPABILITY: Final = -32021
UNSUPPORTED_VERSION: Final = -32022

Id = str | int | None

_EVENT: Final = b"event: message\ndata: "
encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class RpcError(Exception):
    """A JSON-RPC error to answer with."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.data = data

    def body(self, request_id: Id) -> bytes:
        error: dict[str, Any] = {"code": self.code, "message": str(self)}
        if self.data is not None:
            error["data"] = self.data
        return encode({"jsonrpc": "2.0", "id": request_id, "error": error})

    def reply(self, status: int, request_id: Id = None) -> Reply:
        return Reply(self.body(request_id), status)


def decode(body: bytes) -> dict[str, Any]:
    """Return a posted message: one JSON object. Raises RpcError."""
    try:
        message = _decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise RpcError(PARSE_ERROR, "Parse error") from error
    if type(message) is not dict:
        raise _not_one_message()
    return message


def check_request(message: dict[str, Any]) -> None:
    """Check the envelope of a message with an `id`. Raises RpcError."""
    request_id = message["id"]
    if (
        message.get("jsonrpc") != "2.0"
        or type(message.get("method")) is not str
        or type(request_id) not in (str, int)
        or ("params" in message and type(message["params"]) is not dict)
    ):
        raise _not_one_message()


def check_notification(message: dict[str, Any]) -> None:
    """Check the envelope of a message without an `id`. Raises RpcError."""
    if message.get("jsonrpc") != "2.0" or type(message.get("method")) is not str:
        raise _not_one_message()


def result(request_id: Id, value: dict[str, Any]) -> bytes:
    """Return an encoded success response."""
    return encode({"jsonrpc": "2.0", "id": request_id, "result": value})


def notification(method: str, params: dict[str, Any]) -> bytes:
    """Return an encoded notification."""
    return encode({"jsonrpc": "2.0", "method": method, "params": params})


def event(message: bytes) -> bytes:
    """Return a message as one server-sent event."""
    return b"%b%b\n\n" % (_EVENT, message)


def carried(sent: bytes) -> bytes:
    """Return the message of an event, or nothing for a comment."""
    return sent[len(_EVENT) : -2] if sent.startswith(_EVENT) else b""


def _not_one_message() -> RpcError:
    return RpcError(
        INVALID_REQUEST, "Body must be a single JSON-RPC request or notification object"
    )
