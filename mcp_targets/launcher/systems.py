"""Start the bundled systems on first use, and stop them.

with Systems(Path("logs")) as systems:
    face = systems.face("twilio/mcp")    # face.url, face.variables
"""

import atexit
import shlex
import sys
import tempfile
import threading
from collections import defaultdict
from collections.abc import Container, Iterable, Mapping
from pathlib import Path
from typing import Self

import msgspec

from mcp_targets.launcher.catalog import SYSTEMS, serving
from mcp_targets.launcher.references import Reference, UnknownSystem, parse
from mcp_targets.launcher.specs import FaceSpec
from mcp_targets.serving.entry import HOST
from mcp_targets.serving.processes import Child, SystemFailed

__all__ = ["Face", "SystemFailed", "SystemInfo", "Systems", "UnknownSystem", "available"]


class Face(msgspec.Struct, frozen=True):
    """A running system, seen from one side."""

    url: str
    """For `mcp` the endpoint, for `rest` the base address without a final slash, for `stdio` the
    command as `stdio:COMMAND`."""
    variables: Mapping[str, str]
    """What scenario lookups may use, such as the account to work in."""
    pids: Mapping[str, int] = {}
    """The processes that do this face's work, by name: the one that serves it, and the others of
    the system that it calls."""
    upstream: str = ""
    """The address of the counters of its simulated providers; empty if it has none."""


class SystemInfo(msgspec.Struct, frozen=True):
    """What is known about a system without starting it."""

    name: str
    summary: str
    faces: tuple[str, ...]


def available() -> list[SystemInfo]:
    """Return the bundled systems."""
    return [
        SystemInfo(name, system.summary, tuple(system.faces)) for name, system in SYSTEMS.items()
    ]


class _Instance(msgspec.Struct, frozen=True):
    """A system started with some flags; its processes by their names in the catalog."""

    started: Reference
    children: dict[str, Child]
    ports: dict[str, int]


class Systems:
    """The bundled systems of one run. What a face needs starts when it is first asked for.

    Output goes to `<log_dir>/<process>.log`. A `port` other than 0 is the port of the first face's
    process, and allows only one instance of one system. Call `stop`, or use this as a context
    manager; the systems also end when this process does.
    """

    def __init__(self, log_dir: Path, port: int = 0) -> None:
        self._log_dir = log_dir
        self._port = port
        self._instances: dict[str, _Instance] = {}
        self._lock = threading.Lock()
        self._ready_files: tempfile.TemporaryDirectory[str] | None = None

    def face(self, ref: str) -> Face:
        """Return a face such as `twilio/mcp` or `echo/mcp?delay=5ms`, ready for requests.

        Different flags mean different processes. Raises UnknownSystem, or SystemFailed with the
        log's last lines.
        """
        wanted = parse(ref)
        spec = SYSTEMS[wanted.system].faces[wanted.face]
        if not spec.process:
            return Face(_command(spec, wanted, {}), spec.variables)
        system, names = SYSTEMS[wanted.system], serving(SYSTEMS[wanted.system], spec)
        with self._lock:
            known = self._instances.get(wanted.instance) or _Instance(wanted, {}, {})
            instance = self._instances[wanted.instance] = self._start(known, names)
        running = instance.children
        child = running[spec.process]
        if child.dead():
            raise SystemFailed(f"the process {child.name} has ended{child.last_words()}")
        addresses = {name: f"http://{HOST}:{port}" for name, port in instance.ports.items()}
        pids = {name: running[name].pid for name in names}
        upstream = "".join(addresses[name] for name in names if name in system.simulators)
        url = addresses[spec.process] + spec.path
        if spec.program:
            ready = {name: child.ready_file for name, child in running.items()}
            url = _command(spec, wanted, ready)
        return Face(url, spec.variables, pids, upstream)

    def simulated(self) -> list[str]:
        """Return a sentence for each provider that the systems started so far simulate."""
        # Imported here because starting systems does not need them.
        from mcp_targets.serving.service_time import argument  # noqa: PLC0415
        from mcp_targets.upstream.provider import describe, load  # noqa: PLC0415

        played = defaultdict(list)
        for instance in self._instances.values():
            rtt = dict(instance.started.flags).get("rtt")
            for name in SYSTEMS[instance.started.system].simulates:
                played[name].append(load(name, None if rtt is None else argument(rtt)))
        return [describe(*providers) for providers in played.values()]

    def pids(self) -> dict[str, int]:
        return {child.name: child.pid for child in self._children()}

    def dead(self) -> list[str]:
        """Return the names of the processes that ended without being stopped."""
        return [child.name for child in self._children() if child.dead()]

    def stop(self) -> None:
        """Stop every process; nothing is left when this returns. May be called again."""
        with self._lock:
            children = self._children()
            self._instances.clear()
            _stop(children)
            if self._ready_files is not None:
                self._ready_files.cleanup()
                self._ready_files = None
        atexit.unregister(self.stop)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _children(self) -> list[Child]:
        return [one for known in self._instances.values() for one in known.children.values()]

    def _start(self, known: _Instance, wanted: Container[str]) -> _Instance:
        """Return an instance whose wanted processes are running; start the missing ones at once."""
        if self._ready_files is None:
            self._log_dir.mkdir(parents=True, exist_ok=True)
            self._ready_files = tempfile.TemporaryDirectory(prefix="mcp-perf-")
            atexit.register(self.stop)
        folder, flags = Path(self._ready_files.name), known.started
        processes = SYSTEMS[flags.system].processes
        first = next(iter(SYSTEMS[flags.system].faces.values())).process
        names = {process.name: flags.process_name(process) for process in processes}
        ready = {name: folder / f"{full}.json" for name, full in names.items()}
        started: dict[str, Child] = {}
        try:
            for process in processes:
                if process.name not in wanted or process.name in known.children:
                    continue
                fixed = [text.format_map(ready) for text in process.arguments]
                if process.name == first and self._port:
                    fixed += ["--port", str(self._port)]
                started[process.name] = Child(
                    names[process.name],
                    process.module,
                    [*fixed, *flags.arguments(process.flags)],
                    ready[process.name],
                    self._log_dir / f"{names[process.name]}.log",
                )
            ports = {name: child.port() for name, child in started.items()}
        except BaseException:
            _stop(started.values())
            raise
        return _Instance(flags, known.children | started, known.ports | ports)


def _command(spec: FaceSpec, wanted: Reference, ready: Mapping[str, Path]) -> str:
    """Return the command by which each user starts a face's program."""
    path = str(Path(__file__).parents[1] / "stdio.py")
    fixed = [text.format_map(ready) for text in spec.program]
    flags = wanted.arguments(dict(wanted.flags))
    return f"stdio:{shlex.join([sys.executable, path, *fixed, *flags])}"


def _stop(children: Iterable[Child]) -> None:
    waiting = list(children)
    for child in waiting:
        child.ask_to_stop()
    for child in waiting:
        child.stop()
