"""Which tools are called although nobody asked for them."""

import pytest

from mcp_perf.client.protocol.tools import Tool, read_tool
from mcp_perf.load.survey.choice import Choice, choose, is_destructive, is_harmless


def tool(name, **hints):
    """Return a tool with these hints."""
    return Tool(name, {"type": "object"}, hints=hints)


@pytest.mark.parametrize("name", ["get_user", "listFiles", "search-web", "echo", "add", "GetTime"])
def test_a_name_that_begins_like_a_question_is_harmless(name):
    """It does not matter how the words of a name are joined."""
    assert is_harmless(tool(name))
    assert not is_destructive(tool(name))


@pytest.mark.parametrize("name", ["delete_user", "users-purge", "getAndRemove", "pay-bill", "STOP"])
def test_a_destructive_word_anywhere_in_a_name_rules_a_tool_out(name):
    """Even if it begins like a question, or says that it only reads, it is ruled out."""
    assert is_destructive(tool(name, readOnlyHint=True))


@pytest.mark.parametrize("name", ["getting", "list_deleted", "removed_items", "unsend", "create"])
def test_a_word_counts_as_a_whole(name):
    """A longer word that begins or ends like a listed word is another word."""
    assert not is_destructive(tool(name))
    assert is_harmless(tool(name)) == name.startswith("list")


def test_what_a_tool_says_of_itself_counts_more_than_how_its_name_begins():
    """A destructiveHint rules a tool out, unless it only reads; hints may be null."""
    assert is_destructive(tool("get_it", destructiveHint=True))
    assert not is_destructive(tool("get_it", destructiveHint=True, readOnlyHint=True))
    assert is_harmless(tool("make_it", readOnlyHint=True))
    assert not is_harmless(tool("make_it", readOnlyHint="yes"))
    raw = {"name": "a", "inputSchema": {}, "annotations": {"readOnlyHint": True}}
    assert is_harmless(read_tool(raw))
    assert read_tool({**raw, "annotations": None}).hints == {}


def test_tools_that_are_asked_for_are_the_only_ones_and_never_a_destructive_one():
    """If no tool is named, harmless ones are called, and a person decides about the rest."""
    tools = {name: tool(name) for name in ("get_it", "make_it", "drop_it")}
    assert choose(tools) == Choice(["get_it"], ["make_it"], ["drop_it"])
    assert choose(tools, ["make_it", "drop_it"]) == Choice(["make_it"], ["get_it"], ["drop_it"])
