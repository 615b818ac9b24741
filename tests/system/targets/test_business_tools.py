"""The running business tools: every face, every switch, and the effect of each mechanism."""

import asyncio
import gc
import itertools
import json
import re
import shlex
from pathlib import Path

import httpx
import pytest
import schemathesis
from hypothesis import Phase, given, settings, strategies
from mcp import Client
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance
from starlette.testclient import TestClient

from mcp_targets.business_tools.errors import ToolFailure
from mcp_targets.business_tools.faces import app
from mcp_targets.business_tools.names import KEYS, PROVIDERS
from mcp_targets.business_tools.resilience.pools import Pools
from mcp_targets.business_tools.settings import Settings
from mcp_targets.business_tools.system import BusinessTools, Sources
from mcp_targets.business_tools.tools.catalog import TEN, declared
from mcp_targets.business_tools.upstreams.client import Upstreams
from mcp_targets.business_tools.upstreams.spec import FOLDER, load_all
from mcp_targets.serving.processes import addresses

pytestmark = pytest.mark.process
GENERATE = [Phase.generate]
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


@pytest.fixture(scope="module")
def faces(systems):
    """Return the addresses of one system's faces."""
    return {face: systems.face(f"business_tools/{face}").url for face in ("mcp", "rest", "naive")}


@pytest.fixture(scope="module")
def simulated(systems):
    """Return the addresses of that system's providers."""
    words = shlex.split(systems.face("business_tools/stdio").url)
    return addresses(Path(words[words.index("--upstream-ready") + 1]))


async def by_mcp(url, calls):
    """Return the answers of tools by MCP, and the list of tools."""
    async with Client(url) as client:
        answers = [await client.call_tool(name, arguments) for name, arguments in calls]
        return answers, (await client.list_tools()).tools


def by_rest(url, calls):
    """Return the replies of tools by REST."""
    with httpx.Client(base_url=url) as client:
        return [client.post(f"/tools/{name}", json=arguments) for name, arguments in calls]


def alike(value, key=""):
    """Return a value without identifiers and times, which differ between calls."""
    if isinstance(value, dict):
        return {name: alike(inside, name) for name, inside in value.items()}
    if isinstance(value, list):
        return sorted((alike(one, key) for one in value), key=str)
    own = re.fullmatch(r"id|.*_?id|sid|.*Sid|created.*|date.*|.*_at|ts|updated.*|uri", key)
    return "own" if own and value is not None else value


def kept(simulated):
    """Return the providers' records."""
    whose = {"twilio": f"?account={Settings().twilio_account}"}
    with httpx.Client(verify=False) as client:
        return {
            name: client.get(f"{url}/_state{whose.get(name, '')}").json()
            for name, url in simulated.items()
        }


def disturb(simulated, names, faults):
    """Set the faults of some providers."""
    with httpx.Client(verify=False) as client:
        for name in names:
            client.post(f"{simulated[name]}/_faults", json=faults).raise_for_status()


def added(before, after):
    """Return the new records, without what differs between calls."""
    return {
        (name, kind): alike([one for one in records if one not in before[name].get(kind, [])])
        for name, state in after.items()
        for kind, records in state.items()
    }


def test_both_faces_answer_alike_and_leave_equal_state(faces, simulated):
    """All ten tools give the same answers and records; each face finds what the other wrote."""
    states = [kept(simulated)]
    answers, _ = asyncio.run(by_mcp(faces["mcp"], CALLS))
    states.append(kept(simulated))
    replies = by_rest(faces["rest"], CALLS)
    states.append(kept(simulated))
    assert [reply.text for reply in replies if reply.status_code != 200] == []
    assert [answer.structured_content for answer in answers if answer.is_error] == []
    said = [{**answer.structured_content, "cached": False} for answer in answers]
    assert alike([{**reply.json(), "cached": False} for reply in replies]) == alike(said)
    by_mcps, by_rests = (added(*pair) for pair in itertools.pairwise(states))
    assert by_mcps == by_rests
    assert sum(map(len, by_mcps.values())) >= 8
    page = said[-2]["result"]
    wanted = {"operation": "get", "page_id": page["id"]}
    assert by_rest(faces["rest"], [("docs_operation", wanted)])[0].json()["result"] == page
    assert {reply.json()["cached"] for reply in replies} == {True, False}


