"""A session over a channel whose other end is a function: eras, ends, repetitions, timeouts."""

import itertools
import json
import threading

import pytest

from mcp_perf.client.errors import (
    CallTimeout,
    ConnectError,
    NegotiationError,
    ReadError,
    RefusedError,
    SendError,
    SessionGone,
)
from mcp_perf.client.mcp import channel_client
from mcp_perf.client.mcp.channel_client import SessionClient
from mcp_perf.client.mcp.lists import list_all
from mcp_perf.client.mcp.streamable_http import Call, Request
from mcp_perf.client.protocol.answers import Responder
from mcp_perf.client.protocol.identity import RequestIds
from mcp_perf.client.protocol.session_loss import FORGOT, RESTARTED
from mcp_perf.client.protocol.tools import Tool

MODERN, HANDSHAKE = "2026-07-28", "2025-11-25"
ECHO = Tool("echo", {"type": "object"})
SILENT = object()
PROGRESS = b'{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":%d}}'


class Peer:
    """The other end: it answers by method, and remembers everything. It is its own channel."""

    probes = True
    starting = "start process"
    timeout_s = start_timeout_s = 5.0

    def __init__(self, **answers):
        self.answers = {
            "initialize": {"result": {"protocolVersion": HANDSHAKE}},
            "tools/list": {"result": {"tools": [{"name": "echo", "inputSchema": {}}]}},
            "tools/call": {"result": {"content": []}},
            **answers,
        }
        self.sent = []
        self.opened = self.closed = 0
        self.refusals = []

    @property
    def methods(self):
        """Return the methods of what was sent."""
        return [message["method"] for message in self.sent]

    def open(self, receive, ended):
        """Count, and refuse as told."""
        self.opened += 1
        self.receive, self.ended = receive, ended
        if self.refusals:
            raise self.refusals.pop(0)

    def send(self, message, _timeout_s):
        """Take a message, and answer it at once."""
        self.sent.append(message := json.loads(message))
        if "method" not in message or "id" not in message:
            return
        answer = self.answers.get(message["method"], {"error": {"code": -32601}})
        if isinstance(answer, list):
            answer = answer.pop(0)
        if isinstance(answer, Exception):
            raise answer
        if callable(answer):
            answer = answer() or SILENT
        if answer is not SILENT:
            self.receive(json.dumps({"jsonrpc": "2.0", "id": message["id"], **answer}).encode())

    def close(self):
        """Count."""
        self.closed += 1

    def last_line(self):
        """Return what a server says when it starts."""
        return "downloading"

    def remarks(self):
        """Return nothing odd."""
        return []

    def pids(self):
        """Return a process."""
        return [7]


def modern(**answers):
    """Return a peer that speaks 2026-07-28."""
    discovered = {"result": {"supportedVersions": [MODERN], "resultType": "complete"}}
    return Peer(**{"server/discover": discovered, **answers})


def opened(peer, protocol="auto", **options):
    """Return a client with an open session."""
    client = SessionClient(peer, protocol, ids=RequestIds(itertools.count(1, 5000)), **options)
    client.negotiate()
    return client


