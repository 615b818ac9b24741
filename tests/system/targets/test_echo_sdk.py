"""The echo system, tested with the official SDK's client as an oracle for both eras."""

import asyncio

import httpx
import pytest
from mcp import Client
from mcp_types import ElicitResult

from tests.support.waiting import until

pytestmark = pytest.mark.process

CHANGES = [
    ("touch", {"uri": "echo://a"}),
    ("touch", {"uri": "echo://other"}),
    ("announce", {"list": "prompts"}),
    ("announce", {"list": "tools"}),
]
SLOW = {"steps": 900, "interval_ms": 10}
ERAS = [("auto", "2026-07-28"), ("legacy", "2025-11-25")]


def use(base, mode, work, **options):
    """Run `work(client)` with a client of the SDK."""

    async def main():
        async with asyncio.timeout(20), Client(f"{base}/mcp", mode=mode, **options) as client:
            return await work(client)

    return asyncio.run(main())


def counters(base):
    """Return the counters of an echo system."""
    return httpx.get(f"{base}/_counters").json()


async def _ignore(*_):
    """Ignore progress."""


@pytest.fixture(params=["json", "sse"])
def base(request, start):
    """Return an echo system for each form of reply."""
    return start("echo", "--replies", request.param)


@pytest.mark.parametrize(("mode", "version"), ERAS)
def test_the_sdk_agrees_on_the_era(base, mode, version):
    """In mode `auto`, too."""

    async def work(client):
        return client.protocol_version, client.server_info.name

    assert use(base, mode, work) == (version, "mcp-perf-echo")


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_the_sdk_gets_the_right_results(base, mode):
    """It validates every result against the tool's schema and the protocol."""

    async def work(client):
        await client.list_tools()
        calls = [
            ("echo", {"message": "grüß"}),
            ("add", {"a": 2, "b": 0.5}),
            ("sleep", {"ms": 1}),
            ("tag", {"region": "Zürich", "value": 7}),
            ("progress", {"steps": 2}),
        ]
        return [(await client.call_tool(*given)).structured_content for given in calls]

    assert use(base, mode, work) == [
        {"message": "grüß"},
        {"sum": 2.5},
        {"slept_ms": 1.0},
        {"region": "Zürich", "value": 7},
        {"steps": 2},
    ]


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_the_sdk_sees_failures_as_such(base, mode):
    """A failing tool and wrong arguments are results with is_error."""

    async def work(client):
        failed = await client.call_tool("fail", {"message": "no"})
        wrong = await client.call_tool("echo", {})
        return failed.is_error, failed.content[0].text, wrong.is_error

    assert use(base, mode, work) == (True, "no", True)


def test_the_sdk_recovers_from_a_missing_parameter_header(base):
    """It has not listed the tools, is refused with -32020, lists them and sends again."""

    async def work(client):
        return (await client.call_tool("tag", {"region": "x", "value": 1})).structured_content

    assert use(base, "auto", work) == {"region": "x", "value": 1}


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_the_sdk_sees_progress(base, mode):
    """Every step, in order, before the result."""
    seen = []

    async def note(progress, total, message):
        seen.append((progress, total, message))

    async def work(client):
        return await client.call_tool("progress", {"steps": 2}, progress_callback=note)

    assert not use(base, mode, work).is_error
    assert seen == [(1, 2, "step 1"), (2, 2, "step 2")]


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_the_sdk_answers_questions(base, mode):
    """To input_required, or to a request on the call's stream; then comes the result."""
    asked = []

    async def elicit(_, params):
        asked.append(params.message)
        return ElicitResult(action="accept", content={"answer": "blue"})

    async def work(client):
        return (await client.call_tool("ask", {"question": "colour?"})).structured_content

    answer = use(base, mode, work, elicitation_callback=elicit)
    assert (asked, answer) == (["colour?"], {"action": "accept", "answer": "blue"})


def test_the_sdk_hears_what_it_listens_for(base):
    """The updates of its resource and the changes of its list, and no others."""

    async def work(client):
        listening = client.listen(tools_list_changed=True, resource_subscriptions=["echo://a"])
        async with listening as subscription:
            for tool, arguments in CHANGES:
                await client.call_tool(tool, arguments)
            return {type(await anext(subscription)).__name__ for _ in range(2)}

    assert use(base, "auto", work) == {"ResourceUpdated", "ToolsListChanged"}


@pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning")
def test_the_sdk_hears_what_its_session_subscribed_to(base):
    """On the session's stream: updates until it unsubscribes, and changes of every list."""
    heard = []

    async def note(message):
        heard.append((message.method, getattr(message.params, "uri", "")))

    async def work(client):
        await asyncio.to_thread(until, lambda: counters(base)["streams_open"] == 1)
        await client.subscribe_resource("echo://a")
        for tool, arguments in CHANGES:
            await client.call_tool(tool, arguments)
        await client.unsubscribe_resource("echo://a")
        await client.call_tool("touch", {"uri": "echo://a"})
        await client.call_tool("announce", {"list": "resources"})
        await asyncio.to_thread(until, lambda: len(heard) >= 4)

    use(base, "legacy", work, message_handler=note)
    changed = [(f"notifications/{what}/list_changed", "") for what in ("prompts", "tools")]
    last = ("notifications/resources/list_changed", "")
    assert heard == [("notifications/resources/updated", "echo://a"), *changed, last]


@pytest.mark.parametrize("mode", ["auto", "legacy"])
@pytest.mark.parametrize("call", [("sleep", {"ms": 9000}), ("progress", SLOW)])
def test_work_that_is_cancelled_stops(base, mode, call):
    """The server's counters show that, long before the work would have ended."""

    async def work(client):
        task = asyncio.create_task(client.call_tool(*call, progress_callback=_ignore))
        await asyncio.to_thread(until, lambda: counters(base)["running"] == 1)
        task.cancel()
        await asyncio.to_thread(until, lambda: counters(base)["running"] == 0)

    before = counters(base)["cancelled"]
    use(base, mode, work)
    assert counters(base)["cancelled"] == before + 1


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_the_sdk_reads_the_resource_and_gets_the_prompt(base, mode):
    """These are the only ones."""

    async def work(client):
        resources = (await client.list_resources()).resources
        prompts = (await client.list_prompts()).prompts
        text = (await client.read_resource(resources[0].uri)).contents[0].text
        prompt = await client.get_prompt(prompts[0].name, {"name": "Bo"})
        return text.startswith("# echo"), prompt.messages[0].content.text

    assert use(base, mode, work) == (True, "Please greet Bo.")


@pytest.mark.parametrize("mode", ["auto", "legacy"])
@pytest.mark.parametrize(
    ("size", "pages"), [(3, [3, 3, 3, 1]), (5, [5, 5]), (10, [10]), (50, [10])]
)
def test_tools_are_listed_in_pages(start, mode, size, pages):
    """Every tool is listed once, whatever the page size."""

    async def work(client):
        found, cursor = [], None
        while True:
            page = await client.list_tools(cursor=cursor)
            found.append([tool.name for tool in page.tools])
            cursor = page.next_cursor
            if cursor is None:
                return found

    found = use(start("echo", "--page-size", str(size)), mode, work)
    assert [len(page) for page in found] == pages
    assert len({name for page in found for name in page}) == 10
