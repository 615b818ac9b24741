"""The whole system: state, tools, router, and what runs in the background."""

import argparse
import contextlib
import functools
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import anyio
import msgspec

from mcp_targets.dual_runtime.groups.medical_research import MedicalResearchScraper
from mcp_targets.dual_runtime.groups.meta_tools import MetaTools
from mcp_targets.dual_runtime.groups.peer_tools import PeerTools
from mcp_targets.dual_runtime.groups.queue_tools import QueueTools
from mcp_targets.dual_runtime.groups.task_tools import TaskTools
from mcp_targets.dual_runtime.groups.test_runner import TestRunner
from mcp_targets.dual_runtime.groups.vector_index import IndexManager
from mcp_targets.dual_runtime.groups.workflow_tools import WorkflowTools
from mcp_targets.dual_runtime.network import Network
from mcp_targets.dual_runtime.p2p.peers.addresses import PublicAddress, Seen
from mcp_targets.dual_runtime.p2p.peers.bootstrap import Bootstrap, Method
from mcp_targets.dual_runtime.p2p.peers.discovery import Cached, Discovery, IssuesRegistry
from mcp_targets.dual_runtime.p2p.peers.monitoring import Monitor
from mcp_targets.dual_runtime.p2p.peers.peers import PeerBook, RegistryFile
from mcp_targets.dual_runtime.p2p.queue.task_queue import TaskQueue
from mcp_targets.dual_runtime.p2p.queue.task_runner import TaskRunner
from mcp_targets.dual_runtime.p2p.workflows.workflow_engine import WorkflowEngine
from mcp_targets.dual_runtime.p2p.workflows.workflows import Workflow, Workflows
from mcp_targets.dual_runtime.settings import UPSTREAMS, Settings, from_arguments
from mcp_targets.dual_runtime.tooling.detection import Loop
from mcp_targets.dual_runtime.tooling.registry import ToolRegistry
from mcp_targets.dual_runtime.tooling.router import ResultCache, RuntimeRouter
from mcp_targets.dual_runtime.tooling.runtimes import Executor, Here, PerCall, Second
from mcp_targets.serving import processes

LOCAL_SLOTS: Final = 256
"""The slots of the worker that every process starts with."""
_REPOSITORY: Final = "p2p/registry"
_IP_SERVICES: Final = ("first", "second", "third", "fourth", "fifth")


class DualRuntime:
    """The tools and the state of one process."""

    def __init__(
        self, settings: Settings, addresses: Mapping[str, str], root: Path, folder: Path
    ) -> None:
        """`root` is where tests may be run; `folder` is where indexes and peers are kept."""
        self.settings = settings
        self.network = Network(addresses, pool=settings.pool, fanout=settings.fanout)
        self.monitor = Monitor()
        self.queue = TaskQueue(time.time, _new_id)
        self.queue.register("local", (), LOCAL_SLOTS)
        self.workflows = Workflows(time.monotonic, _new_id)
        self.workflows.on_end = self._count
        self.registry = ToolRegistry()
        self._executors = _executors(settings, self.network)
        self.router = RuntimeRouter(
            self.registry,
            self._executors,
            slots=settings.slots,
            cache=ResultCache(time.monotonic) if settings.cache == "on" else None,
            delay_s=settings.delay_s,
        )
        self.router.detector.register("tools_dispatch", "here")
        for group in (
            TaskTools(self.queue),
            QueueTools(self.queue),
            WorkflowTools(self.workflows),
            _peer_tools(self.network, self.monitor, folder / "peers.json"),
            TestRunner(root),
            IndexManager(folder),
            MedicalResearchScraper(self.network),
            MetaTools(self.registry, self.router),
        ):
            self.registry.register_all(group)

    async def call(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Return what a tool returns. Raises ToolFailure."""
        return await self.router.call(name, arguments)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Serve calls: run connections, the second runtime, and tasks and workflows."""
        async with self.network.session(), anyio.create_task_group() as group:
            with contextlib.ExitStack() as stack:
                for executor in self._executors.values():
                    if isinstance(executor, Second):
                        stack.enter_context(executor)
                group.start_soon(TaskRunner(self.queue).run, group)
                group.start_soon(WorkflowEngine(self.workflows).run, group)
                yield
            group.cancel_scope.cancel()

    def _count(self, workflow: Workflow) -> None:
        if workflow.state != "cancelled":
            self.monitor.count("workflow", failed=workflow.state == "failed")


@contextlib.contextmanager
def started(options: argparse.Namespace) -> Iterator[DualRuntime]:
    """Give the system that the options describe; start its upstreams if needed."""
    ready_file: Path | None = getattr(options, "ready_file", None)
    with (
        processes.upstream(UPSTREAMS, options.upstream_ready) as addresses,
        # In the launcher's folder, which it removes: this process may be killed at any moment.
        tempfile.TemporaryDirectory(
            prefix="mcp-perf-", dir=None if ready_file is None else ready_file.parent
        ) as folder,
    ):
        # Not the current folder: it may hold anybody's files, and tests are programs.
        tested = options.root or Path(folder, "tests")
        tested.mkdir(exist_ok=True)
        yield DualRuntime(from_arguments(options), addresses, tested, Path(folder))


def _executors(settings: Settings, network: Network) -> dict[Loop, Executor]:
    if settings.bridge == "per_call":
        bridged = PerCall(settings.runtime, settings.slots, network.session)
        return {"trio": bridged, "fastapi": Here()}
    if settings.runtime == "asyncio":
        return {"trio": Here(), "fastapi": Here()}
    return {"trio": Here(), "fastapi": Second("asyncio", network.session)}


def _peer_tools(network: Network, monitor: Monitor, file: Path) -> PeerTools:
    book = PeerBook(time.time)
    registry = RegistryFile(file)
    sources = (IssuesRegistry(network, _REPOSITORY), registry, Cached(book))
    discovery = Discovery(sources, book, time.time, monitor, network.fanout)

    async def seeds() -> list[str]:
        named: list[str] = (await network.ask("p2p_network", "/seeds"))["nodes"]
        return named

    async def known() -> list[str]:
        return [peer.peer_id for peer in await registry.peers()]

    async def fixed() -> list[str]:
        return ["seed-a"]

    methods = (Method("seeds", 1, seeds), Method("file", 2, known), Method("fixed", 3, fixed))

    async def connect(node: str) -> None:
        await network.ask("p2p_network", f"/nodes/{node}/hello")

    async def ask(service: str) -> Seen:
        return msgspec.convert(await network.ask("public_ip", f"/{service}"), Seen)

    services = {name: functools.partial(ask, name) for name in _IP_SERVICES}
    address = PublicAddress(services, Seen("127.0.0.1", 0), time.monotonic, network.fanout)
    bootstrap = Bootstrap(methods, connect, monitor, network.fanout)
    return PeerTools(network, book, discovery, registry, bootstrap, address)


def _new_id() -> str:
    return uuid.uuid4().hex
