"""The event loop on gevent's hub: results, errors, cancellation, and greenlets that go on."""

import asyncio
import sys

import gevent
import pytest

from mcp_perf.client.channels.inprocess import Code, PythonClient
from mcp_perf.load.hub import bridge as bridge_module
from mcp_perf.load.hub.bridge import HubBridge, bridge


async def double(number):
    """Return twice a number, after a turn of the loop."""
    await asyncio.sleep(0)
    return 2 * number


async def fail():
    """Raise an error."""
    raise ValueError("no luck")


@pytest.fixture(scope="module")
def hub():
    """Return the bridge of this process, without leftovers of other tests."""
    yield bridge()
    # As long as its loop runs, asyncio allows no other in this thread.
    bridge_module._Bridges.bridge._running.kill()
    bridge_module._Bridges.bridge = None


def test_a_result_comes_back(hub):
    """A coroutine function is called with its arguments."""
    assert [hub.call(double, number) for number in range(3)] == [0, 2, 4]


def test_an_error_comes_back(hub):
    """An exception of the coroutine is raised in the caller."""
    with pytest.raises(ValueError, match="no luck"):
        hub.call(fail)


def test_calls_of_many_greenlets_are_in_flight_together(hub):
    """Each call waits for the others, so calls one after another would never end."""
    arrived, everybody = [], asyncio.Event()

    async def meet():
        arrived.append(1)
        if len(arrived) == 20:
            everybody.set()
        await everybody.wait()
        return len(arrived)

    greenlets = [gevent.spawn(hub.call, meet) for _ in range(20)]
    gevent.joinall(greenlets, timeout=10)
    assert [greenlet.value for greenlet in greenlets] == [20] * 20


def test_greenlets_go_on_while_the_loop_is_busy(hub):
    """A loop that always has something to do does not keep the hub for itself."""
    over = gevent.event.Event()

    async def busy():
        for _ in iter(over.is_set, True):
            await asyncio.sleep(0)

    caller = gevent.spawn(hub.call, busy)
    for _ in range(5):
        gevent.sleep(0)
    over.set()
    caller.join(10)
    assert caller.successful()


def test_a_greenlet_that_is_stopped_cancels_its_coroutine(hub):
    """Nothing goes on for a caller that is gone."""
    cancelled = gevent.event.Event()

    async def endless():
        try:
            await asyncio.sleep(3600)
        finally:
            cancelled.set()

    caller = gevent.spawn(hub.call, endless)
    hub.call(double, 1)
    caller.kill()
    assert cancelled.wait(10)


def test_a_coroutine_that_is_cancelled_ends_the_call(hub):
    """Its caller does not wait for ever."""

    async def cancel_myself():
        asyncio.current_task().cancel()
        await asyncio.sleep(3600)

    with pytest.raises(asyncio.CancelledError):
        hub.call(cancel_myself)


def test_a_coroutine_that_leaves_ends_its_call_alone(hub):
    """`sys.exit` is raised in its caller; the loop and the process go on."""

    async def leave():
        sys.exit(0)

    with pytest.raises(SystemExit):
        hub.call(leave)
    assert hub.call(double, 2) == 4


def test_a_plain_function_can_return_an_awaitable_but_not_start_a_loop(hub):
    """An awaitable is awaited on this loop; a loop is a tool_error that says so."""
    client = PythonClient(Code("shop", None), hub)
    hub.call(double, 1)  # the loop runs
    coroutine = double(3)
    refused = client.run(lambda: asyncio.run(coroutine), {})
    assert refused.outcome == "tool_error"
    assert "asyncio.run() cannot be called from a running event loop" in refused.detail
    returned = client.run(lambda: coroutine, {})
    assert (returned.outcome, returned.json()) == ("ok", 6)


def test_streams_and_timers_of_asyncio_work(hub):
    """Servers in this process may use both."""

    async def serve_and_ask():
        async def answer(reader, writer):
            writer.write(await reader.readline())
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.sleep(0.001)
            writer.write(b"hello\n")
            said = await reader.read()
            writer.close()
            return said

    assert hub.call(serve_and_ask) == b"hello\n"


def test_there_is_one_bridge_per_process(hub, monkeypatch):
    """A forked child does not use its parent's loop."""
    assert bridge() is hub
    monkeypatch.setattr(bridge_module._Bridges, "pid", -1)
    monkeypatch.setattr(bridge_module._Bridges, "bridge", hub)
    made = []
    monkeypatch.setattr(bridge_module, "HubBridge", lambda: made.append(HubBridge) or "new")
    assert bridge() == "new"
    assert bridge() == "new"
    assert made == [HubBridge]
