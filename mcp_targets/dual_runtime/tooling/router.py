"""The router: runs each call once, on the runtime of its tool."""

import functools
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from typing import Any, Final

import anyio
import msgspec

from mcp_targets.dual_runtime.tooling.detection import Detector, Loop
from mcp_targets.dual_runtime.tooling.enforcement import perform
from mcp_targets.dual_runtime.tooling.limiter import PriorityLimiter
from mcp_targets.dual_runtime.tooling.registry import Tool, ToolRegistry
from mcp_targets.dual_runtime.tooling.runtimes import Executor, Here

_encode = msgspec.json.Encoder(order="sorted").encode
_KEPT: Final = 4096
"""How many of the last calls the percentiles cover."""
_SHARES: Final = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


class RuntimeStats:
    """Count the calls of one runtime; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls = 0
        self._errors = 0
        self._latencies_ms: deque[float] = deque(maxlen=_KEPT)

    def record(self, latency_s: float, *, failed: bool) -> None:
        with self._lock:
            self._calls += 1
            self._errors += failed
            self._latencies_ms.append(latency_s * 1000)

    def shown(self) -> dict[str, Any]:
        """Return the counts, and the nearest-rank percentiles in milliseconds."""
        with self._lock:
            times = sorted(self._latencies_ms)
            calls, errors = self._calls, self._errors
        last = len(times) - 1
        quantiles = {
            name: round(times[round(share * last)], 3) if times else None
            for name, share in _SHARES.items()
        }
        return {"calls": calls, "errors": errors, "latency_ms": quantiles}


class ResultCache:
    """Cache the last results by tool and arguments; `clock` returns seconds."""

    def __init__(self, clock: Callable[[], float], size: int = 1024) -> None:
        self._clock = clock
        self._size = size
        self._entries: OrderedDict[tuple[str, bytes], tuple[float, Any]] = OrderedDict()

    def get(self, tool: str, arguments: dict[str, Any]) -> Any | None:
        """Return a result that is still valid, or None."""
        key = (tool, _encode(arguments))
        until, result = self._entries.get(key, (0.0, None))
        if result is not None and self._clock() >= until:
            del self._entries[key]
            return None
        return result

    def put(self, tool: str, arguments: dict[str, Any], result: Any, ttl_s: float) -> None:
        """Keep a result; drop the oldest if there are too many."""
        key = (tool, _encode(arguments))
        self._entries[key] = (self._clock() + ttl_s, result)
        self._entries.move_to_end(key)
        if len(self._entries) > self._size:
            self._entries.popitem(last=False)


class RuntimeRouter:
    """Run tools by name, each on its runtime and according to its metadata."""

    def __init__(
        self,
        registry: ToolRegistry,
        executors: Mapping[Loop, Executor],
        *,
        slots: int = 0,
        cache: ResultCache | None = None,
        delay_s: float = 0.0,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """`cache` None keeps no results; `delay_s` is added to every call."""
        self.detector = Detector(registry)
        self._registry = registry
        self._executors = executors
        self._here = Here()
        self._limiter = PriorityLimiter(slots)
        self._cache = cache
        self._delay_s = delay_s
        self._clock = clock
        self._stats: dict[Loop, RuntimeStats] = {loop: RuntimeStats() for loop in executors}
        self._fallbacks = 0

    async def call(self, name: str, given: dict[str, Any]) -> dict[str, Any]:
        """Return the tool's result. Raises ToolFailure."""
        tool = self._registry.get(name)
        arguments = tool.check(given)
        ttl_s = tool.metadata.cache_ttl
        if self._cache is None or ttl_s is None:
            return await self._run(tool, arguments)
        known = self._cache.get(name, arguments)
        if known is None:
            known = await self._run(tool, arguments)
            self._cache.put(name, arguments, known, ttl_s)
        return dict(known)

    async def _run(self, tool: Tool, arguments: dict[str, Any]) -> dict[str, Any]:
        loop = self.detector.loop(tool.metadata.name, tool.function)
        if loop == "here":
            # The call that it forwards follows its own tool's metadata, and is counted.
            return dict(await tool.function(**arguments))
        async with self._limiter.slot(tool.metadata.priority):
            start = self._clock()
            failed = True
            try:
                if self._delay_s:
                    await anyio.sleep(self._delay_s)
                work = functools.partial(perform, tool, arguments)
                result: dict[str, Any] = await self._executor(loop).run(work)
                failed = False
            finally:
                self._stats[loop].record(self._clock() - start, failed=failed)
        return result

    def _executor(self, loop: Loop) -> Executor:
        """Return the loop's executor; if it is unavailable, the call runs here instead.

        A call that has begun is never run a second time, whatever happens to it.
        """
        executor = self._executors[loop]
        if executor.available:
            return executor
        self._fallbacks += 1
        return self._here

    def health(self) -> dict[str, Any]:
        return {
            "runtimes": {
                loop: {"available": self._executors[loop].available, **stats.shown()}
                for loop, stats in self._stats.items()
            },
            "fallbacks": self._fallbacks,
        }
