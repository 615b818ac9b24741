"""Webhooks of the business tools: outgoing ones are signed and retried, incoming ones checked."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from urllib.parse import urlencode

import httpx2
import pytest

from mcp_targets.business_tools.errors import ToolFailure
from mcp_targets.business_tools.webhooks.incoming import Incoming
from mcp_targets.business_tools.webhooks.outgoing import Outgoing
from mcp_targets.business_tools.webhooks.signatures import sign, verify
from mcp_targets.business_tools.webhooks.subscriptions import Subscriptions, Wanted
from tests.support.virtual_time import run

URL = "https://shop.example.org/hook"


async def anywhere(_):
    """Allow every address; the shop's is from a documentation range."""
    return "203.0.113.9"


def delivery(statuses, event="message.sent", check=anywhere):
    """Deliver an event to a receiver with these answers; return what it got, and the counts."""

    async def main():
        got = []

        def receive(request):
            got.append((time.time(), request))
            return httpx2.Response(statuses.pop(0) if statuses else 200)

        subscriptions = Subscriptions()
        added = subscriptions.add("shop", Wanted(url=URL, events=("message.sent",)))
        outgoing = Outgoing(subscriptions, check, transport=httpx2.MockTransport(receive))
        outgoing.emit(event, {"n": 1})
        await outgoing.settle()
        await outgoing.close()
        secret = added.secret.get_secret_value()
        for at, request in got:
            assert str(request.url) == "https://203.0.113.9/hook"
            assert request.headers["host"] == "shop.example.org"
            assert request.extensions["sni_hostname"] == "shop.example.org"
            header = request.headers["x-webhook-signature"]
            assert verify(secret, request.content, header, at)
            assert not verify("whsec_other", request.content, header, at)
        return got, outgoing

    return run(main)


def test_an_event_is_delivered_signed():
    """To its subscribers, once."""
    got, outgoing = delivery([])
    assert [json.loads(request.content)["data"] for _, request in got] == [{"n": 1}]
    assert (outgoing.delivered, outgoing.given_up) == (1, 0)
    assert delivery([], event="another")[0] == []


def test_a_receiver_that_fails_is_asked_again_with_growing_pauses():
    """With the same id, which lets it recognise a repeat."""
    got, outgoing = delivery([500, 503])
    assert len({request.headers["x-webhook-id"] for _, request in got}) == 1
    times = [at for at, _ in got]
    assert times[2] - times[1] > times[1] - times[0] - 0.5
    assert times[1] - times[0] >= 0.5
    assert (len(got), outgoing.delivered) == (3, 1)


def test_a_receiver_that_goes_on_failing_is_given_up():
    """After five attempts."""
    got, outgoing = delivery([500] * 9)
    assert (len(got), outgoing.delivered, outgoing.given_up) == (5, 0, 1)


def test_an_address_that_must_not_be_asked_is_not():
    """It is checked before each attempt, because a name's address can change."""

    async def refuse(_):
        raise ToolFailure("ADDRESS_REFUSED", "no")

    got, outgoing = delivery([], check=refuse)
    assert (got, outgoing.given_up) == ([], 1)


def test_webhooks_belong_to_their_client():
    """Another client cannot see, remove or receive them; secrets are not shown again."""
    subscriptions = Subscriptions()
    added = subscriptions.add("shop", Wanted(url=URL, events=("*",)))
    assert subscriptions.of("other") == []
    assert subscriptions.wanting("message.sent", "other") == []
    assert subscriptions.wanting("message.sent", "shop") == [added]
    with pytest.raises(ToolFailure, match="no such webhook"):
        subscriptions.remove("other", added.id)
    assert added.secret.get_secret_value() not in repr(subscriptions.of("shop"))
    subscriptions.remove("shop", added.id)
    assert subscriptions.wanting("message.sent") == []


def test_an_old_or_forged_signature_is_wrong():
    """Replays are refused, and so is everything without a secret."""
    header = sign("secret", b"{}", 1000.0)
    assert verify("secret", b"{}", header, 1200.0)
    assert not verify("secret", b"{}", header, 1400.0)
    assert not verify("secret", b"{ }", header, 1000.0)
    assert not verify("", b"{}", sign("", b"{}", 1000.0), 1000.0)
    assert not verify("secret", b"{}", "nonsense", 1000.0)


def status(sid="SM1", state="delivered", secret="token"):
    """Return a status callback with Twilio's signature."""
    form = {"MessageSid": sid, "MessageStatus": state}
    text = URL + "".join(name + form[name] for name in sorted(form))
    mac = hmac.new(secret.encode(), text.encode(), hashlib.sha1).digest()
    signature = base64.b64encode(mac).decode()
    return {"x-twilio-signature": signature}, urlencode(form).encode()


def test_a_status_callback_is_worked_on_once():
    """However often it arrives."""
    incoming = Incoming()
    taken = [incoming.process_webhook("twilio", URL, *status(), "token") for _ in range(3)]
    assert [new for _, new in taken] == [True, False, False]
    assert taken[0][0]["MessageStatus"] == "delivered"
    headers, body = status(state="read")
    assert incoming.process_webhook("twilio", URL, headers, body, "token")[1]


@pytest.mark.parametrize("provider", ["twilio", "stripe", "shop"])
def test_a_wrong_signature_is_refused(provider):
    """Even if no secret is known."""
    headers, body = status(secret="another")
    for secret in ("token", ""):
        with pytest.raises(ToolFailure) as refused:
            Incoming().process_webhook(provider, URL, headers, body, secret)
        assert refused.value.status == 401


def test_an_event_of_stripe_is_taken():
    """With its own header; anything other than an object is refused."""
    for body, good in ((b'{"id": "evt_1"}', True), (b"[]", False)):
        headers = {"stripe-signature": sign("whsec", body, time.time())}
        if good:
            said = Incoming().process_webhook("stripe", URL, headers, body, "whsec")
            assert said == ({"id": "evt_1"}, True)
        else:
            with pytest.raises(ToolFailure, match="not a JSON object"):
                Incoming().process_webhook("stripe", URL, headers, body, "whsec")


def test_what_is_under_way_ends_with_the_server():
    """It does not wait for receivers that do not answer."""

    async def main():
        async def never(_):
            await asyncio.sleep(3600)

        subscriptions = Subscriptions()
        subscriptions.add("shop", Wanted(url=URL, events=("*",)))
        outgoing = Outgoing(subscriptions, never)
        outgoing.emit("message.sent", {})
        await asyncio.sleep(0)
        began = time.time()
        await outgoing.close()
        assert time.time() == began

    run(main)
