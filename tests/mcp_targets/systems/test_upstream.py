"""The upstream simulator: provider files, state, limits, faults, counters; without sockets."""

import urllib.parse

import msgspec
import pytest

from mcp_targets.systems.httpd import Request, Reset
from mcp_targets.systems.upstream.limits import Bucket
from mcp_targets.systems.upstream.provider import RateLimit, describe, load
from mcp_targets.systems.upstream.simulator import Simulator

A, B = "a" * 32, "b" * 32
API = f"/2010-04-01/Accounts/AC{A}"
TASKROUTER = f"/v1/Workspaces/WS{A}"


class Peer:
    """Ask a simulator as a client would, on one connection."""

    def __init__(self, simulator):
        self.simulator = simulator
        self.tags = set()

    def ask(self, method, target, form=None, json=None):
        """Return status, decoded body and the whole reply."""
        body = urllib.parse.urlencode(form or {}).encode()
        headers = {}
        if json is not None:
            body = json if isinstance(json, bytes) else msgspec.json.encode(json)
            headers[b"content-type"] = b"application/json"
        path = target.partition("?")[0].encode()
        request = Request(
            method=method.encode(),
            target=target.encode(),
            path=path,
            headers=headers,
            repeated=frozenset(),
            body=body,
            too_large=False,
            keep_alive=True,
            tags=self.tags,
        )
        server = self.simulator.server
        reply = (server._admin if path.startswith(b"/_") else server._handler)(request)
        if request.done is not None:
            request.done()
        try:
            decoded = msgspec.json.decode(reply.body)
        except msgspec.DecodeError:
            decoded = None
        return reply.status, decoded, reply

    def get(self, target):
        """Return status and decoded body."""
        return self.ask("GET", target)[:2]

    def post(self, target, **form):
        """Return status and decoded body."""
        return self.ask("POST", target, form)[:2]


@pytest.fixture
def twilio():
    """Return a client of a fresh Twilio."""
    return Peer(Simulator(load("twilio")))


def simulate(tmp_path, text):
    """Return a peer of a simulator for a provider file."""
    path = tmp_path / "thing.yaml"
    path.write_text(text, "utf-8")
    return Peer(Simulator(load(str(path))))


# Twilio.


def test_listing_proposes_canadian_numbers_of_the_area_code(twilio):
    """In the provider's own form."""
    status, body = twilio.get(f"{API}/AvailablePhoneNumbers/CA/Local.json?AreaCode=647")
    assert status == 200
    first = body["available_phone_numbers"][0]
    assert (first["phone_number"], first["friendly_name"]) == ("+16472000000", "(647) 200-0000")
    assert (first["iso_country"], first["capabilities"]["SMS"]) == ("CA", True)


def test_no_number_is_proposed_twice(twilio):
    """Concurrent users rarely collide when each is offered numbers of its own."""
    target = f"{API}/AvailablePhoneNumbers/CA/Local.json"
    proposed = [
        number["phone_number"]
        for _ in range(100)
        for number in twilio.get(target)[1]["available_phone_numbers"]
    ]
    assert len(proposed) == len(set(proposed)) == 500


def test_a_number_that_is_owned_is_not_proposed(twilio):
    """Also when it was bought without having been proposed."""
    twilio.post(f"{API}/IncomingPhoneNumbers.json", PhoneNumber="+14162000002")
    _, body = twilio.get(f"{API}/AvailablePhoneNumbers/CA/Local.json?AreaCode=416")
    proposed = [number["phone_number"][-1] for number in body["available_phone_numbers"]]
    assert proposed == ["0", "1", "3", "4", "5"]


def test_a_number_is_bought_once_by_whomever(twilio):
    """The second buyer gets error 21422, in another account too."""
    for account, status in ((A, 201), (A, 400), (B, 400)):
        got, body = twilio.post(
            f"/2010-04-01/Accounts/AC{account}/IncomingPhoneNumbers.json",
            PhoneNumber="+14165550000",
            FriendlyName="Test",
        )
        assert got == status
    assert body["code"] == 21422
    assert body["message"] == "+14165550000 is not available."
    assert body["more_info"] == "https://www.twilio.com/docs/errors/21422"


def test_a_bought_number_is_listed_in_its_account_only(twilio):
    """With a name that defaults to the number."""
    _, bought = twilio.post(f"{API}/IncomingPhoneNumbers.json", PhoneNumber="+14165550000")
    assert bought["friendly_name"] == "+14165550000"
    assert bought["account_sid"] == f"AC{A}"
    assert bought["uri"] == f"{API}/IncomingPhoneNumbers/{bought['sid']}.json"
    assert twilio.get(f"{API}/IncomingPhoneNumbers.json")[1]["incoming_phone_numbers"] == [bought]
    other = f"/2010-04-01/Accounts/AC{B}/IncomingPhoneNumbers.json"
    assert twilio.get(other)[1]["incoming_phone_numbers"] == []


