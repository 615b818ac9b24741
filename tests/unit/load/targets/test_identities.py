"""Who the users of a run are, settled before the run."""

import io
import json
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import gevent
import pytest

from mcp_perf.client.channels.stdio import Command
from mcp_perf.client.http.endpoint import Endpoint
from mcp_perf.client.http.rest import RestClient, encode_fields
from mcp_perf.load.hub.redaction import clean
from mcp_perf.load.prepare.identities import settle
from mcp_perf.load.prepare.provision import hide_secrets
from mcp_perf.load.targets.personal import NOBODY, CredentialStore, NoneLeft, Personal, Roster
from mcp_perf.load.targets.refusal import CONFIGURATION, UNREACHABLE, Refusal
from mcp_perf.scenario.loader import Loaded, load_text

FILE = """
name: many
title: Many people
identities: SOURCE
arms:
  api: {http: "http://127.0.0.1:1", headers: {X-Key: "k ${identity.code}", X-Same: same}}
  local: {mcp: {stdio: [server]}, env: {CODE: "${identity.code}", SAME: same}}
journeys: {ask: {api: [{get: /}], local: [{call: ask}]}}
"""
PROVISION = """
  provision:
    post: BASE/login?by=name
    headers: {X-Run: "${run}"}
    json: {name: "${identity.name}", at: "${identity.number}"}
    take: {code: "made.code"}
"""


class _Login(BaseHTTPRequestHandler):
    server: "Logins"

    def do_POST(self) -> None:
        said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, self.headers["X-Run"], said))
        status, body = self.server.answer(said)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Logins(ThreadingHTTPServer):
    """A server that makes identities."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Login)
        self.asked: list[tuple] = []
        self.answer: Callable[[dict], tuple[int, bytes]] = lambda said: (
            200,
            json.dumps({"made": {"code": f"code-of-{said['name']}"}}).encode(),
        )


@pytest.fixture
def logins() -> Iterator[Logins]:
    """Serve."""
    with Logins() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def loaded(tmp_path, logins) -> Callable[..., Loaded]:
    """Load the scenario with a file of people, or with logins for them."""
    (tmp_path / "codes.csv").write_text("name,code\nada,code-1\nbob,code-2\ncyn,code-3\n")
    (tmp_path / "names.csv").write_text("name\nada\nbob\ncyn\n")

    def load(source: str = "{csv: codes.csv}") -> Loaded:
        text = FILE.replace("SOURCE", source)
        text = text.replace("BASE", f"http://127.0.0.1:{logins.server_port}")
        return load_text(text, "many.yaml", tmp_path, environ={})

    return load


PROVISIONED = "\n  csv: names.csv" + PROVISION


def test_no_two_users_have_one_identity_on_however_many_nodes(loaded) -> None:
    """Each node deals out its share, in order; all shares together are all identities."""
    shares = [settle(loaded(), 2, "r", slice(node, None, 2)) for node in range(2)]
    assert [[one["code"] for one in share] for share in shares] == [
        ["code-1", "code-3"],
        ["code-2"],
    ]
    roster = Roster(shares[0])
    assert [roster.take()["code"] for _ in shares[0]] == ["code-1", "code-3"]


def test_a_user_too_many_gets_none_until_another_has_gone() -> None:
    """A user that leaves gives back its identity; no two users ever share one."""
    roster = Roster([{"number": 1}])
    one = roster.take()
    with pytest.raises(NoneLeft):
        roster.take()
    roster.give_back(one)
    assert roster.take() == one


def test_without_identities_everybody_is_nobody() -> None:
    """There are as many as there are users, and none has to be given back."""
    roster = Roster(None)
    assert roster.take() is roster.take() is NOBODY
    roster.give_back(NOBODY)
    assert roster.take() is NOBODY
    with pytest.raises(NoneLeft):
        Roster([]).take()  # of a node without a share


def test_all_rows_are_there_for_users_that_come_later(loaded) -> None:
    """The run begins with two users of three."""
    assert [one["code"] for one in settle(loaded(), 2, "r")] == ["code-1", "code-2", "code-3"]


def test_fewer_rows_than_users_are_refused(loaded) -> None:
    """The refusal says how many rows there are, and what to do."""
    with pytest.raises(
        Refusal, match="3 rows, but the run has 4 users: add rows, or run with -u 3"
    ) as it:
        settle(loaded(), 4, "r")
    assert it.value.exit_code == CONFIGURATION


def test_a_value_that_no_header_can_have_is_refused_unseen(loaded, tmp_path) -> None:
    """A line end in a token would smuggle in another header."""
    (tmp_path / "codes.csv").write_text('name,code\nada,fine-one\nbob,"secret\nline"\n')
    with pytest.raises(Refusal, match="arm api: headers of identity 2") as refusal:
        settle(loaded(), 1, "r")
    assert refusal.value.exit_code == CONFIGURATION
    assert "secret" not in str(refusal.value)


def test_an_identity_is_made_once_for_each_user(loaded, logins) -> None:
    """Requests are in the order of the rows, with the values of row, run and number."""
    made = settle(loaded(PROVISIONED), 2, "r1")
    assert made == [
        {"name": "ada", "number": 1, "code": "code-of-ada"},
        {"name": "bob", "number": 2, "code": "code-of-bob"},
    ]
    assert sorted(logins.asked, key=str) == [
        ("/login?by=name", "r1", {"name": "ada", "at": 1}),
        ("/login?by=name", "r1", {"name": "bob", "at": 2}),
    ]
    assert clean("it was code-of-ada.") == "it was [redacted]."


def test_what_a_request_brought_is_not_said_whatever_it_is_called() -> None:
    """The server chooses its name. Short words and a file's own columns are left alone."""
    identity = {"number": 1, "row": "only-a-name", "place": "brought-7a8b", "kind": "gold"}
    hide_secrets(identity, set(), ("place", "kind"))
    assert clean("brought-7a8b, gold, only-a-name") == "[redacted], gold, only-a-name"