def test_a_modern_server_is_discovered_and_called_with_the_envelope():
    """2026-07-28 needs one request to find out, and then none to open a session."""
    peer = modern()
    client = opened(peer)
    assert client.terms.version == MODERN
    assert client.call(Call(ECHO, {"m": "%b"})).outcome == "ok"
    assert client.call(Call(ECHO, None), {"m": 1}).outcome == "ok"
    assert peer.methods == ["server/discover", "tools/call", "tools/call"]
    assert [message["params"]["arguments"] for message in peer.sent[1:]] == [{"m": "%b"}, {"m": 1}]
    assert all(
        message["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] == MODERN
        for message in peer.sent
    )


def test_another_server_is_initialized_on_the_same_channel():
    """A server without server/discover is initialized without a second start."""
    peer = Peer()
    client = opened(peer)
    assert client.terms.version == HANDSHAKE
    assert peer.methods == ["server/discover", "initialize", "notifications/initialized"]
    assert peer.opened == 1
    client.call(Call(ECHO, {}))
    assert "_meta" not in peer.sent[-1]["params"]


def test_a_channel_of_the_old_era_is_not_probed():
    """HTTP+SSE exists only where `initialize` does."""
    peer = modern()
    peer.probes = False
    assert opened(peer).terms.version == HANDSHAKE
    assert peer.methods == ["initialize", "notifications/initialized"]


def test_a_server_that_never_answers_the_probe_is_initialized():
    """Some servers are silent before `initialize`; a pinned version is still an error."""
    peer = Peer(**{"server/discover": SILENT})
    peer.timeout_s = peer.start_timeout_s = 0.01
    assert opened(peer).terms.version == HANDSHAKE
    with pytest.raises(CallTimeout, match="the last line of its standard error: downloading"):
        opened(peer, MODERN)


def test_a_server_that_dies_of_the_probe_is_started_again_for_the_handshake():
    """That happens once, with a remark about what was odd."""
    peer = Peer(**{"server/discover": lambda: peer.ended("the server exited with status 1")})
    client = opened(peer)
    assert (client.terms.version, peer.opened) == (HANDSHAKE, 2)
    assert peer.methods == ["server/discover", "initialize", "notifications/initialized"]
    [remark] = client.terms.remarks
    assert "server/discover failed: the server exited with status 1" in remark


def test_a_server_that_starts_has_longer_than_a_call_and_says_how_far_it_is(monkeypatch):
    """Its first answer has the start timeout; meanwhile, its last line is reported."""
    monkeypatch.setattr(channel_client, "SIGN_S", 0.01)
    told = []
    peer = Peer(initialize=SILENT)
    peer.timeout_s, peer.start_timeout_s = 0.01, 5.0

    def waiting(text):
        told.append(text)
        number = peer.sent[-1]["id"]
        answer = {"jsonrpc": "2.0", "id": number, "result": {"protocolVersion": HANDSHAKE}}
        peer.receive(json.dumps(answer).encode())

    assert opened(peer, HANDSHAKE, waiting=waiting).terms.version == HANDSHAKE
    assert told == ["still starting, 0 s; its last line: downloading"]


@pytest.mark.parametrize(
    ("peer", "protocol", "says"),
    [
        (Peer(), MODERN, "does not speak MCP 2026-07-28: -32601"),
        (
            modern(),
            "2025-06-18",
            "asked for MCP 2025-06-18, the server answered with 2025-",
        ),
        (Peer(initialize={"result": {"protocolVersion": "1.0"}}), "auto", "'1.0', which"),
        (Peer(initialize={"error": {"code": 1, "message": "no"}}), "auto", "initialize failed"),
    ],
)
def test_a_session_that_does_not_come_about_is_an_error(peer, protocol, says):
    """The client speaks the version that was asked for, or none."""
    with pytest.raises(NegotiationError, match=says):
        opened(peer, protocol)


def test_a_known_version_is_not_negotiated_again():
    """A session that is opened again asks for the version that was found the first time."""
    peer = Peer()
    client = opened(peer)
    peer.ended("gone")
    client.ready()
    assert peer.methods[3:] == ["initialize", "notifications/initialized"]
    client.ready()
    assert len(peer.sent) == 5


def test_setting_up_is_told_and_the_start_is_timed_to_the_first_answer():
    """The start is one more request of the setup, once per start."""
    ticks = iter(range(10, 10_000, 10))
    seen = []
    client = opened(
        Peer(),
        observe=lambda method, reply: seen.append((method, reply)),
        clock=lambda: next(ticks),
    )
    assert [method for method, _ in seen] == ["start process", "server/discover", "initialize"]
    start, discover = seen[0][1], seen[1][1]
    assert (start.outcome, start.start_ns) == ("ok", 10)
    assert start.start_ns < discover.start_ns < discover.end_ns == start.end_ns
    client.channel.ended("gone")
    client.ready()
    assert [method for method, _ in seen[3:]] == ["start process", "initialize"]


def test_tools_are_listed_page_by_page():
    """The cursor of each page asks for the next."""
    pages = [
        {"result": {"tools": [{"name": "a", "inputSchema": {}}], "nextCursor": "x"}},
        {"result": {"tools": [{"name": "b", "inputSchema": {}}]}},
    ]
    peer = Peer(**{"tools/list": pages})
    assert list(opened(peer).list_tools()) == ["a", "b"]
    assert peer.sent[-1]["params"] == {"cursor": "x"}
    peer.answers["tools/list"] = {"error": {"code": 1, "message": "no"}}
    with pytest.raises(ReadError, match="tools/list failed: 1 no"):
        opened(peer).list_tools()


@pytest.mark.parametrize(
    ("page", "step_ns", "limit"),
    [
        ({"tools": []}, 0, "1000 pages"),
        ({"tools": [], "_meta": "x" * 2_000_000}, 0, "67108864 bytes"),
        ({"tools": []}, 10**9, "60 s"),
    ],
)
def test_a_list_that_never_ends_is_given_up_by_pages_bytes_or_time(page, step_ns, limit):
    """Each page has another cursor; the tools so far are used, and a remark names the limit."""
    numbers, ticks = itertools.count(), itertools.count(0, step_ns)
    client = opened(
        Peer(**{"tools/list": lambda: {"result": {**page, "nextCursor": f"c{next(numbers)}"}}}),
        clock=lambda: next(ticks),
    )
    assert client.list_tools() == {}
    said = f"tools/list does not end after {limit}"
    assert client.terms.remarks[-1] == f"{said}; the tools seen are used (0)"
    if not step_ns:
        reply = list_all(client, "tools/list", "tools", 1e6)
        assert (reply.outcome, reply.detail) == ("check_failed", said)


@pytest.mark.parametrize(
    ("answer", "outcome", "detail"),
    [
        ({"result": {"content": []}}, "ok", ""),
        (
            {"result": {"isError": True, "content": [{"type": "text", "text": "bad luck"}]}},
            "tool_error",
            "bad luck",
        ),
        ({"error": {"code": -32602, "message": "no"}}, "rpc_error", "-32602 no"),
        ({}, "rpc_error", "neither a result nor an error"),
        ({"result": {"resultType": "task"}}, "check_failed", "'task'"),
    ],
)
def test_a_call_is_judged_by_its_content(answer, outcome, detail):
    """The classes are the same as over any transport, although there is no HTTP status."""
    reply = opened(modern(**{"tools/call": answer})).call(Call(ECHO, {}))
    assert reply.outcome == outcome
    assert detail in reply.detail
    assert reply.bytes_in > 0 < reply.bytes_out
    assert reply.start_ns < reply.end_ns


def test_a_broken_answer_is_an_rpc_error_that_shows_it():
    """A cut answer ends its call without waiting for the timeout."""
    peer = modern()
    peer.answers["tools/call"] = lambda: peer.receive(b'{"jsonrpc":"2.0","id":2,"resu')
    reply = opened(peer).call(Call(ECHO, {}))
    assert (reply.outcome, reply.session_lost) == ("rpc_error", False)
    assert '"resu' in reply.detail


@pytest.mark.parametrize("bad", [b'"\xff"', b"1e999"])
def test_a_request_of_the_server_that_cannot_be_read_is_passed_over(bad):
    """A bad byte or number in it does not end anything, and gets no answer."""
    peer = modern()
    client = opened(peer)
    sent = len(peer.sent)
    peer.receive(b'{"jsonrpc":"2.0","id":7,"method":"ping","params":{"x":%b}}' % bad)
    assert len(peer.sent) == sent
    assert client.call(Call(ECHO, {})).outcome == "ok"


@pytest.mark.parametrize("bad", [b'"caf\xe9"', b"1e999"])
def test_a_handshake_that_cannot_be_read_is_no_session(bad):
    """The message shows what came."""
    result = b'{"protocolVersion":"2025-11-25","serverInfo":{"name":%b}}' % bad
    peer = Peer()
    peer.answers["initialize"] = lambda: peer.receive(
        b'{"jsonrpc":"2.0","id":1,"result":%b}' % result
    )
    with pytest.raises(NegotiationError, match=r"initialize .*cannot be read: .*serverInfo"):
        opened(peer, HANDSHAKE)


def test_a_timeout_shows_what_came_instead_and_cancels_the_call():
    """The server gets a notification, and its late answer does not end another call."""
    peer = modern()
    peer.answers["tools/call"] = [SILENT, lambda: peer.receive(b"oops"), {"result": {}}]
    client = opened(peer)
    peer.receive(b"ready")  # before the call, so not instead of its answer
    assert client.call(Call(ECHO, {}), timeout_s=0.01).detail == "no answer in time"
    reply = client.call(Call(ECHO, {}), timeout_s=0.01)
    assert reply.outcome == "timeout"
    assert reply.detail == "no answer in time; what came instead: oops"
    assert peer.methods[-1] == "notifications/cancelled"
    assert peer.sent[-1]["params"]["requestId"] == peer.sent[-2]["id"]
    assert client.call(Call(ECHO, {})).outcome == "ok"


def test_a_caller_that_is_stopped_cancels_its_call():
    """Whatever interrupts the caller, nothing is left waiting."""

    def stop():
        raise KeyboardInterrupt

    peer = modern(**{"tools/call": [stop, {"result": {}}]})
    client = opened(peer)
    with pytest.raises(KeyboardInterrupt):
        client.call(Call(ECHO, {}))
    assert peer.methods[-1] == "notifications/cancelled"
    assert client.call(Call(ECHO, {})).outcome == "ok"


def test_a_server_that_dies_in_a_call_is_started_again_by_the_next():
    """The call in flight is lost, never repeated; the next includes the start, and says so."""
    peer = modern()
    peer.answers["tools/call"] = [lambda: peer.ended("it died"), {"result": {}}, {"result": {}}]
    client = opened(peer)
    replies = [client.call(Call(ECHO, {})) for _ in range(3)]
    assert [(reply.outcome, reply.session_lost) for reply in replies] == [
        ("transport_error", False),
        ("ok", True),
        ("ok", False),
    ]
    assert replies[0].detail == "it died"
    assert peer.opened == 2
    assert peer.methods.count("tools/call") == 3


def test_a_server_that_cannot_be_started_again_costs_one_try_per_call():
    """Every call says why; the server gets its next chance at once, then after a pause."""
    peer = modern()
    client = opened(peer)
    peer.ended("gone")
    peer.refusals = [ConnectError("no such command"), ConnectError("no such command")]
    for tries in (2, 3):
        reply = client.call(Call(ECHO, {}))
        assert (reply.outcome, reply.detail) == ("transport_error", "no session: no such command")
        assert peer.opened == tries
    assert "no such command; the next attempt is in 0.2" in client.call(Call(ECHO, {})).detail
    assert peer.opened == 3
    client.openings.forget()
    assert client.call(Call(ECHO, {})).outcome == "ok"


def test_each_loss_is_told_as_what_it_was():
    """A server that once forgot a session may die, too."""
    peer = Peer(**{"tools/call": [SessionGone("HTTP 404"), *[{"result": {}}] * 3]})
    client = opened(peer)
    found = [client.call(Call(ECHO, {})).healed for _ in range(2)]
    peer.ended("it died")
    assert [*found, client.call(Call(ECHO, {})).healed] == [FORGOT, "", RESTARTED]


def test_a_server_that_keeps_dying_is_started_once_per_call():
    """A start that succeeds and a call that fails are one start."""
    peer = modern()
    peer.answers["tools/call"] = lambda: peer.ended("it died")
    client = opened(peer)
    for starts in (1, 2, 3):
        assert client.call(Call(ECHO, {})).outcome == "transport_error"
        assert peer.opened == starts


def test_a_session_that_the_server_forgot_is_opened_again_and_the_call_repeated_once():
    """The server did not act on it, so the call is made once; a second refusal ends it."""
    gone = SessionGone("HTTP 404: no session")
    peer = Peer(**{"tools/call": [gone, {"result": {}}, gone, gone]})
    client = opened(peer)
    first, second = (client.call(Call(ECHO, {})) for _ in range(2))
    assert (first.outcome, first.session_lost) == ("ok", True)
    assert (second.outcome, second.session_lost) == ("http_error", True)
    assert second.detail == "HTTP 404: no session"
    assert peer.opened == 3


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (SendError("broken"), "transport_error"),
        (RefusedError("HTTP 500: oops"), "http_error"),
        (CallTimeout("the server does not read"), "timeout"),
    ],
)
def test_what_cannot_be_sent_is_never_sent_again(error, outcome):
    """It may still have arrived."""
    peer = Peer(**{"tools/call": [error, {"result": {}}]})
    reply = opened(peer).call(Call(ECHO, {}))
    assert (reply.outcome, reply.detail) == (outcome, str(error))
    assert peer.methods.count("tools/call") == 1


