"""Who may call the business tools, from where and how much, and what is logged."""

import asyncio
import json

import httpx
import pytest

from mcp_targets.business_tools.access import keys, tokens
from mcp_targets.business_tools.access.addresses import allowed, check_target
from mcp_targets.business_tools.access.audit import Audit
from mcp_targets.business_tools.access.guard import WHO, Guard
from mcp_targets.business_tools.errors import ToolFailure
from mcp_targets.business_tools.resilience.limits import RateLimit, RateLimiter
from mcp_targets.business_tools.settings import Settings
from tests.support.virtual_time import run

SECRET = "canary-" * 6


async def answered(scope, receive, send):
    """Answer with the caller, and the amount that was sent."""
    message = await receive()
    body = json.dumps({"who": scope[WHO], "bytes": len(message.get("body", b""))}).encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


def through(path, requests, address="127.0.0.1", **given):
    """Send requests through a guard with some settings; return the replies and the audit log."""

    async def main():
        audit = Audit(path)
        settings = Settings(**given)
        limiter = RateLimiter("CLIENT_RATE_LIMITED")
        guard = Guard(answered, lambda: settings, audit, lambda: limiter)
        transport = httpx.ASGITransport(guard, client=(address, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://tools") as client:
            replies = [await client.request(*one[:2], **one[2]) for one in requests]
        audit.close()
        return replies, [json.loads(line) for line in path.read_text().splitlines()]

    return asyncio.run(main())


def test_only_who_shows_a_key_or_a_token_is_let_through(tmp_path):
    """Under its client's name; failed logins are logged without the credentials."""
    key, known = keys.new_key()
    good = tokens.issue(SECRET, "office", 60)
    shown = (
        {},
        {"x-api-key": "wrong-canary"},
        {"authorization": f"Bearer {tokens.issue('another' * 6, 'shop', 60)}"},
        {"x-api-key": key},
        {"authorization": f"Bearer {key}"},
        {"authorization": f"Bearer {good}"},
    )
    requests = [("GET", "/tools", {"headers": headers}) for headers in shown]
    path = tmp_path / "audit.log"
    given = {"auth": "on", "api_keys": {"shop/1": known}, "jwt_secret": SECRET}
    replies, written = through(path, [*requests, ("GET", "/health", {})], **given)
    assert [reply.status_code for reply in replies] == [401, 401, 401, 200, 200, 200, 200]
    assert [reply.json()["who"] for reply in replies[3:6]] == ["shop", "shop", "office"]
    assert replies[0].headers["www-authenticate"] == "Bearer"
    assert [one["event"] for one in written] == ["login_failed"] * 3
    assert "canary" not in path.read_text()
    assert known not in replies[0].text


def test_without_the_audit_log_nothing_is_written_down(tmp_path):
    """From the moment when it is switched off until it is switched on."""
    path, on = tmp_path / "audit.log", [True]
    audit = Audit(path, lambda: on[-1])
    for switched in (True, False, True):
        on.append(switched)
        audit.write("webhook", "shop")
    assert audit.counts == {"webhook": 2}
    audit.close()
    assert len(path.read_text().splitlines()) == 2


def test_without_the_switch_everybody_is_let_through(tmp_path):
    """Under the address as name."""
    replies, written = through(tmp_path / "log", [("GET", "/tools", {})], auth="off")
    assert replies[0].json()["who"] == "127.0.0.1"
    assert written == []


def test_keys_are_rotated_without_a_gap():
    """Both keys work until the old one is removed; only hashes are kept."""
    (old, first), (new, second) = keys.new_key(), keys.new_key()
    both = {"shop/1": first, "shop/2": second}
    assert {keys.client_of(key, both) for key in (old, new)} == {"shop"}
    assert keys.client_of(old, {"shop/2": second}) is None
    assert old not in first


def test_a_token_is_good_for_its_time_and_only_as_it_was_signed():
    """No token is accepted without a secret, with another one, or without a signature."""

    async def main():
        token = tokens.issue(SECRET, "shop", 60)
        assert tokens.client_of(token, SECRET) == "shop"
        assert tokens.client_of(token, "") is None
        assert tokens.client_of("nonsense", SECRET) is None
        unsigned = "eyJhbGciOiJub25lIn0." + token.split(".")[1] + "."
        assert tokens.client_of(unsigned, SECRET) is None
        await asyncio.sleep(61)
        assert tokens.client_of(token, SECRET) is None

    run(main)


def test_calls_from_elsewhere_are_not_taken(tmp_path):
    """They are refused unless their network is allowed."""
    ask = [("GET", "/tools", {})]
    replies, written = through(tmp_path / "log", ask, address="203.0.113.9")
    assert replies[0].status_code == 403
    assert written[0]["why"] == "address"
    network = ("203.0.113.0/24",)
    replies, _ = through(tmp_path / "b", ask, address="203.0.113.9", allowed_addresses=network)
    assert replies[0].status_code == 200
    assert allowed("::ffff:127.0.0.1", ["127.0.0.0/8"])
    assert not allowed("nonsense", ["127.0.0.0/8"])
    assert allowed("nonsense", [])


def test_a_client_is_served_no_faster_than_it_may(tmp_path):
    """With the mechanism off, all requests are served."""
    ask = [("GET", "/tools", {})] * 5
    rate = RateLimit(requests=3, per_s=60)
    for switch, refused in (("on", 2), ("off", 0)):
        replies, _ = through(tmp_path / switch, ask, client_rate=rate, client_limits=switch)
        late = [reply for reply in replies if reply.status_code == 429]
        assert len(late) == refused
        assert all(0 < int(reply.headers["retry-after"]) <= 60 for reply in late)


async def pieces():
    """Send a body of unknown length."""
    for _ in range(4):
        yield b"x" * 500


def test_a_body_that_is_too_large_is_refused(tmp_path):
    """With or without a stated length; with the mechanism off it is accepted."""
    ask = [
        ("POST", "/tools", {"content": b"x" * 2000}),
        ("POST", "/tools", {"content": pieces()}),
        ("POST", "/tools", {"content": b"x" * 1000}),
    ]
    replies, _ = through(tmp_path / "on", ask, body_limit=1000)
    assert [reply.status_code for reply in replies] == [413, 413, 200]
    assert replies[2].json()["bytes"] == 1000
    ask[1] = ("POST", "/tools", {"content": pieces()})
    replies, _ = through(tmp_path / "off", ask, body_limit=1000, timeouts="off")
    assert [reply.status_code for reply in replies] == [200] * 3


@pytest.mark.parametrize(
    ("url", "addresses"),
    [
        ("http://example.org/", ["93.184.216.34"]),
        ("https://example.org/", ["127.0.0.1"]),
        ("https://example.org/", ["93.184.216.34", "10.0.0.1"]),
        ("https://metadata/", ["169.254.169.254"]),
        ("https://[::1]/", ["::1"]),
        ("https://user@example.org/", ["93.184.216.34"]),
        ("https://example.org:99999/", ["93.184.216.34"]),
        ("file:///etc/passwd", []),
        ("gopher://example.org/", ["93.184.216.34"]),
        ("https://unknown/", None),
    ],
)
def test_the_server_is_not_sent_to_where_it_must_not_go(url, addresses):
    """Not to itself or its network, and not by other protocols."""

    async def resolve(_, __):
        if addresses is None:
            raise OSError
        return addresses

    with pytest.raises(ToolFailure) as refused:
        asyncio.run(check_target(url, [], resolve))
    assert refused.value.code == "ADDRESS_REFUSED"


def test_public_addresses_and_named_hosts_are_allowed():
    """By name, or by name and port; a public host by the address that was checked."""

    async def resolve(_, __):
        return ["93.184.216.34"]

    async def main():
        assert await check_target("https://example.org/hook", [], resolve) == "93.184.216.34"
        hosts = ["127.0.0.1:8000"]
        assert await check_target("http://127.0.0.1:8000/hook", hosts, resolve) == "127.0.0.1"

    asyncio.run(main())
