"""The Twilio system: both faces do the same work, on real state, even at the same time."""

import asyncio

import httpx
import pytest
from mcp import Client

from mcp_targets.twilio import tools

pytestmark = pytest.mark.process

LIST = "TwilioApiV2010--ListAvailablePhoneNumberLocal"
BUY = "TwilioApiV2010--CreateIncomingPhoneNumber"
USERS = 50


@pytest.fixture(scope="module")
def rest(systems):
    """Return the provider's face."""
    return systems.face("twilio/rest")


@pytest.fixture(scope="module")
def mcp(systems):
    """Return the MCP server's face."""
    return systems.face("twilio/mcp")


def run(work):
    """Run a coroutine with a limit on its time."""

    async def main():
        async with asyncio.timeout(25):
            return await work()

    return asyncio.run(main())


async def buy_by_rest(client, face):
    """Buy a number like a user of the control arm; return it."""
    account = f"/2010-04-01/Accounts/{face.variables['account']}"
    listed = await client.get(f"{account}/AvailablePhoneNumbers/CA/Local.json?AreaCode=905")
    number = listed.json()["available_phone_numbers"][0]["phone_number"]
    form = {"PhoneNumber": number, "FriendlyName": "Test"}
    bought = await client.post(f"{account}/IncomingPhoneNumbers.json", data=form)
    assert bought.status_code == 201
    return bought.json()["phone_number"]


async def buy_by_mcp(client):
    """Buy a number like a user of the mcp arm; return it."""
    listed = await client.call_tool(LIST, {"CountryCode": "CA", "AreaCode": "905"})
    number = listed.structured_content["available_phone_numbers"][0]["phone_number"]
    bought = await client.call_tool(BUY, {"PhoneNumber": number, "FriendlyName": "Test"})
    assert not bought.is_error
    return bought.structured_content["phone_number"]


def test_concurrent_buyers_never_get_the_same_number(rest, mcp):
    """Fifty users of each face at once, all in one area code."""

    async def work():
        async with (
            httpx.AsyncClient(base_url=rest.url, limits=httpx.Limits(max_connections=50)) as api,
            Client(mcp.url) as client,
        ):
            buyers = [buy_by_rest(api, rest) for _ in range(USERS)]
            buyers += [buy_by_mcp(client) for _ in range(USERS)]
            return await asyncio.gather(*buyers)

    bought = run(work)
    assert len(set(bought)) == 2 * USERS


def test_of_many_who_want_one_number_one_gets_it(rest):
    """The others get the provider's refusal; no number has two owners."""

    async def work():
        async with httpx.AsyncClient(base_url=rest.url) as client:
            path = f"/2010-04-01/Accounts/{rest.variables['account']}/IncomingPhoneNumbers.json"
            wishes = [client.post(path, data={"PhoneNumber": "+16475550000"}) for _ in range(20)]
            return [reply.status_code for reply in await asyncio.gather(*wishes)]

    assert sorted(run(work)) == [201] + [400] * 19


async def journey_by_rest(client, face):
    """Do everything the system offers, directly."""
    account = f"/2010-04-01/Accounts/{face.variables['account']}"
    workspace = f"/v1/Workspaces/{face.variables['workspace']}"
    text = {"To": "+14165550199", "From": face.variables["from_number"]}
    await buy_by_rest(client, face)
    replies = [
        await client.post(f"{workspace}/Activities", data={"FriendlyName": "Bathroom"}),
        await client.post(
            f"{workspace}/Activities",
            data={"FriendlyName": "Desk", "Available": "true"},
        ),
        await client.post(f"{workspace}/Activities", data={"FriendlyName": "Bathroom"}),
        await client.post(
            f"{workspace}/TaskQueues",
            data={"FriendlyName": "Ready", "TargetWorkers": 'activity_name != "Bathroom"'},
        ),
        await client.post(f"{account}/Messages.json", data=text | {"Body": "grüß & co"}),
        await client.post(f"{account}/Calls.json", data=text | {"Url": "http://127.0.0.1/t"}),
        await client.get(f"{account}/Messages.json?PageSize=1"),
        await client.get(f"{account}/IncomingPhoneNumbers.json"),
        await client.get(f"{workspace}/Activities"),
    ]
    return [(reply.is_error, reply.json()) for reply in replies]


async def journey_by_mcp(client, face):
    """Do the same through the tools."""
    text = {"To": "+14165550199", "From": face.variables["from_number"]}
    await buy_by_mcp(client)
    queue = {"FriendlyName": "Ready", "TargetWorkers": 'activity_name != "Bathroom"'}
    calls = [
        ("TwilioTaskrouterV1--CreateActivity", {"FriendlyName": "Bathroom"}),
        ("TwilioTaskrouterV1--CreateActivity", {"FriendlyName": "Desk", "Available": True}),
        ("TwilioTaskrouterV1--CreateActivity", {"FriendlyName": "Bathroom"}),
        ("TwilioTaskrouterV1--CreateTaskQueue", queue),
        ("TwilioApiV2010--CreateMessage", text | {"Body": "grüß & co"}),
        ("TwilioApiV2010--CreateCall", text | {"Url": "http://127.0.0.1/t"}),
        ("TwilioApiV2010--ListMessage", {"PageSize": 1}),
        ("TwilioApiV2010--ListIncomingPhoneNumber", {}),
        ("TwilioTaskrouterV1--ListActivity", {}),
    ]
    results = [await client.call_tool(*given) for given in calls]
    return [(result.is_error, result.structured_content) for result in results]


