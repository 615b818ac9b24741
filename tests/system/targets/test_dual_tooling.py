"""What surrounds the dual-runtime system's tools: metadata, registry, routing, limits."""

import anyio
import pytest
import trio
import trio.testing

from mcp_targets.dual_runtime.errors import NotFound, TimedOut, ToolFailure, Transient
from mcp_targets.dual_runtime.tooling.detection import Detector
from mcp_targets.dual_runtime.tooling.enforcement import perform
from mcp_targets.dual_runtime.tooling.limiter import PriorityLimiter
from mcp_targets.dual_runtime.tooling.metadata import ToolMetadata, tool_metadata
from mcp_targets.dual_runtime.tooling.registry import ToolRegistry
from mcp_targets.dual_runtime.tooling.router import ResultCache, RuntimeRouter
from mcp_targets.dual_runtime.tooling.runtimes import Here


def in_virtual_time(main):
    """Run an async function on Trio with a clock that skips waits."""
    return trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


async def plain(text: str = "x"):
    """Say it again."""
    return {"text": text}


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"name": "Not A Name"}, "lower case words"),
        ({"runtime": "gevent"}, "runtime must be one of"),
        ({"priority": 11}, "priority must be from 0 to 10"),
        ({"timeout_seconds": 0}, "timeout_seconds must be above 0"),
        ({"cache_ttl": 0}, "cache_ttl must be above 0"),
        ({"retry_policy": "often"}, "retry_policy must be one of"),
        ({"requires_p2p": True, "runtime": "fastapi"}, "requires_p2p needs"),
        ({"deprecated": True}, "needs a deprecation_message"),
        ({"category": ""}, "category must not be empty"),
    ],
)
def test_metadata_that_make_no_sense_are_refused_where_they_are_written(fields, problem):
    """The message has the tool's name."""
    with pytest.raises(ValueError, match=problem):
        tool_metadata(**fields)(plain)


def test_name_and_description_come_from_the_function():
    """Unless the decorator says otherwise."""
    registry = ToolRegistry()

    @tool_metadata(category="x")
    async def shout(text: str, times: int = 2):
        """Say it loud.

        And more.
        """

    tool = registry.register(shout)
    assert (tool.metadata.name, tool.metadata.mcp_description) == ("shout", "Say it loud.")
    assert tool.schema["required"] == ["text"]
    assert tool.schema["additionalProperties"] is False


def test_registering_again_replaces_a_tool():
    """It is no longer found under its old metadata."""
    registry = ToolRegistry()
    registry.register(plain, ToolMetadata(name="t", category="old", runtime="trio"))
    registry.register(plain, ToolMetadata(name="t", category="new", runtime="fastapi", priority=1))
    assert len(list(registry)) == 1
    assert registry.find("category", "old") == registry.find("runtime", "trio") == []
    assert [tool.metadata.name for tool in registry.find("category", "new")] == ["t"]
    assert [tool.metadata.name for tool in registry.find("priority", 1)] == ["t"]
    assert registry.categories() == {"new": 1}
    with pytest.raises(NotFound):
        registry.get("other")


def in_module(name):
    """Return a function that seems to come from a module."""

    async def function():
        """Do nothing."""

    function.__module__ = name
    return function


@pytest.mark.parametrize(
    ("name", "function", "place"),
    [
        ("said", None, "trio"),  # the registry knows it
        ("p2p_said", None, "fastapi"),  # … and wins over the name
        ("needs", None, "trio"),  # requires_p2p has the same effect as trio
        ("x", tool_metadata(name="x", runtime="trio")(in_module("a")), "trio"),  # the decorator
        ("peer_x", tool_metadata(name="x", runtime="fastapi")(in_module("a.p2p")), "fastapi"),
        ("x", in_module("a.p2p.b"), "trio"),  # the module
        ("x", in_module("a.p2pish.b"), "fastapi"),  # a whole part of its path
        ("peer_x", in_module("a"), "trio"),  # the name
        ("speer_x", in_module("a"), "fastapi"),  # a whole word in it
        ("auto", in_module("a"), "fastapi"),  # auto says nothing
        ("x", None, "fastapi"),  # the default
    ],
)
def test_the_first_that_knows_decides_where_a_tool_runs(name, function, place):
    """Registry, decorator, module, name, default."""
    registry = ToolRegistry()
    registry.register(plain, ToolMetadata(name="said", runtime="trio"))
    registry.register(plain, ToolMetadata(name="p2p_said", runtime="fastapi"))
    registry.register(plain, ToolMetadata(name="needs", requires_p2p=True))
    registry.register(plain, ToolMetadata(name="auto"))
    assert Detector(registry).loop(name, function) == place


