"""The upstream simulator: provider files, limits, faults and counters, without sockets."""

import random

import pytest

from mcp_targets.serving.httpd import Request, Reset
from mcp_targets.upstream.credentials import Credentials
from mcp_targets.upstream.provider import Auth, RateLimit, load
from mcp_targets.upstream.simulator import Bucket, Simulator
from mcp_targets.upstream.tally import Together
from mcp_targets.upstream.timetable import Timetable, Window, outages

A = "a" * 32
API = f"/2010-04-01/Accounts/AC{A}"
GOOD = {"To": "+14165550199", "From": "+14165550101", "Body": "hi"}

THING = """
provider: thing
title: Things
account: ${owner}
rtt_ms: 8
setup_round_trips: 3
service_time: 2ms
paging: {page: page, size: size, default_size: 2, max_size: 3}
collections:
  things: {unique: name}
errors:
  teapot: {status: 418, body: {no: "${name}", path: "${path}"}}
routes:
  make:
    request: POST /{owner}/things
    input: {name: {matches: "[a-z]+", error: teapot}, count: {type: integer, default: 1}}
    insert: things
    record: {name: "${name}", count: "${count}", label: "${owner}: ${name}"}
    status: 201
  list:
    request: GET /{owner}/things
    input: {page: {type: integer}, size: {type: integer}}
    list: things
    service_time: 7ms
    body: "${records}"
  ping:
    request: GET /ping
    rate_limit: {requests: 2, per_s: 1000000}
    body: {pong: true}
"""


@pytest.fixture
def simulate(tmp_path, peer):
    """Return a function that makes a client of the simulator of a provider file."""

    def run(text):
        path = tmp_path / "thing.yaml"
        path.write_text(text, "utf-8")
        return peer(Simulator(load(str(path))))

    return run


def test_a_round_trip_can_be_given_to_a_provider_that_has_one(tmp_path):
    """It replaces the file's; a provider without a round trip keeps none."""
    near, far = tmp_path / "near.yaml", tmp_path / "far.yaml"
    far.write_text(THING, "utf-8")
    near.write_text(THING.replace("rtt_ms: 8", "rtt_ms: 0"), "utf-8")
    assert load(str(far), 0.0125).rtt_ms == pytest.approx(12.5)
    assert load(str(far)).rtt_ms == 8
    assert load(str(near), 0.0125).rtt_ms == 0


def test_a_provider_is_what_its_file_says(simulate):
    """Inputs from JSON keep their types; templates mix texts and values."""
    client = simulate(THING)
    status, body, reply = client.ask("POST", "/me/things", json={"name": "ax", "count": 3})
    assert (status, body) == (201, {"name": "ax", "count": 3, "label": "me: ax"})
    assert reply.after_s == pytest.approx(0.010)
    _, body, reply = client.ask("GET", "/me/things")
    assert [thing["name"] for thing in body] == ["ax"]
    assert reply.after_s == pytest.approx(0.015)


def test_round_trips_are_charged_on_accept(simulate):
    """Here three set-up round trips of 8 ms."""
    assert simulate(THING).simulator.server.accept_delay_s() == pytest.approx(0.024)


def test_an_error_without_a_body_of_its_own_is_still_json(simulate):
    """Unknown paths, wrong types, conflicts and unreadable bodies."""
    client = simulate(THING)
    assert client.get("/")[0] == 404
    assert client.ask("POST", "/me/things", json={"name": "ax", "count": "many"})[0] == 400
    assert client.ask("POST", "/me/things", json=b"{")[0] == 400
    client.ask("POST", "/me/things", json={"name": "ax"})
    status, body, _ = client.ask("POST", "/me/things", json={"name": "ax"})
    assert (status, body["error"]["code"]) == (409, "conflict")


def test_an_error_body_is_a_template_too(simulate):
    """It may show what was wrong."""
    client = simulate(THING)
    status, body, _ = client.ask("POST", "/me/things", json={"name": "A"})
    assert (status, body) == (418, {"no": "A", "path": "/me/things"})


def test_above_the_rate_limit_the_answer_is_429_with_a_time_to_wait(simulate):
    """The time is in whole seconds, rounded up."""
    client = simulate(THING)
    replies = [client.ask("GET", "/ping")[2] for _ in range(3)]
    assert [reply.status for reply in replies] == [200, 200, 429]
    assert dict(replies[2].headers)[b"retry-after"] == b"500000"


def test_a_bucket_refills_evenly():
    """Two at once, then one every half second."""
    bucket = Bucket(RateLimit(requests=2, per_s=1.0), now_s=0.0)
    steps = [(0.0, 0), (0.0, 0), (0.0, 0.5), (0.4, 0.1), (0.5, 0), (0.5, 0.5), (9, 0), (9, 0)]
    for at_s, wait_s in steps:
        assert bucket.take(at_s) == pytest.approx(wait_s)
    assert bucket.take(9) > 0


