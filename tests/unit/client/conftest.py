"""A server that says exactly what a test tells it to say."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

Exchange = Callable[[socket.socket, bytes], None]


@dataclass
class ScriptedServer:
    """Answers the n-th request by the n-th line of its script, whatever the connection.

    A line is bytes to send, or a function of the socket and the request. After the script, the
    server goes on reading and says nothing. `None` closes the connection without an answer.
    """

    script: list[bytes | Exchange | None]
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    clients: list = field(default_factory=list)
    """Whatever has connections to this server; they are closed with it."""

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def url(self) -> str:
        """Return the address of its MCP endpoint."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}/mcp"

    def stop(self) -> None:
        """Close everything and wait for its threads."""
        for client in self.clients:
            (client.drop if hasattr(client, "drop") else client.close)()
        with contextlib.suppress(OSError):  # stopped before
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for peer in self._open:
            with contextlib.suppress(OSError):
                peer.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)

    def _accept(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(peer)
            thread = threading.Thread(target=self._serve, args=(peer,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, peer: socket.socket) -> None:
        with peer:
            try:
                while request := read_request(peer):
                    with self._lock:
                        number = len(self.requests)
                        self.requests.append(request)
                    line = self.script[number] if number < len(self.script) else b""
                    if line is None:
                        return
                    if callable(line):
                        line(peer, request)
                    else:
                        peer.sendall(line)
            except OSError:
                return


def read_request(peer: socket.socket) -> bytes:
    """Read one HTTP request; empty at the end of the connection."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = peer.recv(65536)
        if not piece:
            return b""
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    while len(body) < length:
        body += peer.recv(65536)
    return head + b"\r\n\r\n" + body


@pytest.fixture
def serve() -> Iterator[Callable[..., ScriptedServer]]:
    """Start scripted servers; all stop with the test."""
    servers: list[ScriptedServer] = []

    def start(*script: bytes | Exchange | None) -> ScriptedServer:
        server = ScriptedServer(list(script))
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.stop()