def test_what_was_said_explicitly_or_found_before_is_not_looked_for_again():
    """Unless it is set explicitly later."""
    registry = ToolRegistry()
    detector = Detector(registry)
    assert detector.loop("x") == "fastapi"
    registry.register(plain, ToolMetadata(name="x", runtime="trio"))
    assert detector.loop("x") == "fastapi"
    detector.register("x", "trio")
    assert detector.loop("x") == "trio"


class Failing:
    """A tool that counts its calls and fails in a given way, either first or always."""

    def __init__(self, error, times=100):
        self.calls = 0
        self._error = error
        self._times = times

    async def run(self):
        """Fail, or succeed after enough calls."""
        self.calls += 1
        if self.calls <= self._times:
            raise self._error
        return {"calls": self.calls}


def registered(function, **fields):
    """Return a registry with one tool, and the tool."""
    registry = ToolRegistry()
    return registry, registry.register(function, ToolMetadata(name="t", **fields))


BROKEN = Transient("X", "broken")


@pytest.mark.parametrize(
    ("policy", "error", "times", "calls", "pauses"),
    [
        ("none", BROKEN, 100, 1, []),  # a failing tool runs once
        ("fixed", BROKEN, 100, 3, [0.1, 0.1]),
        ("linear", BROKEN, 100, 3, [0.1, 0.2]),
        ("exponential", BROKEN, 100, 3, [0.1, 0.4]),
        ("fixed", BROKEN, 1, 2, [0.1]),  # the second attempt works
        ("fixed", ToolFailure("X", "no"), 100, 1, []),  # a refusal is final
        ("fixed", ZeroDivisionError(), 100, 1, []),  # so is a mistake in the code
    ],
)
def test_only_what_may_pass_is_tried_again_as_the_policy_says(policy, error, times, calls, pauses):
    """Without a policy, nothing is."""
    failing = Failing(error, times)
    _, tool = registered(failing.run, retry_policy=policy)
    slept = []

    async def sleep(seconds):
        slept.append(seconds)

    async def main():
        if times < 3:
            assert await perform(tool, {}, sleep) == {"calls": calls}
            return
        with pytest.raises(type(error)):
            await perform(tool, {}, sleep)

    in_virtual_time(main)
    assert (failing.calls, slept) == (calls, pauses)


def test_the_timeout_ends_a_tool():
    """The failure says so, and the tool's work is cancelled."""
    ended = []

    async def slow():
        try:
            await anyio.sleep(100)
        finally:
            ended.append(anyio.current_time())

    _, tool = registered(slow, timeout_seconds=2)

    async def main():
        began = anyio.current_time()
        with pytest.raises(TimedOut, match="t took longer than 2 s"):
            await perform(tool, {})
        assert ended == [began + 2]

    in_virtual_time(main)


def test_a_tool_that_is_no_coroutine_does_not_block_the_loop():
    """In this test it waits for something that only the loop can do."""

    async def main():
        seen = anyio.Event()
        going_on = trio.lowlevel.current_trio_token()
        import threading

        released = threading.Event()

        def blocking():
            going_on.run_sync_soon(seen.set)
            assert released.wait(10)
            return {"done": True}

        _, tool = registered(blocking)
        results = []

        async def call():
            results.append(await perform(tool, {}))

        async with anyio.create_task_group() as group:
            group.start_soon(call)
            await seen.wait()
            released.set()
        assert results == [{"done": True}]

    trio.run(main)


def test_of_the_calls_that_wait_the_highest_priority_goes_next():
    """Among equals, the first; a cancelled call does not lose a slot."""
    order = []

    async def main():
        limiter = PriorityLimiter(1)

        async def call(name, priority):
            async with limiter.slot(priority):
                order.append(name)

        async with anyio.create_task_group() as group, limiter.slot(0):
            with anyio.CancelScope() as given_up:
                group.start_soon(call, "low", 1)
                await trio.testing.wait_all_tasks_blocked()
                for name, priority in (("mid", 5), ("high", 9), ("mid2", 5)):
                    group.start_soon(call, name, priority)
                    await trio.testing.wait_all_tasks_blocked()
                with anyio.move_on_after(1):
                    await call("never", 10)
                given_up.cancel()
        await call("free again", 0)

    in_virtual_time(main)
    assert order == ["high", "mid", "mid2", "low", "free again"]


