"""The precise timer."""

import asyncio
import sys

import pytest

from mcp_targets.serving.httpd import Timer


def test_callbacks_come_in_the_order_of_their_deadlines():
    """In any order of the requests; equal ones are first come, first served."""
    order = []

    async def main():
        timer = Timer()
        timer.call_later(0.003, order.append, "third")
        timer.call_later(0.001, order.append, "first")
        timer.call_later(0.002, order.append, "second")
        await timer.sleep(0.004)
        timer.close()

    asyncio.run(main())
    assert order == ["first", "second", "third"]


def test_a_callback_may_ask_for_another():
    """Even while the timer is firing."""
    order = []

    async def main():
        timer = Timer()
        done = asyncio.Event()

        def again():
            order.append("again")
            if len(order) == 3:
                done.set()
            else:
                timer.call_later(0.0, again)

        timer.call_later(0.0, again)
        async with asyncio.timeout(5):
            await done.wait()
        timer.close()

    asyncio.run(main())
    assert order == ["again"] * 3


@pytest.mark.skipif(sys.platform != "linux", reason="timerfd is Linux's")
def test_linux_gets_the_precise_clock():
    """Without it the timer would still work, to a millisecond, and nobody would notice."""

    async def main():
        timer = Timer()
        precise = timer._fd >= 0
        timer.close()
        return precise

    assert asyncio.run(main())
