"""Settings, secrets, tokens, provider files and plugins of the business tools, and hot reload."""

import asyncio
import json
import os
from argparse import ArgumentParser
from pathlib import Path

import httpx2
import pytest
from cryptography.fernet import Fernet

from mcp_targets.business_tools import options, plugins, settings
from mcp_targets.business_tools.errors import ToolFailure, Unavailable
from mcp_targets.business_tools.system import BusinessTools, Sources
from mcp_targets.business_tools.telemetry import redacted
from mcp_targets.business_tools.upstreams import spec
from mcp_targets.business_tools.upstreams.exchange import answer_of, request
from mcp_targets.business_tools.upstreams.oauth import OAuthTenants
from tests.support.virtual_time import run

CANARY = "canary-" * 6
SHOP = """
provider: shop
title: Shop
category: e-commerce
base_url: https://api.shop.example/v1
auth: {kind: header, name: X-Key, key_format: 'key_\\w+'}
operations:
  get_order:
    description: Look an order up.
    request: GET /orders/{id}
    input: {id: {type: string}, full: {type: boolean}}
    required: [id]
"""
PLUGIN = """
from mcp_targets.business_tools.tools.tool import Tool

VERSION = "%s"


async def run(arguments, context):
    said = {"provider": "plugin", "operation": "hello", "cached": False}
    return {**said, "result": {"version": VERSION}}


TOOLS = [Tool("hello", "Say hello.", {"type": "object"}, run)]
"""


@pytest.fixture
def shop(tmp_path):
    """Return a provider from a file."""
    path = tmp_path / "shop.yaml"
    path.write_text(SHOP)
    return spec.load(path)


def test_secrets_are_encrypted_at_rest_and_their_keys_can_be_rotated(tmp_path):
    """A new key encrypts, the old one still decrypts; no error shows a secret."""
    old, new = (Fernet.generate_key().decode() for _ in range(2))
    kept = settings.SecretBox(old).close(CANARY)
    assert CANARY not in kept
    path = tmp_path / "settings.yaml"
    path.write_text(json.dumps({"secrets": {"slack": kept}, "jwt_secret": kept}))
    for keys in (old, f"{new},{old}"):
        found = settings.load(path, keys)
        assert found.secrets["slack"].get_secret_value() == CANARY
        assert found.jwt_secret.get_secret_value() == CANARY
        assert CANARY not in repr(found)
    for keys in ("", new):
        with pytest.raises(ValueError, match="BUSINESS_TOOLS_KEY") as refused:
            settings.load(path, keys)
        assert CANARY not in str(refused.value)
    with pytest.raises(ValueError, match="BUSINESS_TOOLS_KEY"):
        settings.SecretBox("").close(CANARY)


def test_settings_come_from_files_and_the_environment(tmp_path, monkeypatch):
    """Given values take precedence over the environment, and the environment over `.env`."""
    path = tmp_path / ".env.production"
    path.write_text("BUSINESS_TOOLS_CACHE=off\nBUSINESS_TOOLS_RETRY=off\nBUSINESS_TOOLS_POOL=off\n")
    monkeypatch.setenv("BUSINESS_TOOLS_RETRY", "on")
    found = settings.load(path, pool="on")
    assert (found.cache, found.retry, found.pool) == ("off", "on", "on")


def test_a_database_that_the_environment_names_is_used(monkeypatch):
    """No embedded one is started then."""
    uri = "mongodb://documents.example"
    monkeypatch.setenv("BUSINESS_TOOLS_MONGODB_URI", uri)
    parser = ArgumentParser()
    options.add(parser)
    with options.sources(parser.parse_args(["--live"])) as sources:
        assert sources.settings().mongodb_uri.get_secret_value() == uri


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("cache: maybe", "setting cache"),
        ("unknown: 1", "setting unknown"),
        ("[1]", "one setting a line"),
        ("a: [", "cannot read"),
        (f"body_limit: {CANARY}", "setting body_limit"),
    ],
)
def test_a_wrong_setting_is_named_and_its_value_is_not_shown(tmp_path, text, match):
    """The value may be a secret in the wrong place."""
    path = tmp_path / "settings.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=match) as refused:
        settings.load(path)
    assert CANARY not in str(refused.value)
    with pytest.raises(ValueError, match="cannot read"):
        settings.load(tmp_path / "none.yaml")


