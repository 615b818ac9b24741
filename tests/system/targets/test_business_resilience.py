"""The mechanisms that keep the business tools healthy, each tested in virtual time."""

import asyncio
import contextlib
import functools
import time

import httpx2
import pytest

from mcp_targets.business_tools.errors import Limited, Refused, ToolFailure, Unavailable
from mcp_targets.business_tools.resilience.breaker import Breaker
from mcp_targets.business_tools.resilience.cache import Answers, SingleFlight, key
from mcp_targets.business_tools.resilience.limits import RateLimit, RateLimiter
from mcp_targets.business_tools.resilience.pools import Pools
from mcp_targets.business_tools.resilience.retry import ONCE, RetryPolicy, retried
from tests.support.virtual_time import run


def down(*, sent=True):
    """Return the error of a failing provider."""
    return Unavailable("SHOP_UNAVAILABLE", "no answer", sent=sent, provider="shop")


class Provider:
    """Answer after a second, or fail; count the calls."""

    def __init__(self, *failures):
        self.failures = list(failures)
        self.calls = 0
        self.at = []

    async def __call__(self):
        self.calls += 1
        self.at.append(time.monotonic())
        await asyncio.sleep(1)
        if self.failures:
            raise self.failures.pop(0)
        return {"n": self.calls}


async def ask(breaker, provider):
    """Call through a breaker; return the failure's code, or "ok"."""
    try:
        async with breaker.call():
            await provider()
    except ToolFailure as failure:
        return failure.code
    return "ok"


def test_a_breaker_opens_after_five_failures_and_then_fails_at_once():
    """The provider gets no more calls, and no time passes."""

    async def main():
        breaker, provider = Breaker("shop", time.monotonic), Provider(*[down()] * 9)
        first = [await ask(breaker, provider) for _ in range(5)]
        began = time.monotonic()
        later = [await ask(breaker, provider) for _ in range(100)]
        assert first == ["SHOP_UNAVAILABLE"] * 5
        assert later == ["CIRCUIT_OPEN"] * 100
        assert (provider.calls, time.monotonic() - began) == (5, 0)
        assert (breaker.state, breaker.opened, breaker.refused) == ("open", 1, 100)

    run(main)


def test_one_probe_closes_a_half_open_breaker():
    """Of a hundred concurrent calls, one goes to the provider; the others fail at once."""

    async def main():
        breaker, provider = Breaker("shop", time.monotonic), Provider(*[down()] * 5)
        for _ in range(5):
            await ask(breaker, provider)
        await asyncio.sleep(60)
        assert breaker.state == "half-open"
        answers = await asyncio.gather(*(ask(breaker, provider) for _ in range(100)))
        assert answers == ["ok"] + ["CIRCUIT_OPEN"] * 99
        assert (provider.calls, breaker.state) == (6, "closed")

    run(main)


def test_a_probe_that_fails_opens_the_breaker_for_as_long_again():
    """The next probe comes a minute later."""

    async def main():
        breaker, provider = Breaker("shop", time.monotonic), Provider(*[down()] * 6)
        for _ in range(5):
            await ask(breaker, provider)
        await asyncio.sleep(60)
        assert await ask(breaker, provider) == "SHOP_UNAVAILABLE"
        await asyncio.sleep(59)
        assert await ask(breaker, provider) == "CIRCUIT_OPEN"
        await asyncio.sleep(1)
        assert await ask(breaker, provider) == "ok"

    run(main)


def test_a_cancelled_probe_leaves_the_breaker_half_open():
    """Then the next call is the probe."""

    async def main():
        breaker, provider = Breaker("shop", time.monotonic, failures=1), Provider(down())
        await ask(breaker, provider)
        await asyncio.sleep(60)
        probe = asyncio.create_task(ask(breaker, provider))
        await asyncio.sleep(0.5)
        probe.cancel()
        await asyncio.gather(probe, return_exceptions=True)
        assert breaker.state == "half-open"
        assert await ask(breaker, provider) == "ok"

    run(main)


