"""The relay over HTTP, between sockets of this process: every byte goes through."""

import asyncio
import contextlib
import random

import pytest

from mcp_perf.agent.recording.http_relay import HttpRelay, Upstream
from mcp_perf.agent.recording.http_watch import HttpSessions
from mcp_perf.agent.recording.sessions import SeenSession
from mcp_perf.scenario.problems.wording import InputError
from tests.unit.agent.recording.test_http_watch import chunked, event, request, response, result

ANY_BYTES = random.Random(1).randbytes(300_000)


class Between:
    """A server that sends what the test wants, an agent, and the relay between them."""

    def __init__(self, upstream="http://127.0.0.1:{port}/mcp"):
        self.calls, self.said, self._writers = [], [], []
        self.told = asyncio.Event()
        self._upstream = upstream

    def run(self, act):
        """Run a test's coroutine."""
        asyncio.run(asyncio.wait_for(self._run(act), 20))

    async def _run(self, act):
        self.served = asyncio.Queue()
        server = await asyncio.start_server(lambda *ends: self.served.put_nowait(ends), "127.0.0.1")
        port = server.sockets[0].getsockname()[1]
        sessions = HttpSessions(lambda t: SeenSession("s", t, self._tell, True, 0))
        where = Upstream.of(self._upstream.format(port=port))
        self.relay = HttpRelay(where, sessions, self.said.append)
        listening = await self.relay.start(0)
        self.port = listening.sockets[0].getsockname()[1]
        with contextlib.closing(server), contextlib.closing(listening):
            await act(self)
        self.relay.stop()
        for writer in self._writers:
            writer.close()
        await asyncio.gather(*(w.wait_closed() for w in self._writers), return_exceptions=True)

    def _tell(self, call):
        self.calls.append(call)
        self.told.set()

    async def connect(self):
        """Return both ends of a connection: the agent's and the server's."""
        agent = await asyncio.open_connection("127.0.0.1", self.port)
        server = await self.served.get()
        self._writers += [agent[1], server[1]]
        return agent, server


@pytest.mark.parametrize(
    ("up", "down"),
    [
        (request(1), response(result(1))),
        (request(1) + request(2), chunked(event(result(1))) + response(b"no", "404 Not Found")),
        (request(1, path="/x") + b"{broken", b"HTTP/1.1 200\r\n\r\n" + ANY_BYTES),
        (ANY_BYTES, ANY_BYTES[::-1]),
        (b"", b"\x00"),
    ],
)
def test_every_byte_goes_on_as_it_came_in_both_directions(up, down):
    """The bytes may be anything, and one side may go on when the other has sent its last one."""

    async def act(between):
        (from_relay, to_relay), (at_server, from_server) = await between.connect()

        async def say(writer, data):
            for at in range(0, len(data), 7001):
                writer.write(data[at : at + 7001])
                await writer.drain()
            writer.write_eof()

        told = await asyncio.gather(
            say(to_relay, up), say(from_server, down), at_server.read(), from_relay.read()
        )
        assert told[2:] == [up, down]

    Between().run(act)


def test_a_connection_that_breaks_breaks_on_both_sides():
    """The call under way ends with the connection."""

    async def act(between):
        (from_relay, to_relay), (at_server, from_server) = await between.connect()
        to_relay.write(request(1))
        await at_server.readuntil(b"}}")
        from_server.transport.abort()
        with contextlib.suppress(ConnectionError):
            assert await from_relay.read() == b""
        to_relay.transport.abort()
        await between.told.wait()
        assert between.calls[0].outcome == "transport_error"

    Between().run(act)


def test_a_server_that_is_not_there_is_told_once():
    """The agent's connection is closed; without the relay it would have been refused."""

    async def act(between):
        for _ in range(2):
            reader, writer = await asyncio.open_connection("127.0.0.1", between.port)
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
            writer.close()
        assert [said.split(":")[0] for said in between.said] == ["127.0.0.1"]

    Between("http://127.0.0.1:1/mcp").run(act)


def test_a_stopped_relay_breaks_off():
    """The call under way is reported when the session ends."""

    async def act(between):
        (from_relay, to_relay), (at_server, _) = await between.connect()
        to_relay.write(request(1))
        await at_server.readuntil(b"}}")
        between.relay.stop()
        with contextlib.suppress(ConnectionError):
            assert await from_relay.read() == b""

    Between().run(act)


def test_a_server_elsewhere_is_called_by_its_name(monkeypatch):
    """Only the value of Host differs, even if a head comes in pieces."""
    monkeypatch.setattr(Upstream, "is_here", False)
    said = request(1).replace(b"Host: x", b"host:  127.0.0.1:9\r\nX-Host: 127.0.0.1:9")

    async def act(between):
        (_, to_relay), (at_server, from_server) = await between.connect()
        port = between.relay.upstream.port
        for whole in (said, said):
            for part in (whole[:30], whole[30:200], whole[200:]):
                to_relay.write(part)
                await asyncio.sleep(0.01)
            wanted = said.replace(b"host:  127.0.0.1:9", b"host:  localhost:%d" % port)
            assert await at_server.readexactly(len(wanted)) == wanted
            from_server.write(response(result(1)))

    Between("http://localhost:{port}/mcp").run(act)


@pytest.mark.parametrize(
    "url", ["ftp://x/", "http://", "x", "http://a:b@c/", "http://[", "http://a:x"]
)
def test_what_is_no_address_is_refused(url):
    """The message has an example."""
    with pytest.raises(InputError, match="is not the address of a server"):
        Upstream.of(url)


def test_the_agent_gets_the_same_path():
    """The scheme is plain HTTP, and the host is this machine."""
    where = Upstream.of("https://a.example/x/mcp?k=v")
    assert (where.port, where.tls, where.is_here) == (443, True, False)
    assert where.at(5) == "http://127.0.0.1:5/x/mcp?k=v"
