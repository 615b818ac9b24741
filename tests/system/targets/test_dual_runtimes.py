"""The three ways to run a call in the dual-runtime system, on real loops."""

import threading
from contextlib import asynccontextmanager

import anyio
import pytest
import trio

from mcp_targets.dual_runtime.tooling.crossing import Signal, current_loop, soon
from mcp_targets.dual_runtime.tooling.runtimes import Here, PerCall, Second


class Sessions:
    """Count the sessions that were opened and closed."""

    def __init__(self):
        self.opened = self.closed = 0

    @asynccontextmanager
    async def __call__(self):
        """Count one."""
        self.opened += 1
        yield
        self.closed += 1


def kind():
    """Name the kind of the current loop."""
    return "trio" if trio.lowlevel.in_trio_run() else "asyncio"


async def where():
    """Return the loop and the thread that this runs on."""
    return kind(), current_loop(), threading.get_ident()


async def broken():
    """Fail."""
    raise LookupError("broken")


@pytest.mark.parametrize("home", ["asyncio", "trio"])
@pytest.mark.parametrize("other", ["asyncio", "trio"])
def test_each_call_has_a_loop_of_its_own_when_bridged(home, other):
    """Of the requested kind, with a session that ends with it."""
    sessions = Sessions()

    async def main():
        bridge = PerCall(other, 2, sessions)
        own = current_loop()
        first, second = [await bridge.run(where) for _ in range(2)]
        assert first[0] == second[0] == other
        assert len({id(own), id(first[1]), id(second[1])}) == 3
        with pytest.raises(LookupError, match="broken"):
            await bridge.run(broken)

    anyio.run(main, backend=home)
    assert sessions.opened == 3
    assert sessions.closed == 2


@pytest.mark.parametrize(("home", "other"), [("asyncio", "trio"), ("trio", "asyncio")])
def test_the_second_runtime_is_one_loop_that_lasts(home, other):
    """In another thread, with one session for all calls."""
    sessions = Sessions()

    async def main():
        second = Second(other, sessions)
        assert not second.available
        with second:
            assert second.available
            places = [await second.run(where) for _ in range(2)]
            assert places[0] == places[1]
            assert places[0][0] == other
            assert places[0][2] != threading.get_ident()
            with pytest.raises(LookupError, match="broken"):
                await second.run(broken)
        assert not second.available

    anyio.run(main, backend=home)
    assert (sessions.opened, sessions.closed) == (1, 1)


@pytest.mark.parametrize(("home", "other"), [("asyncio", "trio"), ("trio", "asyncio")])
def test_a_call_to_the_second_runtime_ends_with_its_caller(home, other):
    """Cancelling crosses over."""
    ended = threading.Event()

    async def main():
        begun = Signal()

        async def forever():
            try:
                begun.set()
                await anyio.sleep_forever()
            finally:
                ended.set()

        with Second(other, Sessions()) as second:
            async with anyio.create_task_group() as group:
                group.start_soon(second.run, forever)
                await begun.wait()
                group.cancel_scope.cancel()
            assert ended.wait(10)

    anyio.run(main, backend=home)


@pytest.mark.parametrize("home", ["asyncio", "trio"])
def test_a_native_call_stays_where_it_is(home):
    """The same loop, the same thread."""

    async def main():
        assert await Here().run(where) == await where()

    anyio.run(main, backend=home)


@pytest.mark.parametrize("home", ["asyncio", "trio"])
def test_a_loop_that_has_ended_is_not_called(home):
    """Nobody waits there any more, and calling it does not raise."""

    async def get():
        return soon()

    called = []
    anyio.run(get, backend=home)(lambda: called.append(1))
    assert called == []


@pytest.mark.parametrize("home", ["asyncio", "trio"])
def test_a_signal_that_is_set_lets_everyone_through(home):
    """Including later waiters, until it is cleared."""
    signal = Signal()
    signal.set()
    anyio.run(signal.wait, backend=home)
    signal.clear()

    async def wait():
        with anyio.move_on_after(0):
            await signal.wait()
            return "through"
        return "waits"

    assert anyio.run(wait, backend=home) == "waits"
