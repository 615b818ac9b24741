"""The business tools as they run: every face, every switch, and what each mechanism is worth."""

import asyncio
import ipaddress
import json
import ssl
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from mcp import Client

from mcp_targets.business_tools.access import keys
from mcp_targets.business_tools.errors import ToolFailure
from mcp_targets.business_tools.names import KEYS, PROVIDERS
from mcp_targets.business_tools.resilience.pools import Pools
from mcp_targets.business_tools.system import BusinessTools, Sources
from mcp_targets.business_tools.tools.catalog import TEN, declared
from mcp_targets.business_tools.upstreams.client import Upstreams
from mcp_targets.business_tools.upstreams.spec import FOLDER, load_all
from mcp_targets.serving.processes import Child, addresses, providers

pytestmark = pytest.mark.process
NEW = {"email": "ada@example.org"}
WHEN = {"start": "2026-03-01T10:00Z", "end": "2026-03-01T11:00Z"}
CALLS = [
    ("twilio_communication", {"channel": "sms", "to": "+14165550199", "message": "hi"}),
    ("twilio_communication", {"channel": "whatsapp", "to": "+14165550199", "message": "hi"}),
    ("twilio_communication", {"channel": "voice", "to": "+14165550199", "url": "https://a.org/"}),
    ("database_query", {"operation": "count", "collection": "none"}),
    ("crm_operation", {"crm": "hubspot", "operation": "create_contact", "data": NEW}),
    ("crm_operation", {"crm": "salesforce", "operation": "get_deals"}),
    ("web_search", {"query": "load", "search_type": "news", "num_results": 3}),
    ("enrich_data", {"provider": "clearbit", "type": "company", "identifier": "example.org"}),
    ("calendar_operation", {"operation": "create_event", "summary": "Talk", **WHEN}),
    ("send_email", {"to": ["ada@example.org"], "subject": "Hi", "body": "Hello"}),
    ("stripe_operation", {"operation": "create_payment", "amount": 100, "currency": "eur"}),
    ("docs_operation", {"operation": "create", "title": "Page"}),
    ("social_media_post", {"platform": "linkedin", "text": "News"}),
]
"""All ten tools."""


def start(systems, face, flags=""):
    """Return a face of the system with some flags."""
    return systems.face(f"business_tools/{face}{flags}")


async def by_mcp(url, calls):
    """Return the answers of tools, by MCP."""
    async with Client(url) as client:
        return [await client.call_tool(name, arguments) for name, arguments in calls]


def test_every_tool_works_by_mcp_and_in_the_bad_way(systems):
    """With the same answers, but for what is new in each."""
    for face in ("mcp", "naive"):
        answers = asyncio.run(by_mcp(start(systems, face).url, CALLS))
        assert [answer.structured_content for answer in answers if answer.is_error] == []
        assert {name for name, _ in CALLS} == set(TEN)


def test_every_tool_is_listed_with_its_schemas(systems):
    """The ten, and one for each operation of provider files."""

    async def main():
        async with Client(start(systems, "mcp").url) as client:
            return (await client.list_tools()).tools

    tools = {tool.name: tool for tool in asyncio.run(main())}
    assert set(tools) == {*TEN, *declared(load_all(FOLDER))}
    assert all(tool.input_schema["type"] == "object" for tool in tools.values())
    assert all(tool.output_schema["anyOf"] for tool in tools.values())


def test_every_tool_works_by_rest(systems):
    """With a path of its own in the OpenAPI document."""
    face = start(systems, "rest")
    with httpx.Client(base_url=face.url) as client:
        replies = [client.post(f"/tools/{name}", json=arguments) for name, arguments in CALLS]
        assert [reply.text for reply in replies if reply.status_code != 200] == []
        paths = client.get("/openapi.json").json()["paths"]
        assert {f"/tools/{name}" for name in TEN} <= set(paths)


