"""Authorization: who gets a token, when, and how often."""

import json
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from mcp.client.auth import OAuthFlowError

from mcp_perf.client.errors import NegotiationError
from mcp_perf.client.http.endpoint import Endpoint
from mcp_perf.client.mcp.oauth import Exchanges, OAuthCredentials, Registration
from mcp_perf.client.mcp.streamable_http import Call, HttpClient
from mcp_perf.client.protocol.tools import Tool

ECHO = Tool("echo", {"type": "object"})
ME = Registration(client_id="me", client_secret="s3cret/+", scopes=("read",))


class Guarded(ThreadingHTTPServer):
    """An MCP server of 2026-07-28 and its authorization server, on one port."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.base = f"http://127.0.0.1:{self.server_port}"
        self.url = f"{self.base}/mcp"
        self.asked: Counter[str] = Counter()
        self.forms: list[dict[str, str]] = []
        self.logins: list[str] = []
        self.valid: set[str] = set()
        self.scope = "read"
        """What a token has to hold for `tools/call`."""
        self.scopes: dict[str, str] = {}
        self.lifetime_s = 3600
        self.refreshes = False
        self.redirects = True
        self.challenges: dict = {"code_challenge_methods_supported": ["S256"]}
        """What the metadata say of PKCE."""
        self.issues = True
        self.refusal: tuple[int, dict] = (400, {"error": "invalid_client"})
        self.challenge = "Bearer"
        self.authorization_server = self.base
        self.token = ""
        """What the next tokens are; empty: they are counted."""
        self.lock = threading.Lock()

    def issue(self, form: dict[str, str]) -> dict:
        """Make a token."""
        with self.lock:
            self.forms.append(form)
            token = self.token or f"token-{len(self.forms)}"
            self.valid.add(token)
        self.scopes[token] = form.get("scope", "read")
        made = {"access_token": token, "token_type": "Bearer", "expires_in": self.lifetime_s}
        if self.refreshes:
            made["refresh_token"] = f"refresh-{token}"
        return made


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Guarded

    def do_GET(self) -> None:
        path = urlsplit(self.path)
        base = self.server.base
        self.server.asked[path.path] += 1
        if "oauth-protected-resource" in path.path:
            found = {
                "resource": self.server.url,
                "authorization_servers": [self.server.authorization_server],
            }
            self.reply(200, found)
        elif "oauth-authorization-server" in path.path:
            self.reply(
                200,
                {
                    "issuer": base,
                    "authorization_endpoint": f"{base}/authorize",
                    "token_endpoint": f"{base}/token",
                    "registration_endpoint": f"{base}/register",
                    "response_types_supported": ["code"],
                    **self.server.challenges,
                },
            )
        elif path.path == "/authorize" and self.server.redirects:
            asked = {name: values[0] for name, values in parse_qs(path.query).items()}
            back = f"{asked['redirect_uri']}?code=c0de&state={asked['state']}"
            self.reply(302, {}, {"Location": back})
        else:
            self.reply(200 if path.path == "/authorize" else 404, {})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked[self.path] += 1
        if self.path == "/register":
            self.reply(201, {**json.loads(body), "client_id": "registered"})
        elif self.path == "/token" and not self.server.issues:
            self.reply(*self.server.refusal)
        elif self.path == "/token":
            self.server.logins.append(self.headers.get("Authorization", ""))
            form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
            self.reply(200, self.server.issue(form))
        else:
            self.mcp(json.loads(body))

    def mcp(self, message: dict) -> None:
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if token not in self.server.valid:
            self.reply(401, {}, {"WWW-Authenticate": self.server.challenge})
        elif message["method"] == "tools/call" and self.server.scope not in (
            self.server.scopes[token].split()
        ):
            wanted = f'Bearer error="insufficient_scope", scope="{self.server.scope}"'
            self.reply(403, {}, {"WWW-Authenticate": wanted})
        else:
            tools = [{"name": "echo", "inputSchema": {"type": "object"}}]
            result = {"supportedVersions": ["2026-07-28"], "content": [], "tools": tools}
            self.reply(200, {"jsonrpc": "2.0", "id": message["id"], "result": result})

    def reply(self, status: int, body: dict, headers: dict | None = None) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def guarded() -> Iterator[Guarded]:
    """Serve both."""
    with Guarded() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def users(guarded):
    """Make clients that share one identity."""
    made: list = []

    def make(
        identity: Registration = ME, count: int = 1, **options
    ) -> tuple[OAuthCredentials, list[HttpClient]]:
        oauth = OAuthCredentials(guarded.url, identity, **options)
        endpoint = Endpoint.of(guarded.url, timeout_s=5)
        clients = [HttpClient(endpoint, credentials=oauth) for _ in range(count)]
        made.extend(clients)
        return oauth, clients

    yield make
    for one in made:
        one.close()


def at_once(clients: list[HttpClient]) -> list[str]:
    """Call with all clients at once; return how the calls ended."""
    outcomes: list[str] = []
    threads = [
        threading.Thread(target=lambda it=it: outcomes.append(it.call(Call(ECHO, {})).outcome))
        for it in clients
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    return outcomes


@pytest.mark.parametrize(
    "challenges",
    [{}, {"code_challenge_methods_supported": []}, {"code_challenge_methods_supported": ["plain"]}],
    ids=["absent", "empty", "plain"],
)
def test_metadata_without_pkce_are_refused(guarded, users, challenges) -> None:
    """No code is asked for; client credentials use no code, and need no PKCE."""
    guarded.challenges = challenges
    _, (client,) = users(Registration(grant="authorization_code", scopes=("read",)))
    with pytest.raises(NegotiationError, match="code_challenge_methods_supported"):
        client.negotiate()
    assert guarded.asked["/authorize"] == guarded.asked["/token"] == 0
    _, (client,) = users()
    assert client.negotiate() == "2026-07-28"


def test_client_credentials_get_a_token_and_keep_it(guarded, users) -> None:
    """One token for the session and all calls; the secret goes to the token endpoint alone."""
    _, (client,) = users()
    assert client.negotiate() == "2026-07-28"
    assert [client.call(Call(ECHO, {})).outcome for _ in range(3)] == ["ok"] * 3
    assert guarded.forms == [
        {"grant_type": "client_credentials", "resource": guarded.url, "scope": "read"}
    ]
    assert guarded.logins[0].startswith("Basic ")


def test_the_flow_takes_the_way_of_the_calls(serve) -> None:
    """It goes through the arm's proxy, and to the target by the target's own name."""
    server = serve(*[b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"] * 2)
    named = Endpoint.of(server.url, host="mcp.internal").origin
    http = Exchanges(lambda url: Endpoint.of(url, proxy=server.url), named)
    http.send(httpx2.Request("GET", "http://10.1.2.4/metadata"))
    http = Exchanges(target=named)
    http.send(httpx2.Request("GET", "http://mcp.internal/metadata"))
    proxied, direct = server.requests
    assert proxied.startswith(b"GET http://10.1.2.4/metadata HTTP/1.1\r\nHost: 10.1.2.4\r\n")
    assert direct.startswith(b"GET /metadata HTTP/1.1\r\nHost: mcp.internal\r\n")


def test_a_code_is_read_off_the_redirect(guarded, users) -> None:
    """Without credentials the client registers itself, and proves by PKCE that it owns the code."""
    _, (client,) = users(Registration(grant="authorization_code", scopes=("read",)))
    client.negotiate()
    (form,) = guarded.forms
    assert (form["grant_type"], form["code"]) == ("authorization_code", "c0de")
    assert (form["client_id"], len(form["code_verifier"])) == ("registered", 128)


def test_users_at_once_get_one_token(guarded, users) -> None:
    """Twenty users that find their token gone wait for one renewal, and all calls succeed."""
    _, clients = users(count=20)
    for client in clients:
        client.negotiate()
    guarded.valid.clear()
    guarded.asked.clear()
    assert at_once(clients) == ["ok"] * 20
    assert guarded.asked["/token"] == 1


def test_an_expired_token_is_renewed_before_it_is_used(guarded, users) -> None:
    """No call is refused because of a token that is known to have expired."""
    now = [0.0]
    guarded.lifetime_s = 60
    oauth, (client,) = users(clock=lambda: now[0])
    client.negotiate()
    context = oauth._provider.context
    context.token_expiry_time = 60.0
    guarded.asked.clear()
    now[0] = 61.0
    assert client.call(Call(ECHO, {})).outcome == "ok"
    assert oauth.token == "token-2"
    assert guarded.asked["/mcp"] == 1


def test_a_refresh_token_is_used_first(guarded, users) -> None:
    """A token that is refused is refreshed if that is possible."""
    guarded.refreshes = True
    oauth, (client,) = users(Registration(grant="authorization_code", scopes=("read",)))
    client.negotiate()
    guarded.valid.clear()
    assert client.call(Call(ECHO, {})).outcome == "ok"
    assert oauth.token == "token-2"
    assert guarded.forms[1]["grant_type"] == "refresh_token"
    assert guarded.asked["/authorize"] == 1


def test_fifty_users_refresh_a_token_once_each_time_it_is_over(guarded, users) -> None:
    """The first user renews it by the refresh token, each time; no call is refused."""
    guarded.refreshes = True
    oauth, clients = users(Registration(grant="authorization_code", scopes=("read",)), 50)
    for client in clients:
        client.negotiate()
    for renewals in (1, 2, 3):
        guarded.asked.clear()
        oauth._provider.context.token_expiry_time = 1.0  # long ago
        assert at_once(clients) == ["ok"] * 50
        assert guarded.asked["/token"] == 1
        assert guarded.asked["/mcp"] == 50
        grants = [form["grant_type"] for form in guarded.forms]
        assert grants == ["authorization_code"] + ["refresh_token"] * renewals


def test_every_secret_is_told_as_it_comes(guarded, users) -> None:
    """Codes, tokens and refresh tokens are reported, also those that come during a run."""
    guarded.refreshes = True
    told: list[str] = []
    identity = Registration(grant="authorization_code", scopes=("read",))
    _, (client,) = users(identity, hide=told.extend)
    client.negotiate()
    assert told == ["c0de", "token-1", "refresh-token-1"]
    guarded.valid.clear()
    client.call(Call(ECHO, {}))
    assert told[3:] == ["token-2", "refresh-token-2"]


def test_more_scope_is_asked_for_once(guarded, users) -> None:
    """403 with insufficient_scope leads to a token that has it, and what was granted before."""
    oauth, (client,) = users()
    client.negotiate()
    guarded.scope = "write"
    assert client.call(Call(ECHO, {})).outcome == "ok"
    assert set(guarded.forms[-1]["scope"].split()) == {"read", "write"}
    guarded.scopes[oauth.token] = ""
    for _ in range(2):
        reply = client.call(Call(ECHO, {}))
        assert reply.outcome == "http_error"
        assert "not enough" in reply.detail
    assert len(guarded.forms) == 2


@pytest.mark.parametrize(
    ("identity", "switch", "said"),
    [
        (ME, "issues", "invalid_client"),
        (Registration(grant="authorization_code"), "redirects", "not redirect"),
        (Registration("me", "secret", issuer="http://127.0.0.1:1"), None, "issuer"),
    ],
    ids=["refused", "a page for people", "another issuer"],
)
def test_no_token_is_told_in_a_sentence(guarded, users, caplog, identity, switch, said) -> None:
    """Opening a session fails with what the authorization server said; nothing is logged."""
    if switch is not None:
        setattr(guarded, switch, False)
    _, (client,) = users(identity)
    with pytest.raises(NegotiationError, match=said):
        client.negotiate()
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("status", "reply", "said"),
    [
        (200, {"access_token": {"v": "canary-0a1b"}}, "access_token: Input should be a valid str"),
        (200, {"token": "canary-0a1b"}, "access_token: Field required"),
        (400, {"error": "invalid_scope", "was": "canary-0a1b"}, r"failed \(400\): invalid_scope$"),
        (400, ["canary-0a1b"], r"failed \(400\): no words of OAuth$"),
    ],
)
def test_a_reply_that_is_no_token_is_not_told_as_it_is(guarded, users, status, reply, said) -> None:
    """It may be malformed, and still contain a token."""
    guarded.issues, guarded.refusal = False, (status, reply)
    _, (client,) = users(ME)
    with pytest.raises(NegotiationError, match=said) as failed:
        client.negotiate()
    assert "canary" not in str(failed.value)


@pytest.mark.parametrize("identity", [ME, Registration(grant="authorization_code")])
@pytest.mark.parametrize("way", ["resource_metadata", "authorization_servers"])
def test_metadata_are_fetched_from_the_target_and_the_issuer_only(guarded, users, identity, way):
    """A server names another place, which gets no request; the message says how to allow it."""
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        url = f"http://127.0.0.1:{elsewhere.getsockname()[1]}"
        if way == "resource_metadata":
            guarded.challenge = f'Bearer resource_metadata="{url}/meta"'
        else:
            guarded.authorization_server = url
        _, (client,) = users(identity)
        with pytest.raises(NegotiationError, match=rf"points to {url}.*write issuer: {url} under"):
            client.negotiate()
        elsewhere.settimeout(0)
        with pytest.raises(BlockingIOError):
            elsewhere.accept()
    assert guarded.asked["/token"] == 0


@pytest.mark.parametrize(
    ("identity", "endpoint"),
    [
        (ME, "token_endpoint"),
        (Registration(grant="authorization_code"), "registration_endpoint"),
        (Registration(grant="authorization_code"), "authorization_endpoint"),
    ],
)
def test_metadata_lead_into_no_private_network(guarded, users, identity, endpoint):
    """An address in it is asked if it is public, the target's or the issuer's."""
    guarded.challenges[endpoint] = f"http://localhost:{guarded.server_port}/inside"
    _, (client,) = users(identity)
    with pytest.raises(
        NegotiationError,
        match=r"is private.*issuer",
    ):
        client.negotiate()
    assert guarded.asked["/inside"] == 0


@pytest.mark.parametrize("token", ["a\r\nX-Injected: 1", "a\nb", "tok en", "\x00", "tökén"])
def test_a_token_that_no_header_can_hold_is_an_error_in_words(guarded, users, token):
    """It steers no request, and is not shown."""
    guarded.token = token
    _, (client,) = users()
    with pytest.raises(
        NegotiationError,
        match="it contains a line end, a blank or a letter that is not allowed in a header",
    ) as told:
        client.negotiate()
    assert token not in str(told.value)
    assert all("injected" not in path.lower() for path in guarded.asked)


def test_a_broken_reply_is_described_and_not_shown(guarded, users, monkeypatch):
    """It may hold the token under another name."""
    monkeypatch.setattr(guarded, "issue", lambda _form: {"acces_token": "s3cret"})
    _, (client,) = users()
    with pytest.raises(NegotiationError, match=r"access_token: Field required") as told:
        client.negotiate()
    assert "s3cret" not in str(told.value)


def test_an_authorization_server_that_is_gone_is_told(guarded, users) -> None:
    """A call whose token cannot be renewed ends as a failed call, not as an exception."""
    _, (client,) = users()
    client.negotiate()
    guarded.valid.clear()
    guarded.issues = False
    reply = client.call(Call(ECHO, {}))
    assert reply.outcome == "http_error"
    assert "no access token" in reply.detail


class Down:
    """An authorization server that gives no answer, as soon as so many users wait for it."""

    def __init__(self, oauth_lock: threading.Lock, users: int) -> None:
        self.attempts = 0
        self._lock = oauth_lock
        self._coming = users
        self._all_there = threading.Event()

    def __enter__(self) -> None:
        self._coming -= 1
        if not self._coming:
            self._all_there.set()
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def send(self, _request: httpx2.Request, **_how: bool) -> httpx2.Response:
        """Count it, and fail."""
        self.attempts += 1
        assert self._all_there.wait(10)
        raise OAuthFlowError("it is down")


def test_users_that_wait_for_a_token_wait_for_one_failure(guarded) -> None:
    """All of them waited for it; only users who come later try again."""
    down = Down(threading.Lock(), 5)
    oauth = OAuthCredentials(guarded.url, ME, http=down)
    oauth._lock = down
    endpoint = Endpoint.of(guarded.url, timeout_s=5)
    clients = [HttpClient(endpoint, "2026-07-28", credentials=oauth) for _ in range(5)]
    assert at_once(clients) == ["http_error"] * 5
    assert down.attempts == 1
    reply = clients[0].call(Call(ECHO, {}))
    assert (down.attempts, "no access token: it is down" in reply.detail) == (2, True)
    for client in clients:
        client.close()


SCENARIO = """
name: guarded
title: A server behind OAuth
env: [MY_SECRET]
arms:
  mcp:
    mcp: "{url}"
    auth:
      oauth: {{client_id: me, client_secret: "${{env:MY_SECRET}}", scopes: [read],
              issuer: "{issuer}"}}
