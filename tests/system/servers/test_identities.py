"""Whole runs in which every user has another identity, against a server that checks it."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.commands import CALM

pytestmark = pytest.mark.load

SHORT = (
    *("--set", "load.rounds=2", "--set", "load.round=400ms", "--set", "load.warmup=0s"),
    *("--set", "limits.errors=100%", *CALM),
)
TOKENS = {f"user-{number}": f"tk-{number:02}-5e0d1c7a" for number in range(20)}
OWN = """
name: own
title: Everybody sees what is theirs
identities: {csv: users.csv}
arms:
  rest: {http: BASE, headers: {X-Api-Key: "${identity.token}"}}
  mcp: {mcp: BASE/mcp, headers: {Authorization: "Bearer ${identity.token}"}}
journeys:
  mine:
    rest:
      - get: /me
        query: {user: "${user}"}
        expect: {equals: {owner: "${identity.name}"}}
    mcp:
      - call: mine
        arguments: {user: "${user}"}
        expect: {equals: {structuredContent.owner: "${identity.name}"}}
load: {users: 20}
"""
PROVISIONED = """
name: provisioned
title: Everybody logs in before the run
identities:
  csv: logins.csv
  provision:
    post: BASE/login
    json: {name: "${identity.name}", password: "${identity.phrase}"}
    take: {token: session.access_token, account: name}
arms:
  mcp: {mcp: BASE/mcp, headers: {Authorization: "Bearer ${identity.token}"}}
journeys:
  mine:
    steps:
      - call: mine
        arguments: {user: "${user}"}
        expect: {equals: {structuredContent.owner: "${identity.account}"}}
  aloud: {steps: [{call: repeat}]}
load: {users: 6}
"""
CLIENTS = """
name: clients
title: Three OAuth clients with two users each
identities: {csv: clients.csv}
arms:
  mcp:
    mcp: BASE/mcp
    auth:
      oauth:
        client_id: "${identity.client}"
        client_secret: "${identity.phrase}"
        issuer: BASE
journeys:
  mine:
    steps:
      - call: mine
        arguments: {user: "${user}"}
        expect: {equals: {structuredContent.owner: "${identity.client}"}}
  aloud: {steps: [{call: repeat}]}
load: {users: 6}
"""
WAYS = """
name: ways-in
title: All ways to say who one is
env: [FIXED_TOKEN, CLIENT_SECRET]
arms:
  bearer: {mcp: BASE/mcp, headers: {Authorization: "Bearer ${env:FIXED_TOKEN}"}}
  key: {http: BASE, headers: {X-Api-Key: "${env:FIXED_TOKEN}"}}
  client:
    mcp: BASE/mcp
    auth: {oauth: {client_id: robot, client_secret: "${env:CLIENT_SECRET}", issuer: BASE}}
  code: {mcp: BASE/mcp, auth: {oauth: {scopes: [read], issuer: BASE}}}
journeys:
  mine:
    bearer:
      - call: mine
        arguments: {user: 1}
        expect: {equals: {structuredContent.owner: user-0}}
    key: [{get: "/me?user=1", expect: {equals: {owner: user-0}}}]
    client:
      - call: mine
        arguments: {user: 1}
        expect: {equals: {structuredContent.owner: robot}}
    code:
      - call: mine
        arguments: {user: 1}
        expect: {equals: {structuredContent.owner: code}}
load: {users: 5}
"""


@pytest.fixture
def serve(start, tmp_path) -> Callable:
    """Start the server with the tokens of `users.csv`."""
    rows = "".join(f"{name},{token}\n" for name, token in TOKENS.items())
    (tmp_path / "users.csv").write_text(f"name,token\n{rows}")
    return lambda *switches: start(
        "identity_app.py", "--tokens", str(tmp_path / "users.csv"), *switches
    )


@pytest.fixture
def run(run_cli, tmp_path) -> Callable:
    """Write a scenario for a server and run it; its folder is `out`."""

    def go(text: str, server, *more: object, **popen):
        path = tmp_path / "own.yaml"
        path.write_text(text.replace("BASE", server.base))
        return run_cli("run", path, "--out", tmp_path / "out", *SHORT, *more, **popen)

    return go


def leaks(folder: Path, said: str, secrets: list[str]) -> Iterator[str]:
    """Yield the places where a secret, or most of one, is written."""
    texts = {"terminal": said}
    texts |= {str(p): p.read_text("utf-8", "replace") for p in folder.rglob("*") if p.is_file()}
    for name, text in texts.items():
        yield from (
            f"{name}: {secret}" for secret in secrets if secret[: len(secret) // 2 + 1] in text
        )


@pytest.mark.parametrize("more", [(), ("--processes", "2")], ids=["one", "two workers"])
def test_twenty_users_are_twenty_people(serve, run, report, tmp_path, more) -> None:
    """Each sees only its own data, and the server saw each token with one user, on both arms."""
    server = serve()
    ended = run(OWN, server, *more)
    assert ended.code in (0, 90), ended.output
    for arm in report(tmp_path / "out")["arms"].values():
        assert arm["classes"]["ok"] == arm["calls"] > 0
    users = server.get("/log")["users"]
    assert users.keys() == set(TOKENS.values())
    assert all(len(came) == 1 for came in users.values()), users
    assert len({came[0] for came in users.values()}) == 20
    assert list(leaks(tmp_path / "out", ended.output, list(TOKENS.values()))) == []


def test_a_server_that_mixes_people_up_is_found_out(serve, run, report, tmp_path) -> None:
    """The next caller does not expect the previous caller's data."""
    ended = run(OWN, serve("--shared"), "--arm", "mcp")
    arm = report(tmp_path / "out")["arms"]["mcp"]
    assert arm["classes"]["check_failed"] > 0, ended.output