def test_what_a_provider_refuses_opens_no_breaker():
    """The provider works; the caller is wrong."""

    async def main():
        refusals = [Refused("SHOP_REFUSED", "no such thing")] * 9
        breaker, provider = Breaker("shop", time.monotonic), Provider(*refusals)
        for _ in range(9):
            await ask(breaker, provider)
        assert breaker.state == "closed"

    run(main)


@pytest.mark.parametrize(
    ("failure", "idempotent", "calls"),
    [
        (down(), True, 3),
        (down(), False, 1),
        (down(sent=False), False, 3),
        (Refused("SHOP_REFUSED", "no"), True, 1),
        (Limited("PROVIDER_RATE_LIMITED", "slow down", 1.0), False, 3),
        (Limited("PROVIDER_RATE_LIMITED", "slow down", 30.0), False, 1),
        (Limited("RATE_LIMITED", "our own limit", 1.0), True, 1),
    ],
)
def test_only_what_is_safe_is_tried_again(failure, idempotent, calls):
    """There are three attempts if they cannot do the work twice."""

    async def main():
        provider = Provider(*[failure] * 9)
        with pytest.raises(type(failure)):
            await retried(provider, RetryPolicy(), idempotent=idempotent)
        assert provider.calls == calls

    run(main)


def test_pauses_between_attempts_double_and_vary():
    """They start at a tenth of a second, with as much jitter; a 429 is waited for."""

    async def main():
        provider = Provider(*[down()] * 3)
        policy = RetryPolicy(attempts=4)
        retries = []
        await retried(provider, policy, idempotent=True, on_retry=lambda: retries.append(1))
        pauses = [b - a - 1 for a, b in zip(provider.at, provider.at[1:], strict=False)]
        lows = (0.1, 0.2, 0.4)
        assert all(low <= pause <= low + 0.1 for low, pause in zip(lows, pauses, strict=True))
        assert len(retries) == 3
        limited = Provider(Limited("PROVIDER_RATE_LIMITED", "slow down", 1.5))
        await retried(limited, policy, idempotent=False)
        assert limited.at[1] - limited.at[0] >= 2.5

    run(main)


def test_without_retry_there_is_one_attempt():
    """With retry off, the first failure counts."""

    async def main():
        provider = Provider(down())
        with pytest.raises(Unavailable):
            await retried(provider, ONCE, idempotent=True)
        assert provider.calls == 1

    run(main)


def test_a_hundred_misses_at_once_are_one_call():
    """All get its answer; the next call finds it in the cache."""

    async def main():
        answers, provider = Answers(), Provider()
        found = await asyncio.gather(*(answers.get("k", 60, provider) for _ in range(100)))
        assert found == [({"n": 1}, False)] * 100
        assert await answers.get("k", 60, provider) == ({"n": 1}, True)
        assert (provider.calls, answers.misses, answers.hits, answers.shared) == (1, 100, 1, 99)
        await answers.close()

    run(main)


def test_an_answer_is_kept_for_its_time():
    """An hour for a search, not longer; failures are not cached."""

    async def main():
        answers, provider = Answers(), Provider()
        await answers.get("k", 3600, provider)
        await asyncio.sleep(3500)
        assert (await answers.get("k", 3600, provider))[1]
        await asyncio.sleep(101)
        assert not (await answers.get("k", 3600, provider))[1]
        failing = Provider(down())
        with pytest.raises(Unavailable):
            await answers.get("other", 3600, failing)
        assert await answers.get("other", 3600, failing) == ({"n": 2}, False)
        await answers.clear()
        assert await answers.ping()
        await answers.close()

    run(main)


def test_who_leaves_a_flight_does_not_end_it():
    """The other callers get their answer."""

    async def main():
        flights, provider = SingleFlight(), Provider()
        waiting = [asyncio.create_task(flights.run("k", provider)) for _ in range(3)]
        await asyncio.sleep(0.5)
        waiting[0].cancel()
        done = await asyncio.gather(*waiting, return_exceptions=True)
        assert isinstance(done[0], asyncio.CancelledError)
        assert done[1:] == [{"n": 1}] * 2

    run(main)