def test_errors_have_the_standard_body(systems):
    """By both faces, and `isError` is set."""
    wrong = ("web_search", {"query": ""})
    (answer,) = asyncio.run(by_mcp(start(systems, "mcp").url, [wrong]))
    reply = httpx.post(start(systems, "rest").url + "/tools/web_search", json=wrong[1])
    assert answer.is_error
    assert reply.status_code == 400
    for body in (answer.structured_content, reply.json(), json.loads(answer.content[0].text)):
        assert set(body["error"]) == {"code", "message", "details", "hint"}
        assert {"provider", "timestamp", "request_id"} <= set(body["error"]["details"])
        assert body["error"]["code"] == "INVALID_ARGUMENTS"


def test_what_cannot_be_read_has_the_standard_body_too(systems):
    """Bytes that are no JSON, JSON that is no object, a path or a method that there is not."""
    with httpx.Client(base_url=start(systems, "rest").url) as client:
        header = {"content-type": "application/json"}
        replies = [
            client.post("/tools/web_search", content=b"\x7f\x0e\xff", headers=header),
            client.post("/tools/web_search", content=b"{", headers=header),
            client.post("/tools/web_search", json=[1]),
            client.post("/tools/nothing", json={}),
            client.get("/nothing"),
            client.get("/tools/web_search"),
        ]
    assert [reply.status_code for reply in replies] == [400, 400, 400, 404, 404, 405]
    for reply in replies:
        assert set(reply.json()["error"]) == {"code", "message", "details", "hint"}
        assert reply.json()["error"]["details"]["request_id"]


def test_what_the_openapi_document_allows_and_forbids_is_answered_as_it_says(systems, tmp_path):
    """Cases that schemathesis makes of it: no failure of the server, no unknown form."""
    flags = "?limits=off&client-limits=off&retry=off&breaker=off"
    url = start(systems, "rest", flags).url
    checks = ("not_a_server_error", "status_code_conformance", "response_schema_conformance")
    command = [str(Path(sys.executable).with_name("st")), "run", f"{url}/openapi.json"]
    command += ["--include-path-regex", f"/tools/({'|'.join(TEN)})", "--phases", "fuzzing"]
    command += ["--max-examples", "2", "--seed", "1", "--checks", ",".join(checks), "--no-color"]
    done = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_health_and_metrics(systems):
    """By the names that the alerts know."""
    with httpx.Client(base_url=start(systems, "rest").url) as client:
        client.post("/tools/docs_operation", json={"operation": "list"})
        health, ready = client.get("/health"), client.get("/health/ready")
        metrics = client.get("/metrics").text
    assert set(health.json()) == {"status", "checks", "timestamp"}
    assert health.json()["checks"]["database"] == "ok"
    assert ready.json() == {"ready": True}
    assert 'mcp_api_calls_total{status="ok",tool="docs_operation"}' in metrics
    assert 'mcp_api_latency_seconds_bucket{le="0.2",tool="docs_operation"}' in metrics
    assert 'mcp_active_connections{service="notion"} 0.0' in metrics


def test_state_is_the_same_by_both_faces(systems):
    """What one wrote, the other finds."""
    mcp, rest = start(systems, "mcp"), start(systems, "rest")
    page = ("docs_operation", {"operation": "create", "title": "Shared"})
    (made,) = asyncio.run(by_mcp(mcp.url, [page]))
    wanted = {"operation": "get", "page_id": made.structured_content["result"]["id"]}
    found = httpx.post(rest.url + "/tools/docs_operation", json=wanted).json()
    assert found["result"] == made.structured_content["result"]


@pytest.fixture(scope="module")
def simulated(tmp_path_factory, _processes):
    """Start the simulator; return where the providers are."""
    folder = tmp_path_factory.mktemp("business")
    arguments = providers(PROVIDERS)
    child = Child("upstream", "upstream", arguments, folder / "ready.json", folder / "log")
    yield addresses(child.ready_file)
    child.stop()