def alike(value, face):
    """Return a value without ids, dates and numbers, which differ between accounts."""
    if isinstance(value, dict):
        return {
            key: alike(item, face)
            for key, item in value.items()
            if not (key in ("phone_number", "from") or key.endswith("sid"))
            and not key.startswith(("date_", "uri", "url"))
        }
    if isinstance(value, list):
        return [alike(item, face) for item in value]
    if isinstance(value, str):
        return value.replace(face.variables["workspace"], "WS")
    return value


def state_of(face, rest):
    """Return everything that an account has."""
    return httpx.get(f"{rest.url}/_state?account={face.variables['account']}").json()


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_both_faces_answer_alike_and_leave_equal_state(tmp_path, mode):
    """The same operations give the same answers and state, apart from the account."""
    from mcp_targets.launcher.systems import Systems

    with Systems(tmp_path) as fresh:
        rest, mcp = fresh.face("twilio/rest"), fresh.face("twilio/mcp")
        assert rest.variables["account"] != mcp.variables["account"]

        async def work():
            async with (
                httpx.AsyncClient(base_url=rest.url) as api,
                Client(mcp.url, mode=mode) as client,
            ):
                return await journey_by_rest(api, rest), await journey_by_mcp(client, mcp)

        by_rest, by_mcp = run(work)
        assert [alike(body, rest) for _, body in by_rest] == [
            alike(body, mcp) for _, body in by_mcp
        ]
        assert [failed for failed, _ in by_rest] == [failed for failed, _ in by_mcp]
        assert [failed for failed, _ in by_rest].count(True) == 1
        left = alike(state_of(rest, rest), rest)
        assert left == alike(state_of(mcp, rest), mcp)
        assert {name: len(records) for name, records in left.items()} == {
            "incoming_phone_numbers": 1,
            "activities": 2,
            "task_queues": 1,
            "messages": 1,
            "calls": 1,
        }


def test_a_providers_refusal_is_a_tool_error_with_its_message(mcp):
    """It has the code, the text and the provider's JSON."""

    async def work():
        async with Client(mcp.url) as client:
            given = {"To": "12", "From": mcp.variables["from_number"], "Body": "x"}
            return await client.call_tool("TwilioApiV2010--CreateMessage", given)

    result = run(work)
    assert result.is_error
    assert result.content[0].text == (
        "Twilio error 21211: The 'To' number 12 is not a valid phone number."
    )
    assert result.structured_content["code"] == 21211


@pytest.mark.parametrize("kind", ["reset", "malformed", "html"])
def test_a_provider_that_breaks_is_a_tool_error_too(rest, mcp, kind):
    """It never crashes the server."""

    async def work():
        async with Client(mcp.url) as client:
            return await client.call_tool("TwilioApiV2010--ListMessage", {})

    httpx.post(f"{rest.url}/_faults", json={"route": "list-messages", f"{kind}_rate": 1})
    result = run(work)
    httpx.post(f"{rest.url}/_faults", json={"route": "list-messages"})
    assert result.is_error
    assert "Twilio did not answer" in result.content[0].text
    assert not run(work).is_error


def test_arguments_cannot_leave_their_place_in_the_path(mcp):
    """A country that looks like a path stays one segment."""

    async def work():
        async with Client(mcp.url) as client:
            given = {"CountryCode": "../../../../_counters?x=", "AreaCode": "416"}
            return await client.call_tool(LIST, given)

    assert run(work).structured_content["code"] == 20404


def test_the_mcp_server_pools_its_connections(rest, mcp):
    """Sequential calls share one connection; the upstream's counters show that."""

    def counted():
        accounts = httpx.get(f"{rest.url}/_counters").json()["accounts"]
        return accounts.get(mcp.variables["account"], {"connections_opened": 0, "requests": 0})

    async def work():
        async with Client(mcp.url) as client:
            for _ in range(20):
                await client.call_tool("TwilioApiV2010--ListMessage", {})

    before = counted()
    run(work)
    after = counted()
    assert after["requests"] - before["requests"] == 20
    assert after["connections_opened"] - before["connections_opened"] <= 1


def test_the_tools_carry_the_providers_names_and_arguments(mcp):
    """Scenarios depend on these."""

    async def work():
        async with Client(mcp.url) as client:
            tools = (await client.list_tools()).tools
            return {tool.name: tuple(tool.input_schema.get("properties", ())) for tool in tools}

    assert run(work) == {
        LIST: ("CountryCode", "AreaCode"),
        BUY: ("PhoneNumber", "FriendlyName"),
        "TwilioApiV2010--ListIncomingPhoneNumber": ("PageSize",),
        "TwilioTaskrouterV1--CreateActivity": ("FriendlyName", "Available"),
        "TwilioTaskrouterV1--ListActivity": ("PageSize",),
        "TwilioTaskrouterV1--CreateTaskQueue": ("FriendlyName", "TargetWorkers"),
        "TwilioApiV2010--CreateMessage": ("To", "From", "Body"),
        "TwilioApiV2010--ListMessage": ("PageSize",),
        "TwilioApiV2010--CreateCall": ("To", "From", "Url"),
    }


def test_in_process_it_says_what_has_to_be_set(monkeypatch):
    """There is a function for each operation only; the provider's address has to be set."""
    monkeypatch.delenv("TWILIO_UPSTREAM", raising=False)
    with pytest.raises(tools.Refused, match="set TWILIO_UPSTREAM to the address"):
        run(tools.ListMessage)
    with pytest.raises(AttributeError, match="DeleteMessage"):
        tools.DeleteMessage  # noqa: B018