def test_every_tool_works_in_the_bad_way(faces):
    """As well as in the good way."""
    answers, _ = asyncio.run(by_mcp(faces["naive"], CALLS))
    assert [answer.structured_content for answer in answers if answer.is_error] == []
    assert {name for name, _ in CALLS} == set(TEN)


def test_every_tool_is_listed_with_its_schemas(faces):
    """The ten, and one for each operation in provider files; by REST, each has its own path."""
    tools = {tool.name: tool for tool in asyncio.run(by_mcp(faces["mcp"], []))[1]}
    assert set(tools) == {*TEN, *declared(load_all(FOLDER))}
    assert all(tool.input_schema["type"] == "object" for tool in tools.values())
    assert all(tool.output_schema["anyOf"] for tool in tools.values())
    paths = httpx.get(faces["rest"] + "/openapi.json").json()["paths"]
    assert {f"/tools/{name}" for name in tools} <= set(paths)


def test_errors_have_the_standard_body(faces):
    """On both faces, and `isError` is set."""
    wrong = ("web_search", {"query": ""})
    (answer,), _ = asyncio.run(by_mcp(faces["mcp"], [wrong]))
    (reply,) = by_rest(faces["rest"], [wrong])
    assert answer.is_error
    assert reply.status_code == 400
    for body in (answer.structured_content, reply.json(), json.loads(answer.content[0].text)):
        assert set(body["error"]) == {"code", "message", "details", "hint"}
        assert {"provider", "timestamp", "request_id"} <= set(body["error"]["details"])
        assert body["error"]["code"] == "INVALID_ARGUMENTS"


def test_what_cannot_be_read_has_the_standard_body_too(faces):
    """Invalid JSON, JSON other than an object, an unknown path or method."""
    with httpx.Client(base_url=faces["rest"]) as client:
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


def test_what_the_openapi_document_allows_and_forbids_is_answered_as_it_says(faces):
    """Cases that schemathesis generates from it: no server error, no undocumented form.

    MCP accepts and refuses the same arguments, because it has the same schemas.
    """
    schema = schemathesis.openapi.from_url(faces["rest"] + "/openapi.json")
    checks = [not_a_server_error, status_code_conformance, response_schema_conformance]
    tried = []

    @settings(max_examples=4, deadline=None, derandomize=True, database=None, phases=GENERATE)
    @given(data=strategies.data(), mode=strategies.sampled_from(GenerationMode))
    def ask(data, mode):
        case = data.draw(operation.as_strategy(generation_mode=mode))
        reply = case.call_and_validate(checks=checks)
        if isinstance(case.body, dict):
            name = operation.path.rpartition("/")[2]
            tried.append((name, case.body, reply.json().get("error", {}).get("code")))

    for found in schema.include(path_regex=f"^/tools/({'|'.join(TEN)})$").get_all_operations():
        operation = found.ok()
        ask()
    answers, _ = asyncio.run(by_mcp(faces["mcp"], [one[:2] for one in tried]))
    codes = [answer.structured_content.get("error", {}).get("code") for answer in answers]
    assert codes == [code for _, _, code in tried]
    assert {name for name, _, _ in tried} == set(TEN)
    assert {None, "INVALID_ARGUMENTS"} <= set(codes)


def test_health_and_metrics(faces):
    """With the names that the alerts use."""
    with httpx.Client(base_url=faces["rest"]) as client:
        client.post("/tools/docs_operation", json={"operation": "list"})
        health, ready = client.get("/health"), client.get("/health/ready")
        metrics = client.get("/metrics").text
    assert set(health.json()) == {"status", "checks", "timestamp"}
    assert health.json()["checks"]["database"] == "ok"
    assert ready.json() == {"ready": True}
    assert 'mcp_api_calls_total{status="ok",tool="docs_operation"}' in metrics
    assert 'mcp_api_latency_seconds_bucket{le="0.2",tool="docs_operation"}' in metrics
    assert 'mcp_active_connections{service="notion"} 0.0' in metrics


def counted(simulated, provider, what="requests"):
    """Return the counters of a simulated provider."""
    return httpx.get(f"{simulated[provider]}/_counters").json()[what]


def call(simulated, switches, calls):
    """Call tools at once on a server with some switches; return the answers, or failure codes."""

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
    """Fewer than 100 instead of 3000 for 3000 requests; here with a fortieth of that."""
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
    """A hundred calls at once are one request with the cache, and a hundred without."""
    asked = {}
    for cache in ("on", "off"):
        before = counted(simulated, "websearch")
        search = ("web_search", {"query": f"cache {cache}"})
        call(simulated, {"cache": cache, "limits": "off"}, [search] * 100)
        asked[cache] = counted(simulated, "websearch") - before
    assert asked == {"on": 1, "off": 100}