def test_keys_tell_tenants_and_questions_apart_and_nothing_else():
    """The order of arguments makes no difference."""
    one = key("shop", "find", {"a": 1, "b": 2})
    assert one == key("shop", "find", {"b": 2, "a": 1})
    others = {
        key("shop", "find", {"a": 1, "b": 3}),
        key("shop", "list", {"a": 1, "b": 2}),
        key("other", "find", {"a": 1, "b": 2}),
        key("shop", "find", {"a": 1, "b": 2}, "tenant"),
    }
    assert len(others | {one}) == 5


@pytest.mark.parametrize(("requests", "per_s"), [(60, 60), (100, 1), (100, 10)])
def test_the_admitted_rate_is_the_limit(requests, per_s):
    """Within 5 %, if there are three times as many calls; a refusal says when there is room."""

    async def main():
        limiter = RateLimiter("RATE_LIMITED")
        limits = [RateLimit(requests=requests, per_s=per_s)]
        admitted, waits = 0, []
        for _ in range(3 * 5 * requests):
            try:
                await limiter.admit("shop", limits)
                admitted += 1
            except Limited as limited:
                waits.append(limited.retry_after_s)
            await asyncio.sleep(per_s / requests / 3)
        assert admitted == pytest.approx(5 * requests, rel=0.05)
        assert limiter.refused == len(waits)
        assert 0 <= min(waits) <= max(waits) <= per_s
        await limiter.admit("another", limits)

    run(main)


def test_who_waits_as_told_is_admitted():
    """After `retry_after_s` and not before."""

    async def main():
        limiter = RateLimiter("RATE_LIMITED")
        limits = [RateLimit(requests=1, per_s=10)]
        await limiter.admit("shop", limits)
        await asyncio.sleep(4)
        with pytest.raises(Limited) as refused:
            await limiter.admit("shop", limits)
        assert refused.value.retry_after_s == pytest.approx(6, abs=0.1)
        await asyncio.sleep(refused.value.retry_after_s + 0.01)
        await limiter.admit("shop", limits)

    run(main)


def test_pools_count_what_they_do():
    """Requests, failures, and the most at once, for each provider."""

    async def main():
        async def answer(request):
            await asyncio.sleep(1)
            if request.url.path == "/down":
                raise httpx2.ConnectError("refused")
            return httpx2.Response(200, json={})

        pools = Pools(kept=True, transport=httpx2.MockTransport(answer))
        url = "http://shop.test/up"
        await asyncio.gather(*(pools.send("shop", "GET", url) for _ in range(5)))
        seen = pools.statistics["shop"]
        assert (seen.requests, seen.most_in_use, seen.in_use, seen.healthy) == (5, 5, 0, True)
        with pytest.raises(httpx2.ConnectError):
            await pools.send("shop", "GET", "http://shop.test/down")
        assert (seen.failed, seen.healthy) == (1, False)
        await pools.close()

    run(main)


def test_a_check_closes_connections_that_are_idle_or_failed():
    """After a minute or at once, but never in use; the next request opens new ones."""

    class Connections(httpx2.AsyncBaseTransport):
        open = 0

        async def __aenter__(self):
            return self

        async def handle_async_request(self, request):
            await asyncio.sleep(1)
            if request.url.path == "/down":
                raise httpx2.ReadError("cut")
            self.open = 1
            return httpx2.Response(200, json={})

        async def aclose(self):
            self.open = 0

    async def main():
        connections = Connections()
        pools = Pools(kept=True, transport=connections)
        ask = functools.partial(pools.send, "shop", "GET")
        seen = []
        for path, pause in (("up", 59), ("up", 61), ("up", 0), ("down", 0)):
            with contextlib.suppress(httpx2.ReadError):
                await ask(f"http://shop.test/{path}")
            await asyncio.sleep(pause)
            under_way = asyncio.create_task(ask("http://shop.test/up")) if path == "down" else None
            await asyncio.sleep(0.5 if under_way else 0)
            await pools.check()
            seen.append(connections.open)
            await asyncio.gather(*filter(None, [under_way]))
        assert (seen, pools.statistics["shop"].closed) == ([1, 0, 1, 1], 1)
        with contextlib.suppress(httpx2.ReadError):
            await ask("http://shop.test/down")
        await pools.check()
        assert (connections.open, pools.statistics["shop"].closed) == (0, 2)

    run(main)