ASKED = {"resultType": "input_required", "requestState": "s1"}
FORM = {"ask": {"method": "elicitation/create", "params": {"message": "Name?"}}}


def test_a_result_that_asks_for_input_is_answered_round_by_round():
    """The call is repeated under new ids with the answers and the server's own state."""
    rounds = [
        {"result": {**ASKED, "inputRequests": FORM}},
        {"result": {"resultType": "input_required", "requestState": "s2"}},
        {"result": {"content": []}},
    ]
    peer = modern(**{"tools/call": rounds})
    slept = []
    answers = Responder(elicitation={"content": {"name": "Ada"}})
    client = opened(peer, answers=answers, sleep=slept.append)
    reply = client.call(Call(ECHO, None), {"m": "%b"})
    assert (reply.outcome, reply.detail) == ("ok", "")
    asked, first, second, third = (message["params"] for message in peer.sent)
    assert asked["_meta"]["io.modelcontextprotocol/clientCapabilities"].keys() == {"elicitation"}
    assert "requestState" not in first
    responses = {"ask": {"action": "accept", "content": {"name": "Ada"}}}
    assert (second["requestState"], second["inputResponses"]) == ("s1", responses)
    assert (third["requestState"], "inputResponses" in third) == ("s2", False)
    assert [call["arguments"] for call in (first, second, third)] == [{"m": "%b"}] * 3
    assert len({message["id"] for message in peer.sent}) == 4
    assert slept == [0.05]
    assert reply.bytes_out > 3 * 100


