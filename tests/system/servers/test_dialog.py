"""Servers that talk back: they ask for input, report progress, close streams, stop work."""

import pytest

from mcp_perf.client.http.endpoint import Endpoint
from mcp_perf.client.mcp.lists import list_all
from mcp_perf.client.mcp.streamable_http import Call, HttpClient, Request
from mcp_perf.client.protocol.answers import Responder
from mcp_perf.client.protocol.requests import LIST_KEYS, LISTS

MODERN, HANDSHAKE = "2026-07-28", "2025-11-25"
SCRIPT = Responder(
    elicitation={"action": "accept", "content": {"name": "Ada"}},
    sampling={
        "role": "assistant",
        "content": {"type": "text", "text": "well"},
        "model": "parrot",
    },
    roots=[{"uri": "file:///srv/a", "name": "a"}, {"uri": "file:///srv/b"}],
)
pytestmark = pytest.mark.network


@pytest.fixture(scope="module")
def asking(start):
    """Start the server that talks back."""
    return start("asking_app.py")


@pytest.fixture
def connect():
    """Open sessions; all are closed with the test."""
    clients = []

    def opened(server, protocol: str, answers: Responder = SCRIPT, **options) -> HttpClient:
        clients.append(HttpClient(Endpoint.of(server.url), protocol, answers=answers, **options))
        clients[-1].negotiate()
        clients[-1].tools = clients[-1].list_tools()
        return clients[-1]

    yield opened
    for client in clients:
        client.close()


def text(reply) -> str:
    """Return a tool's text."""
    assert reply.outcome == "ok", reply.detail
    return reply.json()["result"]["content"][0]["text"]


@pytest.mark.parametrize("protocol", [MODERN, HANDSHAKE])
@pytest.mark.parametrize(
    ("tool", "says"),
    [
        ("meet", "hello Ada, 3"),
        ("quote", "parrot: well"),
        ("folders", "file:///srv/a, file:///srv/b"),
    ],
)
def test_a_tool_gets_the_input_it_asks_for(asking, connect, protocol, tool, says) -> None:
    """Elicitation, sampling and roots are answered by the script, in each era's way."""
    client = connect(asking, protocol)
    for _ in range(2):
        assert text(client.call(Call(client.tools[tool], {}))) == says


@pytest.mark.parametrize("protocol", [MODERN, HANDSHAKE])
def test_a_call_may_have_a_script_of_its_own(asking, connect, protocol) -> None:
    """The answers of a call take precedence over its client's."""
    client = connect(asking, protocol)
    grace = Responder(elicitation={"content": {"name": "Grace", "age": 9}})
    assert text(client.call(Call(client.tools["meet"], {}, answers=grace))) == "hello Grace, 9"


@pytest.mark.parametrize("protocol", [MODERN, HANDSHAKE])
def test_without_a_script_the_tool_gets_nothing(asking, connect, protocol) -> None:
    """The server refuses a client that declares nothing, and the call fails."""
    client = connect(asking, protocol, Responder())
    reply = client.call(Call(client.tools["meet"], {}))
    assert reply.outcome in ("rpc_error", "tool_error")


@pytest.mark.parametrize("protocol", [MODERN, HANDSHAKE])
def test_notifications_of_a_call_are_counted(asking, connect, protocol) -> None:
    """Progress and log messages come with the call, and the reply says how many."""
    client = connect(asking, protocol)
    reply = client.call(Call(client.tools["work"], {"steps": 3}, progress=True))
    assert text(reply) == "done"
    heard = reply.heard
    logged = {} if protocol == MODERN else {"notifications/message": 1}  # no log was requested
    assert heard.counts == {**logged, "notifications/progress": 3}
    assert reply.start_ns < heard.first_ns <= heard.last_ns <= reply.end_ns
    assert reply.detail.startswith(f"{3 + len(logged)} notifications, the first after ")
    assert client.call(Call(client.tools["cancelled"], {})).heard is None


@pytest.mark.parametrize("protocol", [MODERN, HANDSHAKE])
def test_a_cancelled_call_ends_at_the_server_too(asking, connect, protocol, until) -> None:
    """The server stops working on a call that is cancelled, and the next call works."""
    client = connect(asking, protocol)
    count = Call(client.tools["cancelled"], {})
    before = int(text(client.call(count)))
    reply, _ = client.cancelled_call(Call(client.tools["hang"], {}), None, 0.1)
    assert (reply.outcome, reply.body) == ("ok", b"")
    assert reply.end_ns - reply.start_ns >= 100_000_000
    until(lambda: int(text(client.call(count))) == before + 1, "never cancelled", 120)