def test_no_limit_lets_everything_through():
    """0 slots mean no limit."""

    async def main():
        limiter = PriorityLimiter(0)
        async with limiter.slot(1), limiter.slot(1):
            return True

    assert in_virtual_time(main)


def test_a_cached_result_is_used_until_its_time_is_over():
    """By tool and arguments; the oldest is dropped if there are too many."""
    now = [0.0]
    cache = ResultCache(lambda: now[0], size=2)
    cache.put("t", {"a": 1, "b": 2}, {"r": 1}, 5)
    assert cache.get("t", {"b": 2, "a": 1}) == {"r": 1}
    assert cache.get("t", {"a": 1}) is None
    assert cache.get("u", {"a": 1, "b": 2}) is None
    now[0] = 5.0
    assert cache.get("t", {"a": 1, "b": 2}) is None
    for number in range(3):
        cache.put("t", {"n": number}, {"r": number}, 5)
    assert cache.get("t", {"n": 0}) is None
    assert cache.get("t", {"n": 2}) == {"r": 2}


class Gone(Here):
    """An executor that is unavailable."""

    available = False


class Breaking(Here):
    """An executor that breaks after the call was made."""

    async def run(self, work):
        """Run the work, and lose the result."""
        await work()
        raise RuntimeError("lost")


@pytest.mark.parametrize(("executor", "calls", "fallbacks"), [(Gone(), 1, 1), (Breaking(), 1, 0)])
def test_a_fallback_never_runs_a_tool_twice(executor, calls, fallbacks):
    """Another runtime is used only for a call that has not begun."""
    counted = Failing(None, 0)
    registry, _ = registered(counted.run, runtime="trio")
    router = RuntimeRouter(registry, {"trio": executor, "fastapi": Here()})

    async def main():
        if fallbacks:
            assert await router.call("t", {}) == {"calls": 1}
        else:
            with pytest.raises(RuntimeError):
                await router.call("t", {})

    in_virtual_time(main)
    assert counted.calls == calls
    assert router.health()["fallbacks"] == fallbacks


def test_the_router_counts_calls_errors_and_times_by_runtime():
    """With percentiles of the time taken."""
    registry = ToolRegistry()
    registry.register(Failing(BROKEN).run, ToolMetadata(name="bad", runtime="trio"))
    registry.register(plain, ToolMetadata(name="good", runtime="fastapi"))
    times = iter(range(100))
    router = RuntimeRouter(
        registry, {"trio": Here(), "fastapi": Here()}, clock=lambda: float(next(times))
    )

    async def main():
        for _ in range(3):
            await router.call("good", {})
        with pytest.raises(Transient):
            await router.call("bad", {})

    in_virtual_time(main)
    shown = router.health()["runtimes"]
    assert (shown["fastapi"]["calls"], shown["fastapi"]["errors"]) == (3, 0)
    assert (shown["trio"]["calls"], shown["trio"]["errors"]) == (1, 1)
    assert shown["fastapi"]["latency_ms"] == {"p50": 1000, "p95": 1000, "p99": 1000}


@pytest.mark.parametrize(("cached", "calls"), [(True, 1), (False, 2)])
def test_the_cache_is_used_where_it_is_switched_on(cached, calls):
    """For tools with a cache_ttl."""
    counted = Failing(None, 0)
    registry, _ = registered(counted.run, cache_ttl=5)
    cache = ResultCache(trio.current_time) if cached else None
    router = RuntimeRouter(registry, {"trio": Here(), "fastapi": Here()}, cache=cache)

    async def main():
        for _ in range(2):
            await router.call("t", {})

    in_virtual_time(main)
    assert counted.calls == calls


def test_arguments_are_checked_before_anything_runs():
    """All problems are reported at once."""
    registry, _ = registered(plain)
    router = RuntimeRouter(registry, {"trio": Here(), "fastapi": Here()})

    async def main():
        with pytest.raises(ToolFailure, match=r"text: .*string; other: .*not permitted"):
            await router.call("t", {"text": 1, "other": 2})

    in_virtual_time(main)