def test_input_that_has_no_answer_fails_the_check():
    """The detail names what was asked for; nothing is sent again."""
    peer = modern(**{"tools/call": {"result": {**ASKED, "inputRequests": FORM}}})
    reply = opened(peer).call(Call(ECHO, {}))
    assert reply.outcome == "check_failed"
    assert "elicitation/create" in reply.detail
    assert peer.methods.count("tools/call") == 1


def test_a_request_of_the_server_is_answered_by_the_script_of_the_call():
    """A call's own answers win over the client's, and do not change what is declared."""
    peer = Peer()
    roots = Responder(roots=[{"uri": "file:///own"}])
    client = opened(peer, answers=Responder(roots=[{"uri": "file:///all"}]))
    assert peer.sent[1]["params"]["capabilities"] == {"roots": {}}

    def ask():
        peer.receive(b'{"jsonrpc":"2.0","id":"r","method":"roots/list"}')
        peer.receive(b'{"jsonrpc":"2.0","id":%d,"result":{}}' % peer.sent[-2]["id"])

    peer.answers["tools/call"] = ask
    assert client.call(Call(ECHO, {}, answers=roots)).outcome == "ok"
    assert peer.sent[-1]["result"] == {"roots": [{"uri": "file:///own"}]}
    assert client.call(Call(ECHO, {})).outcome == "ok"
    assert peer.sent[-1]["result"] == {"roots": [{"uri": "file:///all"}]}