def test_a_key_that_cannot_be_the_providers_is_refused():
    """At the start, not at the first call; the key is not repeated."""
    with pytest.raises(ValueError, match="key of slack") as refused:
        BusinessTools(Sources(given={"secrets": {"slack": CANARY}}))
    assert CANARY not in str(refused.value)


def test_logs_blot_out_what_has_the_name_of_a_secret():
    """Nothing else is masked."""
    event = {"event": "x", "api_key": CANARY, "jwt_token": CANARY, "tool": "web_search"}
    said = redacted(None, "", event)
    assert said == {"event": "x", "api_key": "***", "jwt_token": "***", "tool": "web_search"}


def tenants(grants, lifetime_s=3600):
    """Return tenants of a provider that issues tokens after a second and records grants."""

    async def answer(asked):
        grants.append(dict(httpx2.QueryParams(asked.content.decode())))
        await asyncio.sleep(1)
        if grants[-1].get("code") == "wrong":
            return httpx2.Response(400, json={"error": "invalid_grant"})
        if grants[-1].get("code") == "late":
            return httpx2.Response(503, text="<html>")
        token = {"token_type": "Bearer", "expires_in": lifetime_s}
        tokens = {"access_token": f"at{len(grants)}", "refresh_token": f"rt{len(grants)}"}
        return httpx2.Response(200, json=token | tokens)

    transport = httpx2.MockTransport(answer)
    return OAuthTenants("crm", "https://crm.example", "id", CANARY, transport=transport)


def test_a_hundred_who_find_a_token_expired_cause_one_refresh():
    """All get the new one."""

    async def main():
        grants = []
        oauth = tenants(grants)
        first = await asyncio.gather(*(oauth.token() for _ in range(100)))
        assert (set(first), len(grants)) == ({"at1"}, 1)
        await asyncio.sleep(3600)
        second = await asyncio.gather(*(oauth.token() for _ in range(100)))
        assert (set(second), len(grants)) == ({"at2"}, 2)
        assert grants[1]["grant_type"] == "refresh_token"
        await oauth.close()

    run(main)


def test_a_tenant_agrees_once_and_has_tokens_of_its_own():
    """A code is valid for the state that requested it, once and for ten minutes."""

    async def main():
        grants = []
        oauth = tenants(grants)
        url = httpx2.URL(oauth.authorise("shop"))
        state = url.params["state"]
        assert url.path == "/oauth/authorize"
        assert await oauth.callback(state, "code") == "shop"
        assert await oauth.token("shop") == "at1"
        assert await oauth.token() == "at2"
        for again in (state, "forged"):
            with pytest.raises(ToolFailure, match="nobody asked"):
                await oauth.callback(again, "code")
        with pytest.raises(ToolFailure, match="has not agreed") as refused:
            await oauth.token("other")
        assert "/oauth/crm/authorise" in refused.value.hint
        state = httpx2.URL(oauth.authorise("slow")).params["state"]
        await asyncio.sleep(601)
        with pytest.raises(ToolFailure, match="nobody asked"):
            await oauth.callback(state, "code")
        state = httpx2.URL(oauth.authorise("other")).params["state"]
        with pytest.raises(ToolFailure) as failed:
            await oauth.callback(state, "wrong")
        assert failed.value.code == "CRM_AUTH_FAILED"
        assert CANARY not in str(failed.value.body("r"))
        state = httpx2.URL(oauth.authorise("other")).params["state"]
        with pytest.raises(Unavailable):
            await oauth.callback(state, "late")
        await oauth.close()

    run(main)