def test_a_second_activity_of_that_name_is_a_conflict(twilio):
    """409 with an error body, and never a 500; another workspace may use the name."""
    assert twilio.post(f"{TASKROUTER}/Activities", FriendlyName="Bathroom")[0] == 201
    status, body = twilio.post(f"{TASKROUTER}/Activities", FriendlyName="Bathroom")
    assert (status, body["status"]) == (409, 409)
    assert body["message"] == f"Activity named Bathroom already exists for workspace WS{A}"
    other = f"/v1/Workspaces/WS{B}/Activities"
    assert twilio.post(other, FriendlyName="Bathroom")[0] == 201


@pytest.mark.parametrize(("given", "stored"), [("true", True), ("false", False), (None, False)])
def test_availability_is_a_boolean(twilio, given, stored):
    """Forms carry text; the provider's JSON does not."""
    form = {"Available": given} if given else {}
    _, body = twilio.post(f"{TASKROUTER}/Activities", FriendlyName="Lunch", **form)
    assert body["available"] is stored


def test_a_task_queue_keeps_its_expression(twilio):
    """Task 3: a filter that names the activity of task 2."""
    form = {"FriendlyName": "Ready", "TargetWorkers": 'activity_sid != "WA1"'}
    status, body = twilio.post(f"{TASKROUTER}/TaskQueues", **form)
    assert (status, body["target_workers"]) == (201, 'activity_sid != "WA1"')
    assert twilio.get(f"{TASKROUTER}/TaskQueues")[1]["task_queues"] == [body]


GOOD = {"To": "+14165550199", "From": "+14165550101", "Body": "hi"}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"To": "4165550199"}, 21211),
        ({"To": "+1"}, 21211),
        ({"To": "+1234567890123456"}, 21211),
        ({"To": ""}, 21604),
        ({"From": "me"}, 21212),
        ({"From": ""}, 21603),
        ({"Body": ""}, 21602),
        ({"Body": "x" * 1601}, 21617),
    ],
)
def test_a_message_that_cannot_be_sent_is_refused_with_twilios_code(twilio, change, code):
    """And nothing is stored."""
    status, body = twilio.post(f"{API}/Messages.json", **(GOOD | change))
    assert (status, body["code"]) == (400, code)
    assert twilio.get(f"{API}/Messages.json")[1]["messages"] == []


@pytest.mark.parametrize("change", [{}, {"Body": "x" * 1600}, {"To": "+123456789012345"}])
def test_a_message_within_the_limits_is_queued(twilio, change):
    """The longest body and the longest number included."""
    status, body = twilio.post(f"{API}/Messages.json", **(GOOD | change))
    assert (status, body["status"], body["direction"]) == (201, "queued", "outbound-api")


def test_messages_are_listed_newest_first_a_page_at_a_time(twilio):
    """Each page leads to the next; the last leads nowhere."""
    for number in range(5):
        twilio.post(f"{API}/Messages.json", **(GOOD | {"Body": str(number)}))
    target, seen = f"{API}/Messages.json?PageSize=2", []
    while target:
        page = twilio.get(target)[1]
        seen.append([message["body"] for message in page["messages"]])
        target = page["next_page_uri"]
    assert seen == [["4", "3"], ["2", "1"], ["0"]]


@pytest.mark.parametrize(
    ("change", "status"),
    [({}, 201), ({"Url": "ftp://x"}, 400), ({"Url": ""}, 400), ({"To": "x"}, 400)],
)
def test_a_call_needs_numbers_and_an_address(twilio, change, status):
    """The address is where its instructions are."""
    form = {"To": GOOD["To"], "From": GOOD["From"], "Url": "http://127.0.0.1/twiml"} | change
    assert twilio.post(f"{API}/Calls.json", **form)[0] == status


@pytest.mark.parametrize(
    "target",
    ["/nothing", "/2010-04-01/Accounts/ACshort/Messages.json", f"{API}/Messages.json/more"],
)
def test_what_does_not_exist_is_twilios_404(twilio, target):
    """An account that is none included."""
    status, body = twilio.get(target)
    assert (status, body["code"]) == (404, 20404)


def test_the_state_of_an_account_is_all_it_has(twilio):
    """That is how a test compares what two arms have left behind."""
    twilio.post(f"{API}/Messages.json", **GOOD)
    twilio.post(f"{TASKROUTER}/Activities", FriendlyName="Bathroom")
    state = twilio.get(f"/_state?account=AC{A}")[1]
    assert {name: len(records) for name, records in state.items()} == {
        "messages": 1,
        "activities": 1,
    }
    assert twilio.get(f"/_state?account=AC{B}")[1] == {}


def test_twilio_takes_about_four_milliseconds():
    """The service time is drawn per reply, from the distribution that the report names."""
    assert describe(load("twilio")) == (
        "Twilio REST API (upstream simulator; log-normal service time, median 4 ms)"
    )
    peer = Peer(Simulator(load("twilio"), seed=1))
    times = [peer.ask("GET", f"{API}/Messages.json")[2].after_s for _ in range(1001)]
    assert sorted(times)[500] == pytest.approx(0.004, rel=0.1)


# Any provider.

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