@pytest.mark.parametrize("more", [(), ("--processes", "2")], ids=["one", "two workers"])
def test_an_identity_is_provisioned_once_for_each_user(serve, run, report, tmp_path, more) -> None:
    """Six logins for six users, and no secret gets out. A master also logs in to test targets."""
    server = serve()
    phrases = [f"pass-user-{number}" for number in range(6)]
    rows = "".join(f"user-{number},{phrase}\n" for number, phrase in enumerate(phrases))
    (tmp_path / "logins.csv").write_text(f"name,phrase\n{rows}")
    ended = run(PROVISIONED, server, *more)
    assert ended.code in (0, 90), ended.output
    steps = report(tmp_path / "out")["arms"]["mcp"]["steps"]
    assert steps["tools/call mine"]["error_rate"] == 0
    told = server.get("/log")
    assert told["asked"]["/login"] == 6 + bool(more)
    assert sorted(map(len, told["users"].values())) == [1] * 6
    secrets = [*phrases, *(token for token in told["owners"] if token.startswith("access-"))]
    assert len(secrets) == 12 + bool(more)
    assert list(leaks(tmp_path / "out", ended.output, secrets)) == []
    assert "you said [redacted]" in (tmp_path / "out" / "journal.jsonl").read_text("utf-8")


@pytest.mark.parametrize("more", [(), ("--processes", "2")], ids=["one", "two workers"])
def test_clients_have_tokens_of_their_own_also_after_a_refusal(
    serve, run, report, until, tmp_path, more
) -> None:
    """Two users share a client's token; all are renewed once in mid-run, and no token gets out."""
    server = serve()
    rows = "".join(f"client-{number},secret-client-{number}\n" for number in (0, 0, 1, 1, 2, 2))
    (tmp_path / "clients.csv").write_text(f"client,phrase\n{rows}")

    tokens = 3 * (len(more) or 1)  # each process gets another one
    over: list[bool] = []

    def revoke() -> None:
        until(lambda: over or len(server.get("/log")["users"]) >= tokens, "no calls", 120)
        server.post("/revoke")

    meanwhile = threading.Thread(target=revoke)
    meanwhile.start()
    ended = run(CLIENTS, server, *more, "--set", "load.round=1s")
    over.append(True)
    meanwhile.join()
    assert ended.code in (0, 90), ended.output
    arm = report(tmp_path / "out")["arms"]["mcp"]
    assert arm["steps"]["tools/call mine"]["error_rate"] == 0
    told = server.get("/log")
    asked = told["asked"]["client_credentials"]
    # The two users of a client may be in different processes, and the master tests the target.
    assert asked == 6 if not more else 12 <= asked <= 14
    secrets = [token for token in told["owners"] if token.startswith("access-")]
    secrets += [f"secret-client-{number}" for number in range(3)]
    assert len(secrets) >= 9
    assert list(leaks(tmp_path / "out", ended.output, secrets)) == []
    assert "you said [redacted]" in (tmp_path / "out" / "journal.jsonl").read_text("utf-8")


def test_every_way_to_authorize_works_to_the_end(serve, run, report, environment, tmp_path) -> None:
    """A bearer token, an API key, client credentials, and a PKCE code with a refresh token."""
    server = serve("--lifetime", "1")
    env = {
        **environment,
        "FIXED_TOKEN": TOKENS["user-0"],
        "CLIENT_SECRET": "secret-robot",
    }
    ended = run(WAYS, server, "-u", "50", "--set", "load.round=1s", env=env)
    assert ended.code in (0, 90), ended.output
    for name, arm in report(tmp_path / "out")["arms"].items():
        assert arm["classes"]["ok"] == arm["calls"] > 0, name
    told = server.get("/log")
    # A token lives for a second, so each turn needs one or two: 50 users, but one renewal.
    assert told["asked"]["authorization_code"] == 1
    assert 1 <= told["asked"]["refresh_token"] <= 12
    secrets = [*told["renewals"], *(t for t in told["owners"] if t.startswith("access-"))]
    secrets += ["secret-robot", TOKENS["user-0"]]
    assert list(leaks(tmp_path / "out", ended.output, secrets)) == []
