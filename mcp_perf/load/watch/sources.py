"""Where an arm's resources are read: its system's processes, a listener, or what the file says."""

import contextlib
import ipaddress
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

import psutil

from mcp_perf.client.channels.inprocess import Code
from mcp_perf.client.channels.stdio import Command
from mcp_perf.load.targets.refusal import Refusal
from mcp_perf.load.targets.targets import ArmTarget
from mcp_perf.load.watch.process_tree import ProcessTree, Reading
from mcp_perf.load.watch.prometheus import MetricsPage, NoMetrics
from mcp_perf.scenario.loader import Loaded
from mcp_perf.scenario.model.resources import Resources

_FORWARDERS: Final = ("docker-proxy", "rootlessport", "slirp4netns", "pasta", "ssh", "kubectl")
"""They listen for another process, so their own resources are not its resources."""
_ENGINES: Final = ("docker", "podman")
_INSPECT_S: Final = 10.0


Reader = ProcessTree | MetricsPage
"""Reads the resources of one target, or raises OSError or NoMetrics."""


class StartedProcesses(ProcessTree):
    """The stdio servers that the users of this node have started so far."""

    def __init__(self, pids: set[int]) -> None:
        self._started = pids
        super().__init__(())

    def refresh(self) -> None:
        self.add(self._started)
        super().refresh()

    def read(self) -> Reading:
        if not self.pids:
            raise ProcessLookupError("the process that writes the journal did not start a server.")
        return super().read()


@dataclass(frozen=True, slots=True)
class Source:
    """Where the resources of an arm are read, or why they cannot be read."""

    shown: str = ""
    reader: Reader | None = None
    why_not: str = ""

    def described(self) -> dict[str, str]:
        return {"source": self.shown, "why_not": self.why_not}


class _Unseen(Exception):  # noqa: N818 -- why nothing can be read, in a sentence
    """There is nothing to read from."""


def find_resources(loaded: Loaded, targets: Mapping[str, ArmTarget]) -> dict[str, Source]:
    """Find out for each arm where to read. Raises Refusal if a source from the file is missing.

    If the file does not say where to read, finding nothing is not a mistake; the report
    says why.
    """
    found: dict[str, Source] = {}
    problems: list[str] = []
    for name, arm in loaded.scenario.arms.items():
        try:
            found[name] = _find(arm.resources, targets[name])
        except _Unseen as unseen:
            found[name] = Source(why_not=str(unseen))
            if arm.resources.kind != "auto":
                problems.append(f"arms.{name}.resources: {unseen}")
    if problems:
        raise Refusal(*problems)
    return found


def shared(sources: Mapping[str, Source]) -> list[str]:
    """Return a sentence for every two arms that the same process serves."""
    return [
        f"{one} and {other} are served by the same process: its memory, threads and descriptors "
        "count for both. CPU time does not, because only one of them runs at a time."
        for (one, a), (other, b) in combinations(sources.items(), 2)
        if _parts(a) & _parts(b)
    ]


def sharing(sources: Mapping[str, Source], arm: str) -> list[str]:
    """Return the names of the other arms that an arm's processes serve."""
    parts = _parts(sources[arm])
    return [other for other, source in sources.items() if other != arm and parts & _parts(source)]


def _parts(source: Source) -> set[int | str]:
    if isinstance(source.reader, ProcessTree):
        return {*source.reader.pids}
    return {source.shown} if source.reader is not None else set()


def _find(asked: Resources, target: ArmTarget) -> Source:
    if asked.kind == "none":
        return Source(why_not="The scenario says resources: none.")
    if asked.kind == "pid":
        return _processes(f"process {asked.value}", [int(asked.value)])
    if asked.kind == "container":
        return _processes(f"container {asked.value}", [_main_process(asked.value)])
    if asked.kind == "prometheus":
        return _page(asked.value)
    if isinstance(target.destination, Command):
        return Source("its processes", StartedProcesses(target.destination.pids))
    if isinstance(target.destination, Code):
        raise _Unseen("It runs in the load generator, so its CPU time cannot be separated.")
    if target.pids:
        return _processes(", ".join(target.pids), list(target.pids.values()))
    roots = _listening(target)
    return _processes(", ".join(f"{_name(pid)} ({pid})" for pid in roots), roots)


def _processes(shown: str, pids: list[int]) -> Source:
    ours = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    if ours & set(pids):
        raise _Unseen(f"{shown}: this is the load generator; name another process.")
    try:
        tree = ProcessTree(pids)
        tree.read()
    except (psutil.Error, ProcessLookupError) as error:
        why = "this process does not exist, or cannot be read by this user."
        raise _Unseen(f"{shown}: {why}") from error
    return Source(shown, tree)


def _page(url: str) -> Source:
    try:
        page = MetricsPage(url)
        page.read()
    except (ValueError, NoMetrics) as error:
        raise _Unseen(f"{error}.") from error
    return Source(url, page)


def _listening(target: ArmTarget) -> list[int]:
    """Return who listens on a target's port on this machine; of forked servers, the first one."""
    origin = target.endpoint.origin
    if origin.socket or origin.proxy is not None:
        way = "by a socket file" if origin.socket else "through a proxy"
        raise _Unseen(f"it is reached {way}; write resources: {{pid: PID}} or {{container: NAME}}.")
    if not _is_loopback(origin.host):
        raise _Unseen(f"{origin.host} is another machine; write resources: {{prometheus: URL}}.")
    try:
        every = psutil.net_connections("tcp")
    except psutil.AccessDenied:  # macOS shows them to the administrator only
        every = []
    pids = {one.pid for one in every if one.pid is not None and _is_listening(one, origin.port)}
    if not pids:
        hint = "write resources: {pid: PID}"
        raise _Unseen(f"the process on port {origin.port} cannot be seen; {hint}.")
    roots = sorted({_first(pid, origin.port) for pid in pids})
    forwarders = [name for name in map(_name, roots) if name in _FORWARDERS]
    if forwarders:
        raise _Unseen(
            f"port {origin.port} is {forwarders[0]}'s, which only forwards calls; "
            "write resources: {container: NAME} or {pid: PID}."
        )
    return roots


def _first(pid: int, port: int) -> int:
    """Return the oldest ancestor that listens on the port, too, because servers fork workers."""
    try:
        parent = psutil.Process(pid).parent()
        while parent is not None and any(
            _is_listening(one, port) for one in parent.net_connections("tcp")
        ):
            pid, parent = parent.pid, parent.parent()
    except psutil.Error:
        return pid
    return pid


def _is_listening(connection: Any, port: int) -> bool:
    here = connection.laddr
    return bool(connection.status == psutil.CONN_LISTEN and here and here.port == port)


def _is_loopback(host: str) -> bool:
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


def _name(pid: int) -> str:
    try:
        return psutil.Process(pid).name()
    except psutil.Error:
        return "process"


def _main_process(container: str) -> int:
    engines = [path for engine in _ENGINES if (path := shutil.which(engine))]
    for engine in engines:
        argv = [engine, "container", "inspect", "--format", "{{.State.Pid}}", container]
        try:
            asked = subprocess.run(  # noqa: S603 -- the name is checked; there is no shell
                argv, capture_output=True, text=True, timeout=_INSPECT_S, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            continue
        pid = asked.stdout.strip()
        if asked.returncode == 0 and pid.isdecimal() and int(pid):
            return int(pid)
    lost = "cannot be found, because docker and podman are missing"
    raise _Unseen(f"container {container} {'is not running here' if engines else lost}.")
