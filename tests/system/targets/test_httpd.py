"""The HTTP server kit, over real sockets."""

import asyncio
import socket

import pytest
import uvloop

from mcp_targets.serving.httpd import Cut, Reply, Reset, Server, Slow, Stream


async def _nothing(_):
    return Reply(b"admin", content_type=b"text/plain")


def serve(handler, client, *, loop=asyncio.new_event_loop, **options):
    """Run `client(server, connect)` against a server with `handler`; return what it returns."""

    async def main():
        server = Server(handler, _nothing, **options)
        listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        await server.start(listener)

        writers = []

        async def connect():
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writers.append(writer)
            return reader, writer

        try:
            async with asyncio.timeout(10):
                return await client(server, connect)
        finally:
            for writer in writers:
                writer.close()
            await server.stop()

    with asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(main())


async def read_reply(reader):
    """Return the head and body of one reply, with a known length or chunked."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    if "transfer-encoding: chunked" not in head:
        length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
        return head, await reader.readexactly(length)
    body = b""
    while size := int(await reader.readline(), 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readexactly(2)
    return head, body


def get(path="/", headers=""):
    """Return a GET request."""
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n".encode()


def post(body):
    """Return a POST request."""
    return b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def test_a_connection_serves_request_after_request():
    """Keep-alive: two requests on one connection count as one connection and two requests."""

    async def client(server, connect):
        reader, writer = await connect()
        bodies = []
        for path in ("/a", "/b"):
            writer.write(get(path))
            bodies.append((await read_reply(reader))[1])
        return bodies, server.counters.connections, server.counters.requests

    assert serve(lambda request: Reply(request.path), client) == ([b"/a", b"/b"], 1, 2)


def test_pipelined_replies_keep_the_order_of_their_requests():
    """A slow first request holds back the replies to fast ones sent behind it."""
    arrived, release = asyncio.Event(), asyncio.Event()

    async def slow(request):
        arrived.set()
        await release.wait()
        return Reply(request.path)

    def answer(request):
        if request.path == b"/release":
            release.set()
        return slow(request) if request.path == b"/slow" else Reply(request.path)

    async def client(_, connect):
        reader, writer = await connect()
        writer.write(get("/slow") + get("/1") + get("/2"))
        await arrived.wait()
        other_reader, other = await connect()
        other.write(get("/release"))
        await read_reply(other_reader)
        return [(await read_reply(reader))[1] for _ in range(3)]

    assert serve(answer, client) == [b"/slow", b"/1", b"/2"]


def test_more_pipelined_requests_than_are_queued_are_all_answered():
    """Reading stops when too many requests wait, and goes on when they have been served."""

    async def handle(request):
        await asyncio.sleep(0)
        return Reply(request.path)

    async def client(_, connect):
        reader, writer = await connect()
        padding = f"X-Padding: {'x' * 4000}\r\n"
        writer.write(b"".join(get(f"/{number}", padding) for number in range(300)))
        return [(await read_reply(reader))[1] for _ in range(300)]

    assert serve(handle, client) == [b"/%d" % number for number in range(300)]


def test_a_stream_is_sent_chunk_by_chunk():
    """Each chunk is sent when it is made: the second waits until the first has been read."""
    read_first = asyncio.Event()

    async def chunks():
        yield b"one"
        await read_first.wait()
        yield b"two"

    async def client(_, connect):
        reader, writer = await connect()
        writer.write(get())
        await reader.readuntil(b"\r\n\r\n")
        first = await reader.readuntil(b"one\r\n")
        read_first.set()
        rest = await reader.readuntil(b"0\r\n\r\n")
        return first, rest

    result = serve(lambda _: Stream(chunks()), client)
    assert result == (b"3\r\none\r\n", b"3\r\ntwo\r\n0\r\n\r\n")


def test_a_stream_that_breaks_ends_the_connection_without_its_last_chunk(caplog):
    """A client must be able to distinguish a broken stream from a complete one."""

    async def chunks():
        yield b"one"
        raise RuntimeError("broken on purpose")

    async def client(_, connect):
        reader, writer = await connect()
        writer.write(get())
        return await reader.read()

    assert not serve(lambda _: Stream(chunks()), client).endswith(b"0\r\n\r\n")
    assert "broken on purpose" in caplog.text


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_handler_that_raises_costs_one_request(asynchronous, caplog):
    """The client gets a 500, the log gets the traceback, and the connection goes on."""

    def broken(_):
        raise RuntimeError("broken on purpose")

    async def broken_later(_):
        raise RuntimeError("broken on purpose")

    def handle(request):
        if request.path == b"/ok":
            return Reply(b"ok")
        return broken_later(request) if asynchronous else broken(request)

    async def client(_, connect):
        reader, writer = await connect()
        writer.write(get("/broken") + get("/ok"))
        return [(await read_reply(reader))[0][:12] for _ in range(2)]

    assert serve(handle, client) == ["HTTP/1.1 500", "HTTP/1.1 200"]
    assert "broken on purpose" in caplog.text


def test_a_client_that_leaves_cancels_its_handler():
    """Work that nobody waits for is cancelled, and no longer counts as in progress."""
    started, cancelled = asyncio.Event(), asyncio.Event()

    async def handle(_):
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    async def client(server, connect):
        _, writer = await connect()
        writer.write(get())
        await started.wait()
        assert server.counters.in_parallel == 1
        writer.close()
        await cancelled.wait()
        return server.counters.in_parallel

    assert serve(handle, client) == 0


def test_connection_close_is_honoured():
    """A client that asks for it gets its reply, and then the connection closes."""

    async def client(_, connect):
        reader, writer = await connect()
        writer.write(get(headers="Connection: close\r\n"))
        head, _ = await read_reply(reader)
        rest = await reader.read()
        return "connection: close" in head, rest

    assert serve(lambda _: Reply(b"bye"), client) == (True, b"")


def test_a_head_request_gets_the_length_but_no_body():
    """Otherwise the body would be taken for the next reply."""

    async def client(_, connect):
        reader, writer = await connect()
        writer.write(b"HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n" + get())
        head = await reader.readuntil(b"\r\n\r\n")
        second, body = await read_reply(reader)
        return b"content-length: 4" in head, second[:12], body

    assert serve(lambda _: Reply(b"body"), client) == (True, "HTTP/1.1 200", b"body")


def test_what_is_no_http_is_refused():
    """Garbage gets a 400, and the connection closes."""

    async def client(_, connect):
        reader, writer = await connect()
        writer.write(b"\x16\x03\x01garbage\r\n\r\n")
        return (await reader.read())[:12]

    assert serve(lambda _: Reply(), client) == b"HTTP/1.1 400"


def test_a_body_that_is_too_large_is_refused_and_the_connection_goes_on():
    """413 for the large one; the next request works as usual."""

    async def client(_, connect):
        reader, writer = await connect()
        writer.write(post(b"x" * 101) + post(b"x" * 100))
        return [(await read_reply(reader))[0][:12] for _ in range(2)]

    statuses = serve(lambda request: Reply(request.body), client, max_body=100)
    assert statuses == ["HTTP/1.1 413", "HTTP/1.1 200"]


def test_a_client_that_asks_before_sending_its_body_is_told_to_go_on():
    """The header is Expect: 100-continue."""

    async def client(_, connect):
        reader, writer = await connect()
        head = b"POST / HTTP/1.1\r\nHost: localhost\r\n"
        head += b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n"
        writer.write(head)
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"hi")
        return (await read_reply(reader))[1]

    assert serve(lambda request: Reply(request.body), client) == b"hi"


def test_repeated_headers_are_known():
    """The first value counts, and the repetition is visible to those who must refuse it."""
    seen = []

    def handle(request):
        seen.append((request.headers[b"x-a"], request.repeated))
        return Reply()

    async def client(_, connect):
        reader, writer = await connect()
        writer.write(get(headers="X-A: 1\r\nx-a: 2\r\n"))
        await read_reply(reader)

    serve(handle, client)
    assert seen == [(b"1", {b"x-a"})]


def test_white_space_around_a_header_is_no_part_of_it():
    """RFC 9110, section 5.5: neither before the value nor after it."""
    seen = []

    def handle(request):
        seen.append(request.headers[b"x-a"])
        return Reply()

    async def client(_, connect):
        reader, writer = await connect()
        writer.write(get(headers="X-A: \t one two \t \r\n"))
        await read_reply(reader)

    serve(handle, client)
    assert seen == [b"one two"]


def test_an_observer_does_not_change_what_it_observes():
    """Requests to /_… count neither as requests nor as connections."""

    async def client(server, connect):
        reader, writer = await connect()
        writer.write(get("/_counters"))
        body = (await read_reply(reader))[1]
        return body, server.counters.connections, server.counters.requests

    assert serve(lambda _: Reply(), client) == (b"admin", 0, 0)


def test_requests_in_parallel_are_counted():
    """Three requests on three connections; none is answered before all have arrived."""
    waiting = []
    everybody = asyncio.Event()

    async def handle(_):
        waiting.append(1)
        if len(waiting) == 3:
            everybody.set()
        await everybody.wait()
        return Reply()

    async def client(server, connect):
        streams = [await connect() for _ in range(3)]
        for _, writer in streams:
            writer.write(get())
        for reader, _ in streams:
            await read_reply(reader)
        return server.counters.max_in_parallel, server.counters.in_parallel

    assert serve(handle, client) == (3, 0)


def test_service_time_goes_by_the_timer():
    """`after_s` of a reply is handed to the precise timer, and the reply follows."""
    asked = []

    async def client(server, connect):
        original = server.timer.call_later

        def recording(delay_s, callback, *args):
            asked.append(delay_s)
            original(0.0, callback, *args)

        server.timer.call_later = recording
        reader, writer = await connect()
        writer.write(get() + get())
        return [(await read_reply(reader))[1] for _ in range(2)]

    assert serve(lambda _: Reply(b"x", after_s=1234.5), client) == [b"x", b"x"]
    assert asked == [1234.5, 1234.5]


def test_the_accept_delay_is_charged_once_per_connection():
    """Opening a connection costs time; using it again does not."""
    asked = []

    def delay():
        asked.append(1)
        return 0.0005

    async def client(_, connect):
        for _ in range(2):
            reader, writer = await connect()
            for _ in range(3):
                writer.write(get())
                await read_reply(reader)

    serve(lambda _: Reply(), client, accept_delay_s=delay)
    assert len(asked) == 2


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_new_connection_is_served_only_when_its_delay_is_over(loop):
    """Whatever has arrived by then waits, on every event loop."""
    delays = [1234.5, 0.0]
    due = []

    async def client(server, connect):
        server.timer.call_later = lambda _, action: due.append(action)
        first, second = await connect(), await connect()
        first[1].write(get("/slow"))
        second[1].write(get("/fast"))
        assert await read_reply(second[0])
        second[1].write(get("/again"))
        assert await read_reply(second[0])
        assert handled == [b"/fast", b"/again"]
        due.pop()()
        await read_reply(first[0])
        return handled

    handled = []

    def handler(request):
        handled.append(request.path)
        return Reply()

    assert serve(handler, client, loop=loop, accept_delay_s=lambda: delays.pop(0)) == [
        b"/fast",
        b"/again",
        b"/slow",
    ]


def test_a_reset_reaches_the_client_as_one():
    """Not as an orderly end of the connection."""

    async def client(_, connect):
        reader, writer = await connect()
        writer.write(get())
        with pytest.raises(ConnectionResetError):
            await reader.read()

    serve(lambda _: Reply(b"never seen", fault=Reset()), client)


def test_a_cut_reply_promises_more_than_it_sends():
    """The announced length is the whole body's; half of it arrives."""

    async def client(_, connect):
        reader, writer = await connect()
        writer.write(get())
        return (await reader.read()).partition(b"\r\n\r\n")

    head, _, body = serve(lambda _: Reply(b"0123456789", fault=Cut()), client)
    assert b"content-length: 10" in head
    assert body == b"01234"


@pytest.mark.parametrize("length", [0, 1, 25])
def test_a_slow_reply_arrives_whole_and_the_connection_goes_on(length):
    """Trickling changes the timing, not the bytes."""

    async def client(_, connect):
        reader, writer = await connect()
        writer.write(get("/slow") + get("/ok"))
        return [(await read_reply(reader))[1] for _ in range(2)]

    def handle(request):
        slow = Slow(over_s=0.005) if request.path == b"/slow" else None
        return Reply(b"x" * length, fault=slow)

    assert serve(handle, client) == [b"x" * length] * 2
