"""What every system's process does besides serving: options, ports, readiness, its parent.

A process binds port 0 of 127.0.0.1 and reports readiness by writing `--ready-file` atomically: JSON
with `port`, its first port, and `ports` by name. With that option it also watches its standard
input, a pipe that only its parent holds open: however the parent ends, the pipe closes and the
process exits.
"""

import argparse
import asyncio
import contextlib
import gc
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urljoin

import msgspec

from mcp_targets.serving.httpd import Server

HOST: Final = "127.0.0.1"
KEPT_S: Final = 600
"""How long a server keeps an idle connection: longer than the turns of all other arms.

If it closed the connection sooner, just after the next call was sent, that call would fail."""

Lines = Callable[[Mapping[str, int]], list[str]]
"""Returns the lines to show to a person, from the ports by name."""


def arguments(module: str, description: str) -> argparse.ArgumentParser:
    """Return a parser with the options that every system has."""
    parser = argparse.ArgumentParser(f"python -m mcp_targets.{module}", description=description)
    parser.add_argument(
        "--port", type=_port, default=0, help="the port on 127.0.0.1 (default: any)"
    )
    parser.add_argument(
        "--ready-file",
        type=Path,
        help="write the ports here when ready, and exit when standard input ends",
    )
    return parser


def shown(title: str, **faces: str) -> Lines:
    """Return the lines about a server's faces, given as paths or as full addresses."""

    def lines(ports: Mapping[str, int]) -> list[str]:
        base = f"http://{HOST}:{next(iter(ports.values()))}"
        return [f"{title} is ready:", *(f"  {n:4}  {urljoin(base, p)}" for n, p in faces.items())]

    return lines


def listen(port: int, host: str = HOST) -> socket.socket:
    """Return a socket bound to an IPv4 address; port 0 means any free one. Raises SystemExit."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise SystemExit(
            f"cannot use port {port} of {host}: {error.strerror}. Choose another --port"
        ) from error
    return listener


def announce(ports: Mapping[str, int], lines: Lines, ready_file: Path | None) -> None:
    """Report that the process is ready, to its parent or to the person who started it."""
    if ready_file is None:
        sys.stdout.write("\n".join([*lines(ports), "Ctrl-C stops it.", ""]))
        sys.stdout.flush()
        return
    partial = ready_file.with_name(ready_file.name + ".partial")
    partial.write_bytes(msgspec.json.encode({"port": next(iter(ports.values())), "ports": ports}))
    partial.replace(ready_file)


def settle() -> None:
    """Exclude existing objects from garbage collection, and make it run less often."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def watch_parent(ready_file: Path | None) -> None:
    """Exit when standard input ends, if a parent started this process."""
    if ready_file is not None and not sys.stdin.isatty():
        threading.Thread(target=_exit_with_stdin, name="parent", daemon=True).start()


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine until it ends, Ctrl-C or SIGTERM, on the fastest event loop available.

    The loop is not closed, because its remaining tasks could take long. Call `leave` afterwards.
    """
    loop = _new_loop()
    task = loop.create_task(main)
    for number in (signal.SIGINT, signal.SIGTERM):
        # Not KeyboardInterrupt: uvloop loses it if it is raised inside a protocol's callback.
        loop.add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        loop.run_until_complete(task)


def leave() -> None:
    """End the process at once: nothing needs saving, and nobody waits for its tasks."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def serve(options: argparse.Namespace, servers: Mapping[str, Server], lines: Lines) -> None:
    """Serve until the process is stopped; several servers get consecutive ports."""
    watch_parent(options.ready_file)

    async def main() -> None:
        ports: dict[str, int] = {}
        for number, (name, server) in enumerate(servers.items()):
            listener = listen(options.port + number if options.port else 0)
            ports[name] = listener.getsockname()[1]
            await server.start(listener)
        announce(ports, lines, options.ready_file)
        settle()
        await asyncio.Event().wait()

    run(main())
    leave()


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop  # noqa: PLC0415 -- optional: not on every platform
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def _exit_with_stdin() -> None:
    while os.read(0, 4096):
        pass
    leave()


def _port(text: str) -> int:
    number = int(text) if text.isdecimal() else -1
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: write a number from 0 to 65535")
    return number