def test_each_node_asks_for_its_own_share(loaded, logins) -> None:
    """Nothing is asked for twice, and no node learns what another was given."""
    scenario = loaded(PROVISIONED)
    shares = [settle(scenario, 2, "r", slice(node, None, 3)) for node in range(3)]
    assert [[one["code"] for one in share] for share in shares] == [
        ["code-of-ada"],
        ["code-of-bob"],
        [],
    ]
    assert len(logins.asked) == 2


@pytest.mark.parametrize(
    ("status", "body", "code", "said"),
    [
        (403, b'{"error": "no such user"}', CONFIGURATION, "HTTP 403: .*no such user"),
        (503, b"busy", UNREACHABLE, "HTTP 503: busy"),
        (200, b"<html>", CONFIGURATION, "the reply is not JSON"),
        (
            200,
            b'{"token": "s3cr3t-thing"}',
            CONFIGURATION,
            "take code: nothing .* reply has 'token'",
        ),
        (200, b'{"made": {"code": ""}}', CONFIGURATION, "take code: nothing at 'made.code'"),
    ],
)
def test_a_user_without_an_identity_is_refused_before_the_run(
    loaded, logins, capsys, status, body, code, said
) -> None:
    """A refused request is a mistake (104); a failing server counts as unreachable (108)."""
    logins.answer = lambda _said: (status, body)
    with pytest.raises(Refusal, match=said) as refusal:
        settle(loaded(PROVISIONED), 2, "r")
    assert refusal.value.exit_code == code
    assert "for number " in str(refusal.value)
    assert capsys.readouterr().err == ""
    assert "s3cr3t" not in str(refusal.value)


def test_an_address_without_a_server_is_refused(loaded) -> None:
    """It counts as a target that cannot be reached."""
    source = PROVISIONED.replace("BASE", "http://127.0.0.1:1")
    with pytest.raises(Refusal, match="refused") as refusal:
        settle(loaded(source), 1, "r")
    assert refusal.value.exit_code == UNREACHABLE


def test_a_users_headers_are_encoded_once_and_win(loaded) -> None:
    """A step's headers of the same name give way; all others stay."""
    scenario = loaded()
    shared = Endpoint.of("http://127.0.0.1:1", headers={"X-Same": "same"}, personal=["X-Key"])
    own = Personal(scenario.scenario.arms["api"], scenario).destination(shared, {"code": "c-1"})
    assert RestClient(own).own_fields == b"X-Key: k c-1\r\n"
    assert RestClient(shared).own_fields == b""
    step = encode_fields(shared, [("x-key", "of the step"), ("X-More", "more")])
    assert b"of the step" not in step
    assert step.endswith(b"X-More: more\r\nX-Same: same\r\n")
    assert own.fields([("x-key", "of the step")]).endswith(b"\r\nX-Same: same\r\nX-Key: k c-1\r\n")


def test_a_server_of_ones_own_is_started_with_ones_own_environment(loaded) -> None:
    """Variables that are the same for all users stay in it."""
    scenario = loaded()
    personal = Personal(scenario.scenario.arms["local"], scenario)
    own = personal.destination(Command(("server",), env={"SAME": "same"}), {"code": "c-1"})
    assert own.env == {"SAME": "same", "CODE": "c-1"}


def test_what_oauth_needs_and_is_not_installed_is_refused_and_not_printed(monkeypatch):
    """A thread's traceback would be on the terminal next to the hint what to install."""
    oauth = "{client_id: me, client_secret: '${env:S}', issuer: i}"
    auth = f"mcp: 'http://127.0.0.1:1', auth: {{oauth: {oauth}}}"
    text = f"name: a\nenv: [S]\narms: {{a: {{{auth}}}}}\njourneys: {{b: {{steps: [{{call: c}}]}}}}"
    loaded = load_text(text, "a.yaml", Path(), environ={"S": "mine"})
    monkeypatch.setitem(sys.modules, "mcp_perf.client.mcp.oauth", None)
    printed = io.StringIO()
    monkeypatch.setattr(gevent.get_hub(), "exception_stream", printed)
    with pytest.raises(Refusal, match=r"not installed: pip install 'mcp-perf\[oauth\]'"):
        CredentialStore(loaded.scenario.arms["a"], loaded, "http://127.0.0.1:1")
    gevent.sleep(0.01)
    assert printed.getvalue() == ""
