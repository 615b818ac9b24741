"""Locust's sockets between master and workers, for nodes with the run key only."""

import logging
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Final

import gevent
import zmq.green as zmq
from locust.exception import RPCError
from locust.rpc import Message, zmqrpc

from mcp_perf import settings
from mcp_perf.load.hub.redaction import hide
from mcp_perf.load.lifecycle.ending import exit_on_refusal
from mcp_perf.load.lifecycle.run_key import VARIABLE, MasterEnd, WorkerEnd, usable
from mcp_perf.load.prepare import options
from mcp_perf.load.targets.refusal import Refusal

_MOST_BYTES: Final = 64 * 1024 * 1024
"""The most in one message: far more than a second of records. A node that sends more is cut off."""

_BINDS: Final = 10
_REBIND_S: Final = 0.1
"""ZeroMQ closes a socket in a thread, so its port is free a little later."""

logger = logging.getLogger("mcp-perf")
_warn: Final = partial(logger.warning, "%s")


def lock() -> None:
    """Have Locust use these sockets to talk to other processes, and read the run key for them.

    Processes that are started from here do not find the key in their environment.
    """
    with exit_on_refusal():
        found = settings.current().run_key.get_secret_value().strip()
    os.environ.pop(VARIABLE, None)
    _SignedSocket.run_key = found or _SignedSocket.run_key
    for name, own in (("Server", MasterSocket), ("Client", WorkerSocket)):
        setattr(zmqrpc, name, own)
    os.register_at_fork(before=_SignedSocket.draw)


class _SignedSocket(zmqrpc.BaseSocket):
    run_key: ClassVar[str] = ""

    @classmethod
    def draw(cls) -> None:
        """Draw a key if there is none, before --processes forks workers that need the same one."""
        cls.run_key = cls.run_key or secrets.token_urlsafe()

    def __init__(self, kind: int, host: str, port: int) -> None:
        super().__init__(kind, self.ipv4_only(host, port))
        self.socket.setsockopt(zmq.MAXMSGSIZE, _MOST_BYTES)

    @classmethod
    def key(cls) -> bytes:
        """Return the run key. Without a usable one, this process ends."""
        hide([cls.run_key])
        with exit_on_refusal():
            return usable(cls.run_key)


class MasterSocket(_SignedSocket):
    """The master's socket, instead of `locust.rpc.zmqrpc.Server`."""

    _kept: ClassVar[MasterEnd | None] = None
    """It outlives its socket, which Locust may close and open again."""

    def __init__(self, host: str, port: int) -> None:
        first = MasterSocket._kept is None
        MasterSocket._kept = self.end = MasterSocket._kept or MasterEnd(self.key(), _warn)
        super().__init__(zmq.ROUTER, host, port)
        for left in reversed(range(_BINDS)):
            try:
                self.socket.bind(f"tcp://{host}:{port}")
                break
            except zmq.ZMQError as error:
                if not left and first:
                    why = os.strerror(error.errno or 0)
                    said = f"the master cannot listen there on {host} ({why}); name another port"
                    with exit_on_refusal():
                        raise Refusal(f"--master-bind-port {port}: {said}") from error
                if not left:
                    raise RPCError(f"Socket bind failure: {error}") from error
                gevent.sleep(_REBIND_S)

    def send_to_client(self, message: Message) -> None:
        """Send a message to the worker of its node id, if that worker was heard."""
        if not self.end.knows(message.node_id):
            return
        if message.type == "spawn":
            message.data = {**message.data, "parsed_options": _sent(message.data["parsed_options"])}
        super().send_to_client(_Sealed(message, partial(self.end.seal, message.node_id)))

    def recv_from_client(self) -> tuple[str, Message]:
        """Wait for the next message that is accepted from a worker. Raises RPCError."""
        while True:
            try:
                sender, *frames = self.socket.recv_multipart(copy=False)
            except zmq.ZMQError as error:
                raise RPCError("ZMQ network broken") from error
            node = sender.bytes.decode("utf-8", "backslashreplace")
            address = str(frames[-1].get("Peer-Address")).removeprefix("::ffff:")
            message, answer = self.end.hear(node, frames[-1].bytes, address)
            if answer is not None:
                self.socket.send_multipart([sender.bytes, answer])
            if message is not None and (heard := Message.unserialize(message)).node_id == node:
                return node, heard
            gevent.sleep(0)  # a flood of refused messages must not hold up other greenlets


class WorkerSocket(_SignedSocket):
    """A worker's socket, instead of `locust.rpc.zmqrpc.Client`."""

    _kept: ClassVar[WorkerEnd | None] = None

    def __init__(self, host: str, port: int, identity: str) -> None:
        kept = WorkerSocket._kept
        if kept is None or kept.node != identity:
            kept = WorkerEnd(self.key(), identity, f"{host}:{port}", _warn)
        WorkerSocket._kept = self.end = kept
        super().__init__(zmq.DEALER, host, port)
        self._unsaid: list[Message] = []
        self.socket.setsockopt(zmq.IDENTITY, identity.encode())
        self.socket.connect(f"tcp://{host}:{port}")

    def send(self, message: Message) -> None:
        """Send a message to the master, as soon as the master has said who it is."""
        if not self.end.known:
            self._unsaid.append(message)
        super().send(_Sealed(message, self.end.seal))

    def recv(self) -> Message:
        """Wait for the next message from the master. Raises RPCError."""
        while True:
            try:
                frame = self.socket.recv()
            except zmq.ZMQError as error:
                raise RPCError("ZMQ network broken") from error
            with exit_on_refusal():
                message = self.end.hear(frame)
            if message is not None:
                heard: Message = Message.unserialize(message)
                return heard
            while self._unsaid and self.end.known:
                self.send(self._unsaid.pop(0))


@dataclass(frozen=True, slots=True)
class _Sealed:
    """A message in the form that Locust's sockets take. Each time it is sent, it is sealed anew."""

    message: Message
    seal: Callable[[bytes], bytes]

    @property
    def node_id(self) -> str:
        return str(self.message.node_id)

    def serialize(self) -> bytes:
        return self.seal(self.message.serialize())


def _sent(parsed: dict[str, Any]) -> dict[str, Any]:
    """Return the options that a worker gets: without ours, because the task has what it needs."""
    return {name: value for name, value in parsed.items() if name not in options.OURS}