def counted(simulated, provider, what="requests"):
    """Return what a simulated provider has counted."""
    return httpx.get(f"{simulated[provider]}/_counters").json()[what]


def call(simulated, switches, calls):
    """Call tools at once on a server with some switches; return the answers, failures as codes."""

    async def one(system, name, arguments):
        try:
            return await system.call(name, arguments)
        except ToolFailure as failure:
            return failure.code

    async def main():
        given = {**switches, "secrets": KEYS}
        system = BusinessTools(Sources(given=given, addresses=simulated))
        async with system.running():
            return await asyncio.gather(*(one(system, *each) for each in calls))

    return asyncio.run(main())


def test_the_pool_opens_few_connections_and_without_it_each_request_opens_one(simulated):
    """Fewer than 100 for 3000 requests, against 3000: here a fortieth of them."""
    names = ("sendgrid", "notion", "google_calendar")
    calls = [
        ("send_email", {"to": ["a@b.org"], "subject": "s", "body": "b"}),
        ("docs_operation", {"operation": "list"}),
        ("calendar_operation", {"operation": "list_events"}),
    ]
    opened = {}
    for pool in ("on", "off"):
        before = sum(counted(simulated, name, "connections_opened") for name in names)

        async def main(pool=pool):
            given = {"pool": pool, "limits": "off", "secrets": KEYS}
            system = BusinessTools(Sources(given=given, addresses=simulated))
            async with system.running():
                for _ in range(6):
                    rounds = [system.call(*one) for one in calls for _ in range(4)]
                    await asyncio.gather(*rounds)

        asyncio.run(main())
        after = sum(counted(simulated, name, "connections_opened") for name in names)
        opened[pool] = after - before
    assert opened["off"] == 72
    assert opened["on"] <= 12


def test_the_cache_makes_one_call_of_many(simulated):
    """A hundred at once are one request with it, and a hundred without."""
    asked = {}
    for cache in ("on", "off"):
        before = counted(simulated, "websearch")
        search = ("web_search", {"query": f"cache {cache}"})
        call(simulated, {"cache": cache, "limits": "off"}, [search] * 100)
        asked[cache] = counted(simulated, "websearch") - before
    assert asked == {"on": 1, "off": 100}


def test_the_rate_limit_refuses_what_the_provider_would(simulated):
    """A hundred in ten seconds; all pass without it."""
    listing = ("crm_operation", {"operation": "get_deals", "crm": "hubspot"})
    refused = {
        limits: call(simulated, {"limits": limits}, [listing] * 130).count("RATE_LIMITED")
        for limits in ("on", "off")
    }
    assert refused == {"on": 30, "off": 0}


def test_retry_and_breaker_are_seen_by_the_provider(simulated):
    """Three requests a call with retry, one without; five with a breaker, and no more."""
    asked, last = {}, {}
    httpx.post(f"{simulated['notion']}/_faults", json={"error_rate": 1})
    listing = ("docs_operation", {"operation": "list"})
    try:
        for retry, breaker in (("on", "off"), ("off", "off"), ("off", "on")):
            before = counted(simulated, "notion")

            async def main(retry=retry, breaker=breaker):
                given = {"retry": retry, "breaker": breaker, "secrets": KEYS}
                system = BusinessTools(Sources(given=given, addresses=simulated))
                async with system.running():
                    for _ in range(6):
                        with pytest.raises(ToolFailure) as failure:
                            await system.call(*listing)
                return failure.value.code

            last[retry, breaker] = asyncio.run(main())
            asked[retry, breaker] = counted(simulated, "notion") - before
    finally:
        httpx.post(f"{simulated['notion']}/_faults", json={})
    assert asked == {("on", "off"): 18, ("off", "off"): 6, ("off", "on"): 5}
    assert last[("off", "on")] == "CIRCUIT_OPEN"
    assert last[("off", "off")] == "NOTION_UNAVAILABLE"


