"""Turns the messages of an agent and a server into calls. Without I/O."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import msgspec

from mcp_perf.agent.recording.pieces import Piece
from mcp_perf.client.protocol import jsonrpc, unreadable
from mcp_perf.client.reply import UNREADABLE, Reply
from mcp_perf.outcomes import CHECK_FAILED, INTERRUPTED, OK, RPC_ERROR, TOOL_ERROR
from mcp_perf.scenario.values.recordings import RecordedCall

Emit = Callable[[RecordedCall], object]
_BYTES: Final = 4
"""Bytes of JSON in a token, by a rule of thumb."""
_VERSION: Final = "io.modelcontextprotocol/protocolVersion"
_NOTHING: Final = msgspec.Raw(b"{}")
_ABSENT: Final = msgspec.Raw(b"")
_ID: Final = re.compile(rb'"id"\s*:\s*("[^"\\]*"|-?\d+)')
_METHOD: Final = re.compile(rb'"method"\s*:\s*"([\w/]+)"')
_NAME: Final = re.compile(rb'"name"\s*:\s*"([^"\\]+)"')
_ERROR: Final = re.compile(rb'"error"\s*:\s*\{')
_IS_ERROR: Final = re.compile(rb'"isError"\s*:\s*true')


class _Said(msgspec.Struct):
    """The parts of a JSON-RPC message that calls need."""

    id: int | str | None = None
    method: str = ""
    params: msgspec.Raw = _NOTHING
    result: msgspec.Raw = _ABSENT
    error: msgspec.Raw = _ABSENT


class Message(NamedTuple):
    """A message, and its bytes."""

    said: _Said
    piece: Piece


class _Meta(msgspec.Struct):
    version: str = msgspec.field(name=_VERSION, default="")


class _Params(msgspec.Struct):
    name: str = ""
    arguments: msgspec.Raw = _NOTHING
    requestId: int | str | None = None  # noqa: N815 -- the protocol's name
    meta: _Meta = msgspec.field(name="_meta", default_factory=_Meta)


class _Opening(msgspec.Struct):
    protocolVersion: str = ""  # noqa: N815 -- the protocol's name


_said = msgspec.json.Decoder(_Said).decode
_params = msgspec.json.Decoder(_Params).decode
_opening = msgspec.json.Decoder(_Opening).decode


@dataclass(slots=True)
class _Asked:
    """A request without its answer."""

    call: RecordedCall
    id: int | str
    at_ns: int


@dataclass(eq=False)
class SeenSession:
    """The calls of one agent, by their ids."""

    name: str
    transport: str
    emit: Emit
    keep: bool
    zero_ns: int
    protocol: str = ""
    _asked: dict[str, _Asked] = field(default_factory=dict)

    def sent(self, messages: Iterable[Message], now_ns: int) -> list[str]:
        """Take what the agent sent; return the keys of its requests."""
        keys: list[str] = []
        for said, piece in messages:
            params = _read(_params, said.params) or _Params()
            if said.method and said.id is not None:
                self.protocol = params.meta.version or self.protocol
                call = self._call(said, piece, params, now_ns)
                self._asked[str(said.id)] = _Asked(call, said.id, now_ns)
                keys.append(str(said.id))
            elif said.method == "notifications/cancelled":
                self.end([str(params.requestId)], INTERRUPTED, "the agent cancelled it", now_ns)
        return keys

    def came(
        self, messages: Iterable[Message], now_ns: int, status: int = 0, key: str = ""
    ) -> None:
        """Take what the server sent; an error without an id belongs to the request `key`."""
        for message in messages:
            said = message.said
            nameless = said.id is None and bool(bytes(said.error))
            asked = None if said.method else self._pop(key if nameless else str(said.id))
            if asked is not None:
                self._answered(asked, message, status, now_ns)

    def refused(self, keys: Iterable[str], status: int, piece: Piece, now_ns: int) -> None:
        """End requests with an HTTP reply that answers none of them."""
        for asked in filter(None, map(self._pop, keys)):
            self._answered(asked, Message(_Said(), piece), status, now_ns)

    def end(self, keys: Iterable[str] | None, outcome: str, detail: str, now_ns: int) -> None:
        """End requests that get no answer; None means all of them."""
        for asked in filter(None, map(self._pop, [*self._asked] if keys is None else keys)):
            asked.call.outcome, asked.call.detail = outcome, detail
            self._told(asked, now_ns)

    def _pop(self, key: str) -> _Asked | None:
        return self._asked.pop(key, None)

    def _call(self, said: _Said, piece: Piece, params: _Params, now_ns: int) -> RecordedCall:
        is_tool = said.method == "tools/call"
        raw = bytes(params.arguments if is_tool else said.params)
        call = RecordedCall(
            at_ms=round((now_ns - self.zero_ns) / 1e6, 3),
            session=self.name,
            transport=self.transport,
            method=said.method,
            tool=params.name if is_tool else "",
            ms=0.0,
            outcome=OK,
            bytes_out=piece.size,
            tokens_out=-(-len(raw) // _BYTES) if is_tool else 0,
        )
        if self.keep and piece.whole:
            found = _read(msgspec.json.decode, raw)
            call.arguments = found if isinstance(found, dict) else {}
            if not is_tool:
                call.arguments.pop("_meta", None)
        return call

    def _answered(self, asked: _Asked, message: Message, status: int, now_ns: int) -> None:
        call, (said, piece) = asked.call, message
        call.bytes_in = piece.size
        if piece.whole:
            reply = Reply(asked.at_ns)
            reply.body, reply.status = piece.body, status
            jsonrpc.judge(reply, asked.id)
            partial = jsonrpc.result_of(reply).get("resultType", "complete") != "complete"
            call.asks = partial and reply.outcome == CHECK_FAILED
            call.outcome = OK if call.asks else reply.outcome
            call.detail = "" if call.asks else reply.detail
        elif bytes(said.error):
            call.outcome = RPC_ERROR
        elif _IS_ERROR.search(piece.body):
            call.outcome = TOOL_ERROR
        if result := bytes(said.result):
            self._hear(call, result)
        self._told(asked, now_ns)

    def _hear(self, call: RecordedCall, result: bytes) -> None:
        self.protocol = (_read(_opening, result) or _Opening()).protocolVersion or self.protocol
        call.tokens_in = -(-len(result) // _BYTES)
        if self.keep:
            call.result = _read(msgspec.json.decode, result)

    def _told(self, asked: _Asked, now_ns: int) -> None:
        call = asked.call
        call.ms = round((now_ns - asked.at_ns) / 1e6, 3)
        call.protocol = self.protocol
        if not self.keep:
            call.detail = ""  # it may contain the arguments
        self.emit(call)


def messages_of(piece: Piece) -> Iterator[Message]:
    """Yield the messages of a piece: one, those in a batch, or none."""
    if not piece.whole:
        yield from _guessed(piece)
        return
    for body in jsonrpc.batch_of(piece.body) or [piece.body]:
        said = _read(_said, body)
        if said is None:
            found = unreadable.read(body).message.get("id")
            said = _Said(found) if isinstance(found, int | str) else None
        if said is not None:
            yield Message(said, Piece(body, len(body)))


def _guessed(piece: Piece) -> Iterator[Message]:
    """Yield what the edges of a large message show: its id, and what it asks for."""
    found, method = _ID.search(piece.body), _METHOD.search(piece.body)
    if found is None:
        return
    said = _Said(msgspec.json.decode(found[1]), method[1].decode() if method else "")
    if method is None and _ERROR.search(piece.body[:200]):
        said.error = _NOTHING
    if method is not None and (name := _NAME.search(piece.body)):
        params = {"name": name[1].decode(errors="replace")}
        said.params = msgspec.Raw(msgspec.json.encode(params))
    yield Message(said, piece)


def _read(decode: Callable[[Any], Any], data: Any) -> Any:
    """Decode something that may be anything; None if it cannot be read."""
    try:
        return decode(data)
    except UNREADABLE:
        return None