journeys: {{echo: {{steps: [{{call: echo}}]}}}}
load: {{users: 4}}
"""


@pytest.mark.load
def test_a_run_gets_its_token_by_itself(
    guarded, run_cli, environment, quick, report, tmp_path
) -> None:
    """All users share one token, which is renewed when it expires; no secret is reported."""
    guarded.lifetime_s = 1
    path = tmp_path / "guarded.yaml"
    path.write_text(SCENARIO.format(url=guarded.url, issuer=guarded.base))
    out = tmp_path / "out"
    env = {**environment, "MY_SECRET": "s3cret/+"}
    ended = run_cli("run", path, "--out", out, *quick, env=env)
    assert ended.code in (0, 90), ended.output
    arm = report(out)["arms"]["mcp"]
    assert arm["classes"]["ok"] == arm["calls"] > 0
    # One for each second, give or take the seconds in which the machine was busy.
    assert 2 <= guarded.asked["/token"] <= 20
    written = "".join(file.read_text("utf-8", "replace") for file in out.iterdir())
    assert "s3cret" not in written
    assert "token-1" not in written


@pytest.mark.process
def test_a_run_without_a_token_is_refused_in_a_sentence(
    guarded, run_cli, environment, tmp_path
) -> None:
    """What the authorization server said is shown, without a traceback."""
    guarded.issues = False
    path = tmp_path / "guarded.yaml"
    path.write_text(SCENARIO.format(url=guarded.url, issuer=guarded.base))
    env = {**environment, "MY_SECRET": "s3cret/+"}
    ended = run_cli("run", path, "--out", tmp_path / "out", env=env)
    assert ended.code == 108
    assert "invalid_client" in ended.output
    assert "Traceback" not in ended.output
