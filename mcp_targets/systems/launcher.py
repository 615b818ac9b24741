"""Start the bundled systems on first use, and stop them.

with Systems(Path("logs")) as systems:
    face = systems.face("twilio/mcp")    # face.url, face.variables
"""

import atexit
import difflib
import tempfile
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from mcp_targets.systems.catalog import SYSTEMS, serving
from mcp_targets.systems.processes import Child, SystemFailed
from mcp_targets.systems.serving import HOST

__all__ = ["Face", "SystemFailed", "SystemInfo", "Systems", "UnknownSystem", "available"]


class UnknownSystem(LookupError):  # noqa: N818 -- a mistake in a name, not an error of ours
    """There is no such system, or no such face."""


class Face(msgspec.Struct, frozen=True):
    """A running system, seen from one side."""

    url: str
    """For `mcp` the endpoint, for `rest` the base address without a final slash."""
    variables: Mapping[str, str]
    """What scenario lookups may use, such as the account to work in."""
    pids: Mapping[str, int] = {}
    """The processes that do this face's work, by name: the one that serves it, and those of the
    system that it calls."""


class SystemInfo(msgspec.Struct, frozen=True):
    """What can be known of a system without starting it."""

    name: str
    summary: str
    faces: tuple[str, ...]


def available() -> list[SystemInfo]:
    """Return the bundled systems."""
    return [
        SystemInfo(name, system.summary, tuple(system.faces)) for name, system in SYSTEMS.items()
    ]


class Systems:
    """The bundled systems of one run. Each starts when one of its faces is first asked for.

    Output goes to `<log_dir>/<process>.log`. Stop them, or use this as a context manager; they also
    end when this process does.
    """

    def __init__(self, log_dir: Path) -> None:
        self._log_dir = log_dir
        self._children: dict[str, Child] = {}
        self._ports: dict[str, dict[str, int]] = {}
        self._lock = threading.Lock()
        self._ready_files: tempfile.TemporaryDirectory[str] | None = None

    def face(self, ref: str) -> Face:
        """Return a face such as `twilio/mcp`, ready for requests.

        Raises UnknownSystem, or SystemFailed with the log's last lines.
        """
        system, face = _find(ref)
        spec = SYSTEMS[system].faces[face]
        with self._lock:
            if system not in self._ports:
                self._start(system)
        child = self._children[spec.process]
        if child.dead():
            raise SystemFailed(f"the process {child.name} has ended{child.last_words()}")
        port = self._ports[system][spec.process]
        pids = {name: self._children[name].pid for name in serving(SYSTEMS[system], spec.process)}
        return Face(f"http://{HOST}:{port}{spec.path}", spec.variables, pids)

    def simulated(self) -> list[str]:
        """Return a sentence for each provider that is simulated in the systems started so far."""
        # Reading provider files needs more than starting systems does.
        from mcp_targets.systems.upstream.provider import describe, load  # noqa: PLC0415

        names = dict.fromkeys(name for system in self._ports for name in SYSTEMS[system].simulates)
        return [describe(load(name)) for name in names]

    def pids(self) -> dict[str, int]:
        """Return the process ids by process name."""
        return {name: child.pid for name, child in self._children.items()}

    def dead(self) -> list[str]:
        """Return the names of the processes that have ended although nobody stopped them."""
        return [name for name, child in self._children.items() if child.dead()]

    def stop(self) -> None:
        """Stop every process; nothing is left when this returns. May be called again."""
        with self._lock:
            children = list(self._children.values())
            self._children.clear()
            self._ports.clear()
            _stop(children)
            if self._ready_files is not None:
                self._ready_files.cleanup()
                self._ready_files = None
        atexit.unregister(self.stop)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _start(self, name: str) -> None:
        if self._ready_files is None:
            self._log_dir.mkdir(parents=True, exist_ok=True)
            self._ready_files = tempfile.TemporaryDirectory(prefix="mcp-perf-")
            atexit.register(self.stop)
        folder = Path(self._ready_files.name)
        processes = SYSTEMS[name].processes
        ready = {process.name: folder / f"{process.name}.json" for process in processes}
        started: dict[str, Child] = {}
        try:
            for process in processes:
                arguments = [text.format_map(ready) for text in process.arguments]
                log = self._log_dir / f"{process.name}.log"
                started[process.name] = Child(
                    process.name,
                    process.module,
                    arguments,
                    ready[process.name],
                    log,
                )
            self._ports[name] = {process: child.port() for process, child in started.items()}
        except BaseException:
            _stop(started.values())
            raise
        self._children |= started


def _stop(children: Iterable[Child]) -> None:
    waiting = list(children)
    for child in waiting:
        child.ask_to_stop()
    for child in waiting:
        child.stop()


def _find(ref: str) -> tuple[str, str]:
    """Split and check `system/face`. Raises UnknownSystem."""
    system, slash, face = ref.partition("/")
    if system not in SYSTEMS:
        raise UnknownSystem(f"no system {system!r}; {_nearest(system, SYSTEMS)}")
    faces = SYSTEMS[system].faces
    if face not in faces:
        what = f"no face {face!r}" if slash else "no face given"
        hint = _nearest(face, faces)
        raise UnknownSystem(
            f"{what} for system {system!r}; {hint}. Write {system}/{next(iter(faces))}"
        )
    return system, face


def _nearest(name: str, known: Iterable[str]) -> str:
    names = list(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    listed = f"there are {', '.join(names)}"
    return f"did you mean {' or '.join(near)}? ({listed})" if near else listed