def test_the_rate_limit_refuses_what_the_provider_would(simulated):
    """Above a hundred in ten seconds; without it all calls pass."""
    listing = ("crm_operation", {"operation": "get_deals", "crm": "hubspot"})
    refused = {
        limits: call(simulated, {"limits": limits}, [listing] * 130).count("RATE_LIMITED")
        for limits in ("on", "off")
    }
    assert refused == {"on": 30, "off": 0}


def test_retry_and_breaker_are_seen_by_the_provider(simulated):
    """Three requests per call with retry, one without; with a breaker, five in all."""
    asked, last = {}, {}
    disturb(simulated, ["notion"], {"error_rate": 1})
    listing = ("docs_operation", {"operation": "list"})
    try:
        for retry, breaker, calls in (("on", "off", 2), ("off", "off", 6), ("off", "on", 6)):
            before = counted(simulated, "notion")

            async def main(retry=retry, breaker=breaker, calls=calls):
                given = {"retry": retry, "breaker": breaker, "secrets": KEYS}
                system = BusinessTools(Sources(given=given, addresses=simulated))
                async with system.running():
                    for _ in range(calls):
                        with pytest.raises(ToolFailure) as failure:
                            await system.call(*listing)
                return failure.value.code

            last[retry, breaker] = asyncio.run(main())
            asked[retry, breaker] = counted(simulated, "notion") - before
    finally:
        disturb(simulated, ["notion"], {})
    assert asked == {("on", "off"): 6, ("off", "off"): 6, ("off", "on"): 5}
    assert last[("off", "on")] == "CIRCUIT_OPEN"
    assert last[("off", "off")] == "NOTION_UNAVAILABLE"


def test_the_collector_passes_over_what_a_server_begins_with(simulated):
    """A full collection scans less than a tenth of the heap, and all of it with the switch off."""
    frozen, left = {}, {}
    for switch in ("on", "off"):
        system = BusinessTools(
            Sources(given={"frozen_heap": switch, "secrets": KEYS}, addresses=simulated)
        )
        before = gc.get_freeze_count()
        try:
            with TestClient(app.build(system)):
                frozen[switch] = gc.get_freeze_count() - before
                left[switch] = len(gc.get_objects())
        finally:
            gc.unfreeze()
    assert left["on"] < frozen["on"] / 10
    assert frozen["off"] == 0


def test_each_provider_plays_an_authentication_failure_and_a_429(simulated):
    """The server reports both with their codes."""
    known = load_all(FOLDER)
    made = {"to": ["a@b.org"], "from": "a@b.org", "properties": {}, "email": "a@b.org"}
    made |= {"email_address": "a@b.org", "status": "pending", "hash": "a" * 32, **WHEN}
    made |= {"price": 1, "amount": 1, "currency": "EUR"}

    class Wrong:
        async def token(self, _):
            return "wrong"

    async def codes(asking, name):
        operation = next(iter(known[name].operations))
        arguments = {key: made.get(key, "a") for key in known[name].operations[operation].required}
        told = []
        for _ in range(2):
            with pytest.raises(ToolFailure) as failure:
                await asking.ask(name, operation, arguments)
            told.append(failure.value.code)
        return told

    async def main():
        pools = Pools(kept=True)
        oauth = {"salesforce": Wrong()}
        wrong = {"addresses": simulated, "retry": False, "oauth": oauth}
        asking = Upstreams(known, pools, lambda _: "wrong", **wrong)
        found = await asyncio.gather(*(codes(asking, name) for name in names))
        await pools.close()
        return found

    names = [name for name in PROVIDERS if name != "twilio"]
    rate = {"rate_limit": {"requests": 1, "per_s": 1000}}
    try:
        disturb(simulated, names, rate)
        told = dict(zip(names, asyncio.run(main()), strict=True))
    finally:
        disturb(simulated, names, {})
    wanted = {name: [f"{name.upper()}_AUTH_FAILED", "PROVIDER_RATE_LIMITED"] for name in names}
    assert told == wanted


def test_a_timetable_makes_a_provider_fail_and_recover(simulated):
    """At its times, and only for one route if it names one."""
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