def test_a_call_that_ends_before_it_is_cancelled_is_itself(asking, connect) -> None:
    """There is nothing to cancel, and the reply comes from the tool."""
    client = connect(asking, HANDSHAKE)
    reply, _ = client.cancelled_call(Call(client.tools["work"], {"steps": 1}), None, 5)
    assert text(reply) == "done"


def test_a_stream_that_the_server_closes_is_taken_up_again(asking, connect) -> None:
    """The missing answer is fetched from the point where the first stream ended."""
    client = connect(asking, HANDSHAKE)
    for _ in range(2):
        assert text(client.call(Call(client.tools["poll"], {}))) == "worth the wait"


@pytest.mark.parametrize("protocol", [MODERN, HANDSHAKE])
def test_every_method_is_spoken(asking, connect, protocol) -> None:
    """Resources, templates, prompts and completions work like tools."""
    client = connect(asking, protocol)

    def ask(method: str, **params) -> dict:
        reply = client.call(Request(method, params))
        assert reply.outcome == "ok", reply.detail
        return reply.json()["result"]

    assert ask("resources/read", uri="res://one")["contents"][0]["text"] == "the first"
    assert ask("resources/read", uri="res://named/é")["contents"][0]["text"] == "named é"
    got = ask("prompts/get", name="greeting", arguments={"name": "Ada"})
    assert got["messages"][0]["content"]["text"] == "Greet Ada"
    reference = {"type": "ref/prompt", "name": "greeting"}
    completed = ask("completion/complete", ref=reference, argument={"name": "name", "value": "A"})
    assert completed["completion"]["values"] == ["Ada", "Alan"]
    counts = {}
    for kind, method in LISTS.items():
        reply = list_all(client, method, LIST_KEYS[kind])
        assert reply.outcome == "ok", reply.detail
        counts[kind] = len(reply.json()["result"][LIST_KEYS[kind]])
    assert counts == {"tools": 7, "prompts": 1, "resources": 1, "templates": 1}


def test_a_ping_is_for_the_handshake_era(asking, connect) -> None:
    """It is answered in a session, and unknown without one."""
    assert connect(asking, HANDSHAKE).call(Request("ping", {})).outcome == "ok"
    assert connect(asking, MODERN).call(Request("ping", {})).outcome == "rpc_error"


# The reference server of the TypeScript SDK asks on the session's stream.


def test_the_reference_server_is_answered_on_the_sessions_stream(everything, connect) -> None:
    """A server that asks for the folders outside a call gets them."""
    client = connect(everything, "auto")
    assert "file:///srv/a" in text(client.call(Call(client.tools["get-roots-list"], {}), None, 5))


def test_the_reference_server_gets_a_form_and_words(everything, connect) -> None:
    """Its tools for elicitation and sampling end with the script's answers."""
    client = connect(everything, "auto")
    form = client.call(Call(client.tools["trigger-elicitation-request"], {}), None, 5)
    assert "Ada" in str(form.json()["result"])
    words = client.call(Call(client.tools["trigger-sampling-request"], {"prompt": "x"}), None, 5)
    assert "well" in text(words)


def test_the_reference_server_reports_progress(everything, connect) -> None:
    """Its progress may come on any stream, and is counted with the call."""
    client = connect(everything, "auto")
    tool = client.tools["trigger-long-running-operation"]
    reply = client.call(Call(tool, {"duration": 0.2, "steps": 4}, progress=True))
    assert "completed" in text(reply)
    # The last one may come after the answer, which takes another way.
    assert reply.heard.counts["notifications/progress"] >= 3


def test_the_reference_server_takes_the_methods_of_a_session(everything, connect) -> None:
    """Log level, subscription and ping are accepted."""
    client = connect(everything, "auto")
    uri = "demo://resource/dynamic/text/1"
    for method, params in (
        ("ping", {}),
        ("logging/setLevel", {"level": "warning"}),
        ("resources/subscribe", {"uri": uri}),
        ("resources/read", {"uri": uri}),
    ):
        reply = client.call(Request(method, params))
        assert reply.outcome == "ok", (method, reply.detail)