@pytest.mark.parametrize(
    ("wrong", "right", "complaint"),
    [
        ("insert: things", "insert: stuff", "route make: collection 'stuff' is not defined"),
        ("error: teapot}", "error: coffee}", "no error 'coffee' under errors"),
        ('label: "${owner}', 'label: "${nobody}', r"route make: \$\{nobody\} is not known here"),
        ("request: GET /ping", "request: PING /", "must be like 'GET /path', not 'PING /'"),
        ("service_time: 7ms", "service_time: soon", "route list: 'soon' is not a duration"),
        ("status: 201", "state: 201", "unknown field `state`"),
        ("    list: things", "    list: things\n    insert: things", "at most one of propose"),
        ('"[a-z]+"', '"[a-z"', "route make: unterminated character set"),
        ("provider: thing", "provider: [", "while parsing"),
    ],
)
def test_a_mistake_in_a_provider_file_is_named(simulate, wrong, right, complaint):
    """Before anything is served, with its route."""
    assert THING.count(wrong) == 1
    with pytest.raises(ValueError, match=complaint):
        simulate(THING.replace(wrong, right))


def test_an_unknown_provider_is_answered_with_the_known_ones():
    """Nobody has to look for the files."""
    with pytest.raises(ValueError, match="no provider 'twillo'; there are twilio"):
        load("twillo")


def test_injected_errors_are_in_the_providers_own_form(twilio):
    """They do not change the state."""
    twilio.ask("POST", "/_faults", json={"error_rate": 1})
    status, body = twilio.post(f"{API}/Messages.json", **GOOD)
    assert (status, body["code"]) == (500, 20500)
    twilio.ask("POST", "/_faults", json={})
    assert twilio.get(f"{API}/Messages.json")[1]["messages"] == []


@pytest.mark.parametrize(("kind", "stored"), [("reset", 0), ("html", 0), ("cut", 1), ("stall", 1)])
def test_a_fault_befalls_the_request_or_its_reply(twilio, kind, stored):
    """Resets and proxy pages come before the work; others spoil the reply after it."""
    twilio.ask("POST", "/_faults", json={f"{kind}_rate": 1})
    twilio.post(f"{API}/Messages.json", **GOOD)
    twilio.ask("POST", "/_faults", json={})
    assert len(twilio.get(f"{API}/Messages.json")[1]["messages"]) == stored


def test_faults_of_one_route_leave_the_others_alone(twilio):
    """The other routes keep the faults for all routes."""
    twilio.ask("POST", "/_faults", json={"route": "send-message", "reset_rate": 1})
    assert twilio.ask("POST", f"{API}/Messages.json", GOOD)[2].fault == Reset()
    assert twilio.ask("GET", f"{API}/Messages.json")[2].fault is None


@pytest.mark.parametrize(
    ("asked", "complaint"),
    [({"route": "fly"}, "no route 'fly'"), ({"error": 1}, "unknown field")],
)
def test_a_fault_that_is_none_is_refused(twilio, asked, complaint):
    """A mistyped fault must not look like a healthy provider."""
    status, body, _ = twilio.ask("POST", "/_faults", json=asked)
    assert status == 400
    assert complaint in body["error"]["message"]


def test_counters_say_who_did_what(twilio, peer):
    """In total, per route and per account, with the connections that each used."""
    other = peer(twilio.simulator)
    for client in (twilio, other):
        client.get(f"{API}/Messages.json")
    twilio.post(f"{API}/Messages.json")
    twilio.get("/nothing")
    counters = twilio.get("/_counters")[1]
    assert (counters["requests"], counters["errors_sent"]) == (4, 2)
    assert counters["routes"]["list-messages"]["requests"] == 2
    assert counters["routes"]["send-message"]["errors_sent"] == 1
    assert counters["routes"]["unknown"]["errors_sent"] == 1
    account = counters["accounts"][f"AC{A}"]
    assert (account["requests"], account["connections_opened"]) == (3, 2)
    assert account["errors_sent"] == 1


def test_faults_are_counted_exactly(twilio):
    """As many as were seen, over the provider and its routes."""
    twilio.ask("POST", "/_faults", json={"error_rate": 0.3, "malformed_rate": 0.3, "seed": 4})
    twilio.ask("POST", "/_faults", json={"route": "list-numbers", "html_rate": 1})
    seen = [twilio.ask("GET", f"{API}/Messages.json") for _ in range(200)]
    for _ in range(3):
        twilio.get(f"{API}/IncomingPhoneNumbers.json")
    errors = sum(status == 500 for status, _, _ in seen)
    malformed = sum(body is None for _, body, _ in seen)
    assert twilio.get("/_counters")[1]["faults"] == {
        "error": errors,
        "malformed": malformed,
        "html": 3,
    }
    assert 30 < errors < 90


def test_the_most_requests_at_once_are_counted_over_all_providers_of_a_process(tmp_path, peer):
    """Calls to two providers at once count as two, although each of them sees one."""
    path = tmp_path / "thing.yaml"
    path.write_text(THING, "utf-8")
    together = Together()
    one, other = (Simulator(load(str(path)), together=together) for _ in range(2))
    together.begin()  # a request to some provider, still in progress
    assert peer(other).get("/ping")[0] == 200
    assert peer(one).get("/_together")[1]["max_in_parallel"] == 2
    assert peer(one).ask("POST", "/_together")[1]["max_in_parallel"] == 1
    together.in_parallel -= 1
    assert peer(one).ask("POST", "/_together")[1]["max_in_parallel"] == 0
    assert peer(other).get("/ping")[0] == 200
    assert peer(one).get("/_together")[1]["max_in_parallel"] == 1