def test_every_shipped_provider_file_is_complete():
    """Twelve or more are tools without code, each with three or more operations; all ten kinds."""
    shipped = spec.load_all(spec.FOLDER)
    declared = [one for one in shipped.values() if one.tools]
    assert len(declared) >= 12
    assert [one.provider for one in declared if len(one.operations) < 3] == []
    assert {one.category for one in declared} >= {
        *("AI/ML", "communication", "analytics", "e-commerce", "project management"),
        *("cloud", "monitoring", "marketing", "finance", "security"),
    }
    assert [one.provider for one in shipped.values() if not one.rate_limits] == []
    kept = {
        "websearch": 3600,
        "clearbit": 86400,
        "hunter": 86400,
        "hubspot": 300,
        "salesforce": 300,
    }
    for name, time_s in kept.items():
        assert max(one.cache_s for one in shipped[name].operations.values()) == time_s


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ("base_url: https:", "base_url: file:", "base_url"),
        ("https://api.shop", "https://user@api.shop", "base_url"),
        ("GET /orders/{id}", "FETCH /orders", "request"),
        ("required: [id]", "required: [nothing]", "nothing"),
        ("{type: string}", "{type: strnig}", "strnig"),
        ("title: Shop", "titel: Shop", "titel"),
        (r"key_\w+", "key_(", "key_format"),
    ],
)
def test_a_mistake_in_a_provider_file_is_named(tmp_path, old, new, match):
    """The message has its file."""
    path = tmp_path / "shop.yaml"
    path.write_text(SHOP.replace(old, new))
    with pytest.raises(ValueError, match=match) as refused:
        spec.load(path)
    assert "shop.yaml" in str(refused.value)


@pytest.mark.parametrize(
    "value",
    ["../admin", "..", ".", "a/b", "?x=1", "#x", "//evil.example", "%2e%2e", "a\r\nb", "${x}"],
)
def test_a_value_leaves_neither_its_place_in_the_path_nor_the_provider(shop, value):
    """Any value is one segment; templates in it stay text."""
    _, url, parts = request(shop, shop.operations["get_order"], {"id": value, "full": True}, "k")
    sent = httpx2.Request("GET", url, params=parts["params"])
    path = sent.url.raw_path.decode().partition("?")[0]
    assert sent.url.host == "api.shop.example"
    assert path.startswith("/v1/orders/")
    assert path.count("/") == 3
    assert parts["headers"] == {"X-Key": "k"}


@pytest.mark.parametrize(
    ("status", "content", "code"),
    [
        (401, b"{}", "SHOP_AUTH_FAILED"),
        (404, b"{}", "SHOP_NOT_FOUND"),
        (409, b'{"message": "taken"}', "SHOP_REFUSED"),
        (422, b'{"error": {"message": "bad"}}', "SHOP_REFUSED"),
        (429, b"", "PROVIDER_RATE_LIMITED"),
        (503, b"<html>", "SHOP_UNAVAILABLE"),
        (200, b"<html>", "SHOP_UNAVAILABLE"),
    ],
)
def test_each_reply_has_its_code(status, content, code):
    """A refusal has the provider's message."""
    with pytest.raises(ToolFailure) as failure:
        answer_of("shop", status, {}, content)
    assert failure.value.code == code
    assert answer_of("shop", 200, {}, b"[1]") == {"items": [1]}
    assert answer_of("shop", 204, {}, b"") == {}


def touch(path, text):
    """Write a file with a newer time than before."""
    path.write_text(text)
    later = path.stat().st_mtime_ns + 1_000_000_000
    os.utime(path, ns=(later, later))


def test_changes_are_applied_while_calls_are_under_way(tmp_path):
    """No call fails: one in progress keeps the old settings, the next has new ones."""
    config, folder, more = (tmp_path / name for name in ("settings.yaml", "plugins", "providers"))
    folder.mkdir()
    more.mkdir()
    config.write_text("cache: 'on'")
    plugin = folder / "hello.py"
    slow = PLUGIN.replace("    said", "    import asyncio\n    await asyncio.sleep(5)\n    said")
    plugin.write_text(slow % "1.0")

    async def main():
        log = tmp_path / "audit.log"
        system = BusinessTools(
            Sources(file=config, plugins_folder=folder, providers=more), audit=log
        )
        async with system.running():
            under_way = [asyncio.create_task(system.call("hello", {})) for _ in range(20)]
            await asyncio.sleep(1)
            touch(plugin, PLUGIN % "2.0")
            touch(more / "shop.yaml", SHOP)
            touch(config, "cache: 'off'")
            await asyncio.sleep(1)
            assert system.reloads == 1
            assert (await system.call("hello", {}))["result"] == {"version": "2.0"}
            assert {one["result"]["version"] for one in await asyncio.gather(*under_way)} == {"1.0"}
            assert system.tools()["hello"].version == "2.0"
            assert "shop_get_order" in system.tools()
            assert not system.settings.on("cache")
            touch(config, "cache: maybe")
            await asyncio.sleep(1)
            assert not system.settings.on("cache")
        written = [json.loads(line) for line in log.read_text().splitlines()]
        changes = [one for one in written if one["event"] == "configuration_change"]
        assert [one["end"] for one in changes] == ["applied", "refused"]
        assert changes[0]["settings"] == ["cache"]
        assert len(written) == 23

    run(main)