def test_notifications_are_told_with_the_call_they_came_in():
    """The reply says how many came, and when the first did."""
    peer = modern()

    def progress():
        token = peer.sent[-1]["params"]["_meta"]["progressToken"]
        for _ in range(3):
            peer.receive(PROGRESS % token)
        peer.receive(b'{"jsonrpc":"2.0","id":%d,"result":{}}' % peer.sent[-1]["id"])

    peer.answers["tools/call"] = [progress, {"result": {}}]
    client = opened(peer)
    call = Call(ECHO, {}, progress=True)
    first, second = client.call(call), client.call(call)
    assert all(sent["params"]["_meta"]["progressToken"] == sent["id"] for sent in peer.sent[1:])
    assert first.heard.counts == {"notifications/progress": 3}
    assert first.detail.startswith("3 notifications, the first after ")
    assert (second.heard, second.detail) == (None, "")


def test_a_call_that_times_out_keeps_what_was_heard_of_it():
    """A server that reports once and then falls silent has reported."""
    peer = modern()
    peer.answers["tools/call"] = [lambda: peer.receive(PROGRESS % peer.sent[-1]["id"])]
    reply = opened(peer).call(Call(ECHO, {}, progress=True), timeout_s=0.01)
    assert reply.outcome == "timeout"
    assert reply.heard.counts == {"notifications/progress": 1}
    assert reply.heard.longest_silence_ns(reply.end_ns) == reply.end_ns - reply.heard.first_ns


