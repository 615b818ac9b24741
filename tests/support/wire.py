"""Relays that log the wire: what a client really sent, independent of both ends.

`Relay` forwards bytes between a client and an HTTP server. For a server over stdio, this file is
the command: `python wire.py FOLDER COMMAND …` starts the server and stores its input in the folder,
one file per process. It needs nothing but the standard library.
"""

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

_VERSION = re.compile(rb'"protocolVersion": ?"([^"]+)"')


@dataclass
class Seen:
    """What a relay saw of one arm."""

    methods: Counter = field(default_factory=Counter)
    """The incoming JSON-RPC messages, by method."""
    versions: set = field(default_factory=set)
    """The versions named in tool calls or in the answer to `initialize`."""

    @property
    def era(self) -> str:
        """The one version in use."""
        [version] = self.versions
        return version


class Relay:
    """Forwards bytes to a port of this machine and back, and keeps them for each connection."""

    def __init__(self, port: int) -> None:
        self._upstream = port
        self._connections: list[tuple[bytearray, bytearray]] = []
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        """Close all connections."""
        for one in (self._listener, *self._sockets):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def seen(self, arm: str) -> Seen:
        """Return what came from one arm, by the header X-Arm."""
        seen = Seen()
        for up, down in self._connections:
            for head, body in requests(bytes(up)):
                if f"x-arm: {arm}\r\n".encode() not in head.lower() or not body:
                    continue
                method = json.loads(body).get("method", "")
                seen.methods[method] += 1
                version = re.search(rb"(?i)mcp-protocol-version: (\S+)", head)
                if method == "tools/call" and version is not None:
                    seen.versions.add(version[1].decode())
            if f"x-arm: {arm}\r\n".encode() in bytes(up).lower() and b"event: endpoint" in down:
                seen.versions |= {found.decode() for found in _VERSION.findall(bytes(down))}
        return seen

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._upstream))
                self._sockets += [client, server]
                kept = bytearray(), bytearray()
                self._connections.append(kept)
                for one, other, log in ((client, server, kept[0]), (server, client, kept[1])):
                    pump = threading.Thread(target=_pump, args=(one, other, log), daemon=True)
                    pump.start()


def _pump(source: socket.socket, sink: socket.socket, log: bytearray) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            log += data
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def requests(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Split what a client sent on one connection into requests: head and body."""
    while b"\r\n\r\n" in data:
        head, _, rest = data.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: *(\d+)", head)
        size = int(length[1]) if length else 0
        yield head + b"\r\n", rest[:size]
        data = rest[size:]


def seen_by_stdio(folder: Path) -> Seen:
    """Return the input over stdio of all processes together."""
    seen = Seen()
    for file in folder.iterdir():
        for message in map(json.loads, file.read_text("utf-8").splitlines()):
            seen.methods[message.get("method", "")] += 1
            if message.get("method") == "initialize":
                seen.versions.add(message["params"]["protocolVersion"])
    return seen


def main(folder: str, command: Iterable[str]) -> int:
    """Forward lines to a server's standard input and keep them; its output is ours."""
    with (
        Path(folder, str(os.getpid())).open("wb", buffering=0) as log,
        subprocess.Popen([*command], stdin=subprocess.PIPE) as server,
    ):
        assert server.stdin is not None
        for line in sys.stdin.buffer:
            log.write(line)
            server.stdin.write(line)
            server.stdin.flush()
        server.stdin.close()
        return server.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