def test_a_provider_is_what_its_file_says(tmp_path):
    """Input from JSON keeps its types; templates mix texts and values."""
    peer = simulate(tmp_path, THING)
    status, body, reply = peer.ask("POST", "/me/things", json={"name": "ax", "count": 3})
    assert (status, body) == (201, {"name": "ax", "count": 3, "label": "me: ax"})
    assert reply.after_s == pytest.approx(0.010)
    _, body, reply = peer.ask("GET", "/me/things")
    assert [thing["name"] for thing in body] == ["ax"]
    assert reply.after_s == pytest.approx(0.015)


def test_round_trips_are_charged_on_accept(tmp_path):
    """Three set-up round trips of 8 ms."""
    assert simulate(tmp_path, THING).simulator.server.accept_delay_s() == pytest.approx(0.024)


def test_an_error_without_a_body_of_its_own_is_still_json(tmp_path):
    """Unknown paths, wrong types, conflicts and unreadable bodies."""
    peer = simulate(tmp_path, THING)
    assert peer.get("/")[0] == 404
    assert peer.ask("POST", "/me/things", json={"name": "ax", "count": "many"})[0] == 400
    assert peer.ask("POST", "/me/things", json=b"{")[0] == 400
    peer.ask("POST", "/me/things", json={"name": "ax"})
    status, body, _ = peer.ask("POST", "/me/things", json={"name": "ax"})
    assert (status, body["error"]["code"]) == (409, "conflict")


def test_an_error_body_is_a_template_too(tmp_path):
    """It may show what was wrong."""
    peer = simulate(tmp_path, THING)
    status, body, _ = peer.ask("POST", "/me/things", json={"name": "A"})
    assert (status, body) == (418, {"no": "A", "path": "/me/things"})


def test_above_the_rate_limit_the_answer_is_429_with_a_time_to_wait(tmp_path):
    """In whole seconds, rounded up."""
    peer = simulate(tmp_path, THING)
    replies = [peer.ask("GET", "/ping")[2] for _ in range(3)]
    assert [reply.status for reply in replies] == [200, 200, 429]
    assert dict(replies[2].headers)[b"retry-after"] == b"500000"


def test_a_bucket_refills_evenly():
    """Two at once, then one each half second."""
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
        ("service_time: 7ms", "service_time: soon", "route list: 'soon' is no duration"),
        ("status: 201", "state: 201", "unknown field `state`"),
        ("    list: things", "    list: things\n    insert: things", "at most one of propose"),
        ('"[a-z]+"', '"[a-z"', "route make: unterminated character set"),
        ("provider: thing", "provider: [", "while parsing"),
    ],
)
def test_a_mistake_in_a_provider_file_is_named(tmp_path, wrong, right, complaint):
    """Before anything is served, with the route it is in."""
    assert THING.count(wrong) == 1
    with pytest.raises(ValueError, match=complaint):
        simulate(tmp_path, THING.replace(wrong, right))


def test_an_unknown_provider_is_answered_with_the_known_ones():
    """So that nobody has to look for the files."""
    with pytest.raises(ValueError, match="no provider 'twillo'; there are twilio"):
        load("twillo")


# Faults and counters.


def test_injected_errors_are_in_the_providers_own_form(twilio):
    """And change no state."""
    twilio.ask("POST", "/_faults", json={"error_rate": 1})
    status, body = twilio.post(f"{API}/Messages.json", **GOOD)
    assert (status, body["code"]) == (500, 20500)
    twilio.ask("POST", "/_faults", json={})
    assert twilio.get(f"{API}/Messages.json")[1]["messages"] == []


@pytest.mark.parametrize(("kind", "stored"), [("reset", 0), ("html", 0), ("cut", 1), ("stall", 1)])
def test_a_fault_befalls_the_request_or_its_reply(twilio, kind, stored):
    """Resets and proxy pages come before the work, the others spoil a reply to work done."""
    twilio.ask("POST", "/_faults", json={f"{kind}_rate": 1})
    twilio.post(f"{API}/Messages.json", **GOOD)
    twilio.ask("POST", "/_faults", json={})
    assert len(twilio.get(f"{API}/Messages.json")[1]["messages"]) == stored


def test_faults_of_one_route_leave_the_others_alone(twilio):
    """Until faults for all routes are set."""
    twilio.ask("POST", "/_faults", json={"route": "send-message", "reset_rate": 1})
    assert twilio.ask("POST", f"{API}/Messages.json", GOOD)[2].fault == Reset()
    assert twilio.ask("GET", f"{API}/Messages.json")[2].fault is None


@pytest.mark.parametrize(
    ("wish", "complaint"),
    [({"route": "fly"}, "no route 'fly'"), ({"error": 1}, "unknown field")],
)
def test_a_fault_that_is_none_is_refused(twilio, wish, complaint):
    """A mistyped fault must not look like a healthy provider."""
    status, body, _ = twilio.ask("POST", "/_faults", json=wish)
    assert status == 400
    assert complaint in body["error"]["message"]


def test_counters_say_who_did_what(twilio):
    """In all, per route and per account, with the connections each used."""
    other = Peer(twilio.simulator)
    for peer in (twilio, other):
        peer.get(f"{API}/Messages.json")
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
    """As many as were seen, of the provider and of its routes together."""
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