def test_other_requests_than_calls_are_sent_with_their_params():
    """Constant params are part of the prepared request, others come with the call."""
    peer = modern(**{"resources/read": {"result": {"contents": []}}})
    client = opened(peer)
    assert client.call(Request("resources/read", {"uri": "a:b"})).outcome == "ok"
    assert client.call(Request("resources/read", None), {"uri": "c:d"}).outcome == "ok"
    assert [message["params"]["uri"] for message in peer.sent[1:]] == ["a:b", "c:d"]


def test_all_of_a_kind_is_listed_as_one_call():
    """The pages become one body, and one call in time and bytes."""
    pages = [
        {"result": {"prompts": [{"name": "a"}], "nextCursor": "x"}},
        {"result": {"prompts": [{"name": "b"}]}},
    ]
    client = opened(modern(**{"prompts/list": pages}))
    reply = list_all(client, "prompts/list", "prompts")
    assert reply.outcome == "ok"
    assert not client._encoded  # nothing is kept that no later list can use
    assert [prompt["name"] for prompt in reply.json()["result"]["prompts"]] == ["a", "b"]


def test_a_call_that_is_to_be_cancelled_is_cancelled_by_notification():
    """Then it is ok; a call that ends before that keeps its own end."""
    peer = modern(**{"tools/call": [SILENT, {"result": {}}, lambda: peer.ended("it died")]})
    client = opened(peer)
    first, stop = client.cancelled_call(Call(ECHO, {}), None, 0.01)
    assert (first.outcome, first.detail) == ("ok", "cancelled after 0.01 s")
    assert peer.methods[-1] == "notifications/cancelled"
    second, _ = client.cancelled_call(Call(ECHO, {}), None, 5.0)
    assert (second.outcome, second.detail) == ("ok", "")
    third, _ = client.cancelled_call(Call(ECHO, {}), None, 5.0)
    assert (third.outcome, stop) == ("transport_error", None)


def test_a_call_waits_until_the_session_that_another_opens_is_open():
    """Users of one process share its session: nobody calls before `initialize` is answered."""
    peer, others = Peer(), []
    client = SessionClient(peer, ids=RequestIds(itertools.count(1, 5000)))

    def call_meanwhile():
        other = threading.Thread(target=lambda: others.append(client.call(Call(ECHO, {}))))
        other.start()
        other.join(0.05)
        peer.receive(
            b'{"jsonrpc":"2.0","id":2,"result":{"protocolVersion":"2025-11-25"}}',
        )
        threads.append(other)

    threads = []
    peer.answers["initialize"] = call_meanwhile
    client.negotiate()
    threads[0].join(5)
    assert [reply.outcome for reply in others] == ["ok"]
    assert peer.methods[-1] == "tools/call"
    assert peer.opened == 1


def test_pings_are_answered_while_a_call_waits():
    """The server's request is answered on the same channel, between our call and its answer."""
    peer = Peer()

    def answer():
        peer.receive(b'{"jsonrpc":"2.0","id":3,"method":"ping"}')
        peer.receive(b'{"jsonrpc":"2.0","id":3,"result":{"content":[]}}')

    peer.answers["tools/call"] = answer
    assert opened(peer).call(Call(ECHO, {})).outcome == "ok"
    assert peer.sent[-1] == {"jsonrpc": "2.0", "id": 3, "result": {}}


def test_a_pause_is_the_sleep_of_the_moment(monkeypatch):
    """A client that kept the sleep from before gevent would hold up all other users."""
    waits = []
    monkeypatch.setattr("time.sleep", waits.append)
    opened(modern()).terms.sleep(0.2)
    assert waits == [0.2]


def test_closing_ends_the_channel_and_the_pids_are_the_channels():
    """The session itself has no processes."""
    client = opened(modern())
    assert client.pids() == [7]
    client.close()
    assert client.channel.closed == 1