LEDGER = """
provider: ledger
title: Ledger
auth: {header: x-key, value: secret}
collections: {entries: {}}
routes:
  add:
    request: POST /entries
    input: {text: {}}
    insert: entries
    new_id: en_
    record: {id: "${id}", text: "${text}", note: null}
  get: {request: "GET /entries/{id}", find: entries}
  change:
    request: PATCH /entries/{id}
    input: {text: {}, note: {}}
    update: entries
    record: {text: "${text}", note: "${note}"}
"""


def test_a_record_is_found_and_changed_by_its_id(simulate):
    """Fields that a change does not name stay; an unknown id is not found."""
    client = simulate(LEDGER.replace("auth: {header: x-key, value: secret}", ""))
    made = client.post("/entries", text="one")[1]
    path = f"/entries/{made['id']}"
    assert client.get(path) == (200, made)
    status, changed, _ = client.ask("PATCH", path, json={"note": "late"})
    assert (status, changed) == (200, {**made, "note": "late"})
    assert client.get(path)[1] == changed
    assert client.get("/entries/none")[0] == 404


def test_who_has_no_key_is_refused_and_counted(simulate):
    """Before any work is done."""
    client = simulate(LEDGER)
    assert client.post("/entries", text="one")[0] == 401
    assert client.get("/_counters")[1]["errors_sent"] == 1
    assert client.get("/_state?account=")[1] == {}


def asked(header=b"", target="/"):
    """Return a request that carries a header, or a query."""
    headers = {b"authorization": header} if header else {}
    path = target.partition("?")[0].encode()
    empty = {"repeated": frozenset(), "body": b"", "too_large": False, "keep_alive": True}
    return Request(
        method=b"GET", target=target.encode(), path=path, headers=headers, tags=set(), **empty
    )


def test_a_token_is_good_for_its_time_and_a_refresh_token_gives_another():
    """An unknown refresh token does not."""
    now = [0.0]
    auth = Auth(header="authorization", tokens=True)
    credentials = Credentials(auth, lambda: now[0], random.Random(1))
    given = credentials.issue({"grant_type": "client_credentials"}, 60)
    header = f"Bearer {given['access_token']}".encode()
    assert credentials.good(asked(header))
    now[0] = 60.0
    assert not credentials.good(asked(header))
    refresh = {"grant_type": "refresh_token", "refresh_token": given["refresh_token"]}
    assert credentials.issue(refresh, 60)["access_token"] != given["access_token"]
    assert credentials.issue({**refresh, "refresh_token": "forged"}, 60) is None


def test_a_key_may_be_in_the_query():
    """Without `auth` in the file, no key is needed."""
    credentials = Credentials(Auth(query="key", value="secret"), lambda: 0.0, random.Random(1))
    assert credentials.good(asked(target="/x?key=secret"))
    assert not credentials.good(asked(target="/x"))
    assert Credentials(None, lambda: 0.0, random.Random(1)).good(asked())


def test_a_timetable_has_its_windows():
    """From `at` on, for `for` seconds, for one route or all; the first in the list applies."""
    windows = (
        Window(at_s=10, for_s=5, route="get", reset_rate=1),
        Window(at_s=12, for_s=10, error_rate=1),
    )
    table = Timetable(windows, began_s=100.0)
    times = (109, 110, 114, 115, 122)
    found = {at: [table.faults(route, at) for route in ("get", "add")] for at in times}
    kinds = {at: [one.draw() if one else None for one in pair] for at, pair in found.items()}
    assert kinds == {
        109: [None, None],
        110: ["reset", None],
        114: ["reset", "error"],
        115: ["error", "error"],
        122: [None, None],
    }
    assert sum(source.counts["error"] for source in table.sources()) == 3


def test_a_timetable_that_nobody_began_begins_with_the_first_question():
    """So an outage is at the right time in a run, however long the start took."""
    table = Timetable((Window(at_s=1, for_s=1, error_rate=1),))
    assert [table.faults("get", at) is not None for at in (50, 50.9, 51, 51.9, 52)] == [
        *(False, False, True, True, False)
    ]


def test_an_outage_is_written_as_provider_and_times():
    """With or without a share of the requests; anything else is refused."""
    both = outages("hubspot:20s:10s,jira:0s:60s:5%")
    assert both == [
        ("hubspot", Window(error_rate=1, at_s=20, for_s=10)),
        ("jira", Window(error_rate=0.05, at_s=0, for_s=60)),
    ]
    for text in ("hubspot", "hubspot:20:10", "hubspot:20s", "hubspot:s:1s", "a:1s:1s:1%:2"):
        with pytest.raises(ValueError, match="PROVIDER:AT:FOR"):
            outages(text)
    with pytest.raises(ValueError, match="'5' is not a share"):
        outages("hubspot:0s:1s:5")
