"""The simulated Twilio: its rules, its state, its errors."""

import pytest

from mcp_targets.upstream.provider import describe, load
from mcp_targets.upstream.simulator import Simulator

A, B = "a" * 32, "b" * 32
API = f"/2010-04-01/Accounts/AC{A}"
TASKROUTER = f"/v1/Workspaces/WS{A}"


def test_listing_proposes_canadian_numbers_of_the_area_code(twilio):
    """In the provider's format."""
    status, body = twilio.get(f"{API}/AvailablePhoneNumbers/CA/Local.json?AreaCode=647")
    assert status == 200
    first = body["available_phone_numbers"][0]
    assert (first["phone_number"], first["friendly_name"]) == ("+16472000000", "(647) 200-0000")
    assert (first["iso_country"], first["capabilities"]["SMS"]) == ("CA", True)


def test_no_number_is_proposed_twice(twilio):
    """Concurrent users rarely collide because each is offered different numbers."""
    target = f"{API}/AvailablePhoneNumbers/CA/Local.json"
    proposed = [
        number["phone_number"]
        for _ in range(100)
        for number in twilio.get(target)[1]["available_phone_numbers"]
    ]
    assert len(proposed) == len(set(proposed)) == 500


def test_a_number_that_is_owned_is_not_proposed(twilio):
    """Even if it was bought without having been proposed."""
    twilio.post(f"{API}/IncomingPhoneNumbers.json", PhoneNumber="+14162000002")
    _, body = twilio.get(f"{API}/AvailablePhoneNumbers/CA/Local.json?AreaCode=416")
    proposed = [number["phone_number"][-1] for number in body["available_phone_numbers"]]
    assert proposed == ["0", "1", "3", "4", "5"]


def test_a_number_is_bought_once_by_whomever(twilio):
    """The second buyer gets error 21422, even in another account."""
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
    """It is task 3: a filter that names the activity of task 2."""
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
    """Nothing is stored."""
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
    """The address has the call's instructions."""
    form = {"To": GOOD["To"], "From": GOOD["From"], "Url": "http://127.0.0.1/twiml"} | change
    assert twilio.post(f"{API}/Calls.json", **form)[0] == status


@pytest.mark.parametrize(
    "target",
    ["/nothing", "/2010-04-01/Accounts/ACshort/Messages.json", f"{API}/Messages.json/more"],
)
def test_what_does_not_exist_is_twilios_404(twilio, target):
    """So is a malformed account."""
    status, body = twilio.get(target)
    assert (status, body["code"]) == (404, 20404)


def test_the_state_of_an_account_is_all_it_has(twilio):
    """Tests use it to compare what two arms have left behind."""
    twilio.post(f"{API}/Messages.json", **GOOD)
    twilio.post(f"{TASKROUTER}/Activities", FriendlyName="Bathroom")
    state = twilio.get(f"/_state?account=AC{A}")[1]
    assert {name: len(records) for name, records in state.items()} == {
        "messages": 1,
        "activities": 1,
    }
    assert twilio.get(f"/_state?account=AC{B}")[1] == {}


def test_twilio_takes_about_four_milliseconds(peer):
    """The service time of each reply is drawn from the distribution that the report names."""
    assert describe(load("twilio")) == (
        "Twilio REST API (upstream simulator; log-normal service time, median 4 ms)"
    )
    client = peer(Simulator(load("twilio"), seed=1))
    times = [client.ask("GET", f"{API}/Messages.json")[2].after_s for _ in range(1001)]
    assert sorted(times)[500] == pytest.approx(0.004, rel=0.1)
