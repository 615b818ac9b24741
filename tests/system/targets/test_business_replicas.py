"""The balancer in front of several replicas of the business tools, and their restarts."""

import argparse
import asyncio
import itertools
import json

import httpx2
import pytest

from mcp_targets.business_tools import options, replicas
from mcp_targets.business_tools.replicas import Balancer, Keeper, Replica
from mcp_targets.serving.httpd import Request, Stream
from tests.support.virtual_time import run


def asked(**headers):
    """Return a request with a body."""
    named = {name.replace("_", "-").encode(): value for name, value in headers.items()}
    return Request(
        b"POST",
        b"/mcp?a=1",
        b"/mcp",
        named,
        frozenset(),
        b"{}",
        False,
        True,
        set(),
    )


def balanced(handler, count=2):
    """Return a balancer and its replicas, which are simulated by a function."""
    members = [Replica(f"http://127.0.0.1:{9001 + number}") for number in range(count)]
    client = httpx2.AsyncClient(transport=httpx2.MockTransport(handler))
    return Balancer(members, client), members


def port(request):
    """Answer with the port of the replica."""
    return httpx2.Response(200, json={"port": request.url.port}, headers={"x-own": "1"})


def test_a_request_goes_to_the_replica_with_the_fewest_and_is_passed_on_as_it_is():
    """Path, query, body and headers go there; status, body and headers come back."""
    seen = []

    def handler(request):
        seen.append((str(request.url), request.content, request.headers.get("x-api-key")))
        return port(request)

    async def main():
        balancer, members = balanced(handler)
        members[0].in_flight = 1
        reply = await balancer.answer(asked(x_api_key=b"key", connection=b"close"))
        assert (reply.status, json.loads(reply.body)) == (200, {"port": 9002})
        assert reply.content_type == b"application/json"
        assert (b"x-own", b"1") in [(name.lower(), value) for name, value in reply.headers]
        assert seen == [("http://127.0.0.1:9002/mcp?a=1", b"{}", "key")]
        assert [one.in_flight for one in members] == [1, 0]

    run(main)


def test_what_was_never_sent_goes_to_another_replica_and_what_may_have_been_does_not():
    """A call must not be made twice; if there is no replica, the refusal comes at once."""

    def handler(request):
        if request.url.port == 9001:
            raise httpx2.ConnectError("refused")
        if request.url.port == 9003:
            raise httpx2.ReadError("closed")
        return port(request)

    async def main():
        balancer, members = balanced(handler, 3)
        members[2].in_flight = 9
        assert (await balancer.answer(asked())).status == 200
        members[1].url = ""
        reply = await balancer.answer(asked())
        assert (reply.status, json.loads(reply.body)["error"]["code"]) == (502, "REPLICA_FAILED")
        members[2].url = ""
        reply = await balancer.answer(asked())
        assert (reply.status, json.loads(reply.body)["error"]["code"]) == (503, "NO_REPLICA")
        assert (b"retry-after", b"1") in reply.headers

    run(main)


def test_a_session_stays_with_the_replica_that_opened_it():
    """As long as that replica takes requests; its stream is forwarded as it comes."""

    def handler(request):
        if request.method == "GET":
            return httpx2.Response(
                200, content=events(), headers={"content-type": "text/event-stream"}
            )
        return httpx2.Response(200, json=request.url.port, headers={"mcp-session-id": "s1"})

    async def main():
        balancer, members = balanced(handler)
        first = json.loads((await balancer.answer(asked())).body)
        members[0].in_flight = 5
        own = asked(mcp_session_id=b"s1")
        assert json.loads((await balancer.answer(own)).body) == first == 9001
        own.method = b"GET"
        stream = await balancer.answer(own)
        assert isinstance(stream, Stream)
        assert [chunk async for chunk in stream.chunks] == [b"data: 1\n\n"]
        members[0].url = ""
        own.method = b"POST"
        assert json.loads((await balancer.answer(own)).body) == 9002

    run(main)


async def events():
    """Yield the one event of a stream."""
    yield b"data: 1\n\n"


def test_servers_that_would_not_share_their_state_are_refused():
    """Each would start another simulator and database."""
    parser = argparse.ArgumentParser()
    options.add(parser)
    replicas.add(parser)
    given = ["--replicas", "2", "--restart.every", "20s"]
    assert parser.parse_args(given).restart_every == 20
    assert options.alone(parser.parse_args(given)) == "--upstream-ready and --database-ready"
    there = ["--live", "--mongodb", "mongodb://db"]
    assert options.alone(parser.parse_args([*given, *there])) == ""


class FakeChild:
    """A process that is ready at once."""

    started = itertools.count(9001)

    def __init__(self, *_):
        self.number = next(self.started)
        self.ended = False

    def port(self):
        """Return where it listens."""
        return self.number

    def dead(self):
        """Tell whether it has ended."""
        return self.ended

    def stop(self):
        """End."""
        self.ended = True


@pytest.fixture
def keeper(monkeypatch, tmp_path):
    """Return the keeper of two replicas with simulated processes."""
    monkeypatch.setattr(replicas, "Child", FakeChild)

    async def at_once(call):
        return call()

    monkeypatch.setattr(asyncio, "to_thread", at_once)
    return Keeper(2, [], tmp_path)


def test_a_replica_ends_what_it_has_before_it_is_restarted(keeper):
    """Meanwhile it takes no new requests."""

    async def main():
        one = keeper.replicas[0]
        await keeper.start(one)
        old, one.in_flight = one.child, 1
        restarting = asyncio.create_task(keeper.restart(one))
        await asyncio.sleep(5)
        assert (one.url, old.ended) == ("", False)
        one.in_flight = 0
        await restarting
        assert old.ended
        assert one.child is not old
        assert one.url == f"http://127.0.0.1:{one.child.number}"

    run(main)


def test_one_replica_after_the_other_is_restarted_and_one_that_died_at_once(keeper):
    """By the clock, and never two at once."""

    async def main():
        for one in keeper.replicas:
            await keeper.start(one)
        first = [one.child for one in keeper.replicas]
        keeping = asyncio.create_task(keeper.keep(20))
        await asyncio.sleep(19)
        assert [one.child for one in keeper.replicas] == first
        await asyncio.sleep(2)
        second = [one.child for one in keeper.replicas]
        assert (second[0] is first[0], second[1] is first[1]) == (False, True)
        await asyncio.sleep(20.5)
        third = [one.child for one in keeper.replicas]
        assert (third[0] is second[0], third[1] is second[1]) == (True, False)
        third[1].ended = True
        await asyncio.sleep(1)
        assert keeper.replicas[1].child is not third[1]
        keeping.cancel()

    run(main)