@pytest.mark.parametrize("name", [name for name in PROVIDERS if name != "twilio"])
def test_each_provider_plays_an_authentication_failure_and_a_429(simulated, name):
    """And the server tells both by their codes."""
    about = load_all(FOLDER)[name]
    operation = next(iter(about.operations))
    made = {"to": ["a@b.org"], "from": "a@b.org", "properties": {}, "email": "a@b.org"}
    made |= {"email_address": "a@b.org", "status": "pending", "hash": "a" * 32, **WHEN}
    made |= {"price": 1, "amount": 1, "currency": "EUR"}
    arguments = {key: made.get(key, "a") for key in about.operations[operation].required}

    class Wrong:
        async def token(self, _):
            return "wrong"

    async def main():
        pools = Pools(kept=True)
        asking = Upstreams(
            {name: about},
            pools,
            lambda _: "wrong",
            addresses=simulated,
            retry=False,
            oauth={name: Wrong()},
        )
        codes = []
        for _ in range(2):
            with pytest.raises(ToolFailure) as failure:
                await asking.ask(name, operation, arguments)
            codes.append(failure.value.code)
        await pools.close()
        return codes

    limit = {"requests": 1, "per_s": 1000}
    httpx.post(f"{simulated[name]}/_faults", json={"rate_limit": limit})
    try:
        assert asyncio.run(main()) == [f"{name.upper()}_AUTH_FAILED", "PROVIDER_RATE_LIMITED"]
    finally:
        httpx.post(f"{simulated[name]}/_faults", json={})


def test_a_timetable_makes_a_provider_fail_and_recover(simulated):
    """At its times, and for one route if it says so."""
    url = simulated["sentry"]
    headers = {"authorization": f"Bearer {KEYS['sentry']}"}
    now = [{"at": 0, "for": 60, "error_rate": 1, "route": "list_issues"}]
    assert httpx.post(f"{url}/_timetable", json=now).status_code == 200
    assert httpx.get(f"{url}/issues", headers=headers).status_code == 500
    assert httpx.post(f"{url}/issues", headers=headers, json={"title": "x"}).status_code == 201
    later = [{"at": 60, "for": 60, "error_rate": 1}]
    httpx.post(f"{url}/_timetable", json=later)
    assert httpx.get(f"{url}/issues", headers=headers).status_code == 200
    assert httpx.post(f"{url}/_timetable", json=[{"at": -1, "for": 1}]).status_code == 400


def certificate(folder):
    """Write a certificate for this machine and its key; return both paths."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
        .add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, clear = serialization.Encoding.PEM, serialization.NoEncryption()
    paths = folder / "cert.pem", folder / "key.pem"
    paths[0].write_bytes(made.public_bytes(pem))
    paths[1].write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, clear))
    return paths


def test_the_server_speaks_tls_and_asks_for_a_login(tmp_path):
    """With a certificate of its own; without it nothing is answered."""
    cert, key_file = certificate(tmp_path)
    key, known = keys.new_key()
    config = tmp_path / "settings.yaml"
    uri = "mongodb://127.0.0.1:9"
    config.write_text(json.dumps({"api_keys": {"shop/1": known}, "mongodb_uri": uri}))
    log = tmp_path / "log"
    flags = ("--tls-cert", str(cert), "--tls-key", str(key_file), "--config", str(config))
    flags += ("--auth", "on", "--live")
    server = Child("server", "business_tools", flags, tmp_path / "ready.json", log)
    try:
        url = f"https://127.0.0.1:{server.port()}"
        with httpx.Client(verify=ssl.create_default_context(cafile=cert)) as client:
            assert client.get(f"{url}/tools").status_code == 401
            found = client.get(f"{url}/tools", headers={"x-api-key": key})
            assert set(TEN) <= set(found.json()["tools"])
        with pytest.raises(httpx.TransportError):
            httpx.get(url.replace("https", "http"))
        with pytest.raises(httpx.ConnectError, match="certificate"):
            httpx.get(url)
        assert key not in log.read_text()
    finally:
        server.stop()