def test_a_reload_forgets_nothing_that_stays_as_it_is(tmp_path):
    """Open breakers, counts, answers and tenants' agreements stay; changed parts are new."""
    config = tmp_path / "settings.yaml"
    config.write_text("{}")

    async def main():
        system = BusinessTools(Sources(file=config))
        async with system.running():
            before = system.machinery
            breaker = before.upstreams.breakers["slack"]
            config.write_text("{client_rate: {requests: 1, per_s: 1}, pool: 'off'}")
            assert await system.reload()
            after = system.machinery
            assert after.upstreams.breakers["slack"] is breaker
            for name in ("answers", "limiter"):
                assert getattr(after.upstreams, name) is getattr(before.upstreams, name)
            assert after.upstreams.oauth == before.upstreams.oauth != {}
            assert after.clients is before.clients
            assert after.database is not before.database
            assert after.upstreams.pools is not before.upstreams.pools
            config.write_text("{cache: 'off', secrets: {salesforce: another-client}}")
            assert await system.reload()
            assert system.machinery.upstreams.answers is None
            assert system.machinery.upstreams.oauth != before.upstreams.oauth

    run(main)


def test_a_call_that_takes_too_long_is_ended(tmp_path):
    """With the mechanism off it goes on."""
    slow = PLUGIN.replace("    said", "    import asyncio\n    await asyncio.sleep(9)\n    said")
    (tmp_path / "slow.py").write_text(slow % "1.0")

    async def main():
        for switch in ("on", "off"):
            given = {"request_timeout_s": 5, "timeouts": switch}
            system = BusinessTools(Sources(given=given, plugins_folder=tmp_path))
            async with system.running():
                if switch == "on":
                    with pytest.raises(ToolFailure) as failure:
                        await system.call("hello", {})
                    assert failure.value.code == "TIMEOUT"
                else:
                    await system.call("hello", {})

    run(main)


def test_what_breaks_is_a_standard_error(tmp_path):
    """Without the exception's message, which could contain a secret."""
    broken = PLUGIN.replace("    said", f"    raise KeyError('{CANARY}')\n    said")
    (tmp_path / "broken.py").write_text(broken % "1.0")

    async def main():
        system = BusinessTools(Sources(plugins_folder=tmp_path))
        async with system.running():
            with pytest.raises(ToolFailure) as failure:
                await system.call("hello", {})
            assert failure.value.code == "INTERNAL"
            assert CANARY not in str(failure.value.body("r"))
            with pytest.raises(ToolFailure, match="no tool"):
                await system.call("nothing", {})

    run(main)


@pytest.mark.parametrize(
    ("text", "match"),
    [("x = 1", "VERSION and TOOLS"), ("1/0", "ZeroDivisionError"), ("def", "SyntaxError")],
)
def test_a_plugin_that_cannot_be_used_is_named(tmp_path, text, match):
    """The server goes on without it."""
    (tmp_path / "bad.py").write_text(text)
    with pytest.raises(ValueError, match=match):
        plugins.load(tmp_path)
    for name in ("a", "b"):
        (tmp_path / "bad.py").write_text(PLUGIN % "1")
        (tmp_path / f"{name}.py").write_text(PLUGIN % "1")
    with pytest.raises(ValueError, match="two plugins"):
        plugins.load(tmp_path)


def test_without_plugins_there_are_none():
    """Unless a package installed one."""
    assert plugins.load(None) == {}
    assert Path(spec.FOLDER).is_dir()
