"""What is learned about a server by asking it, and by calling its tools."""

import json
import re
import sys

import pytest

from mcp_perf.load.survey import survey as module
from mcp_perf.load.survey.facts import facts
from mcp_perf.load.survey.given import of_command, of_line
from mcp_perf.load.survey.survey import survey
from mcp_perf.load.targets.refusal import Refusal
from tests.unit.load.survey.conftest import LONG, TEXT, TOOLS, tool


def no(_names):
    """Allow nothing."""
    return False


def test_what_is_harmless_is_tried_and_the_rest_is_named(start, tmp_path):
    """A tool with a broken schema, or one that refuses its arguments, does not stop the others."""
    server, given = start(TOOLS)
    found = survey(given, tmp_path, {}, no)
    assert found.given.name == "tool-shop"
    assert found.calls == {"echo": {"text": "hello"}, LONG: {}}
    assert len(found.times_ms["echo"]) == 10
    said = "\n".join(found.remarks())
    assert "Not called: delete_all, get_quietly: it may destroy something" in said
    assert "Not called: make: it is not known to be harmless (to call one: --tool NAME)" in said
    assert "get_broken: its inputSchema cannot be used" in said
    assert 'get_picky: tool_error for {"text": "hello"}: no such text' in said
    assert "add_big: " in said
    assert not {"delete_all", "get_quietly", "make"} & {name for name, _ in server.called}


def test_what_a_person_allows_is_called_too(start, tmp_path):
    """A tool that may destroy something is never called, even if it is asked for by name."""
    asked = []
    server, given = start(TOOLS)
    found = survey(given, tmp_path, {}, lambda names: not asked.append(list(names)))
    assert asked == [["make"]]
    assert "make" in found.calls
    with pytest.raises(Refusal, match="Not called: delete_all: it may destroy"):
        survey(given, tmp_path, {"delete_all": None}, no)
    assert "delete_all" not in {name for name, _ in server.called}


def test_a_tool_is_called_with_the_arguments_that_are_given_for_it(start, tmp_path):
    """They must fit its schema; otherwise nothing is sent."""
    server, given = start(TOOLS)
    found = survey(given, tmp_path, {"get_picky": {"text": "x"}}, no)
    assert found.calls == {"get_picky": {"text": "x"}}
    assert {name for name, _ in server.called} == {"get_picky"}
    with pytest.raises(Refusal, match="--args: tool get_picky: text: 3 is not of type"):
        survey(given, tmp_path, {"get_picky": {"text": 3}}, no)


@pytest.mark.parametrize(
    ("tools", "asked", "says"),
    [
        (TOOLS, {"mak": None}, "there is no tool 'mak'; the server has echo, get_broken"),
        ([tool("make")], {}, "To call one: mcp-perf run --tool make http://127.0.0.1"),
        ([tool("drop")], {}, "no tool can be called safely: the server has 1 tool: drop"),
        ([], {}, "the server has no tools"),
    ],
)
def test_without_a_tool_to_call_the_tools_are_listed_with_the_line_to_copy(
    tools, asked, says, start, tmp_path
):
    """The exit code says that there is a mistake, because nothing was measured."""
    _, given = start(tools)
    with pytest.raises(Refusal, match=says.replace("?", r"\?")) as caught:
        survey(given, tmp_path, asked, no)
    assert caught.value.exit_code == 104


def test_of_tools_that_were_named_only_they_are_spoken_of(start, tmp_path):
    """A named tool whose call is refused is the reason; no other tool is suggested."""
    server, given = start([tool("get_it"), tool("drop"), tool("make")])
    assert survey(given, tmp_path, {"make": None}, no).remarks() == []
    answer, failed = server.answer, {"error": {"code": -1, "message": "gone"}}
    server.answer = lambda method, params: (
        failed if method == "tools/call" else answer(method, params)
    )
    with pytest.raises(Refusal) as caught:
        survey(given, tmp_path, {"make": None}, no)
    [said] = str(caught.value).splitlines()
    assert said.startswith("Not called: make: rpc_error for {")


def test_of_many_tools_some_are_enough(start, tmp_path):
    """Asking a server with a hundred tools would take minutes."""
    _, given = start([tool(f"get_{n}", {"type": "object"}) for n in range(32)])
    found = survey(given, tmp_path, {}, no)
    assert len(found.calls) == 30
    assert "Not called: get_30, get_31: 30 other tools are called already" in found.remarks()[0]


def test_a_server_that_is_slow_is_not_asked_for_long(start, tmp_path, monkeypatch):
    """Tools that it has no time left for are named, and their times are unknown."""
    monkeypatch.setattr(module, "_TRIES_S", 0.0)
    _, given = start([tool("get_it")])
    with pytest.raises(Refusal, match=r"get_it: trying the others took 0 s"):
        survey(given, tmp_path, {}, no)


def test_a_server_that_goes_away_is_told_of(start, tmp_path):
    """It may go away between two sessions, too."""
    server, given = start([tool("get_it")])
    answer = server.answer
    seen = []

    def once(method, params):
        seen.append(method)
        gone = seen.count("initialize") > 1
        return {"error": {"code": -1, "message": "gone"}} if gone else answer(method, params)

    server.answer = once
    with pytest.raises(Refusal, match="mcp: initialize failed: -1 gone") as caught:
        survey(given, tmp_path, {}, no)
    assert caught.value.exit_code == 108


def test_what_matters_under_load_is_found_out_without_load(start, tmp_path):
    """It includes session, stream, end, pages, faults, and one call of each method."""
    server, given = start(TOOLS)
    found = facts(given.with_headers({"Authorization": "Bearer t-12345"}), tmp_path)
    assert (found["name"], found["version"]) == ("Tool shop", "1.2")
    assert (found["transport"], found["versions"]) == ("streamable HTTP", ["2025-11-25"])
    assert (found["session"], found["answers"], found["keep_alive"]) == ("by id", "JSON", True)
    assert (found["authorization"], found["delete"]) == (True, 204)
    assert found["stream"] == 405
    assert found["tools"] == found["tools_list_pages"] == len(TOOLS)
    assert 0 < found["tools_list_tokens"] < found["tools_list_bytes"]
    assert found["ms"].keys() == {"tools/list", "ping"}
    assert all(0 < taken_ms < 5000 for taken_ms in found["ms"].values())
    assert found["listed"]["echo"] == {"use": "called", "arguments": TEXT["properties"]}
    assert [fault[:15] for fault in found["faults"]] == ["tool get_broken"]
    assert server.called == []
    assert json.loads(json.dumps(found)) == found


@pytest.mark.process
def test_what_is_no_message_is_a_fault(tmp_path):
    """A server that writes its log to stdout works, but each line has to be read and left out."""
    path = tmp_path / "noisy.py"
    path.write_text(
        "import json, sys\n"
        "for line in sys.stdin:\n"
        "    asked = json.loads(line)\n"
        "    print('INFO got', asked.get('method'))\n"
        "    result = {'protocolVersion': '2025-11-25', 'capabilities': {'tools': {}},\n"
        "              'serverInfo': {'name': 'noisy', 'version': '1'}, 'tools': []}\n"
        "    if asked.get('method') == 'server/discover':\n"
        "        answer = {'error': {'code': -32601, 'message': 'no such method'}}\n"
        "    else:\n"
        "        answer = {'result': result}\n"
        "    if 'id' in asked:\n"
        "        print(json.dumps({'jsonrpc': '2.0', 'id': asked['id'], **answer}), flush=True)\n"
    )
    [fault] = facts(of_command([sys.executable, str(path)]), tmp_path)["faults"]
    assert re.fullmatch(
        r"lines or events that are not JSON-RPC messages: \d, such as INFO got server/discover",
        fault,
    )


def test_a_version_is_named_once(start, tmp_path, monkeypatch):
    """A server over HTTP+SSE answers in its version whichever it is asked for."""
    monkeypatch.setattr("mcp_perf.load.survey.facts._other_era", lambda target: [target.version])
    _, given = start([tool("get_it")])
    assert facts(given, tmp_path)["versions"] == ["2025-11-25"]


def test_who_is_not_there_is_told_of(tmp_path):
    """The message is as in any other command."""
    with pytest.raises(Refusal, match="cannot reach http") as caught:
        facts(of_line("http://127.0.0.1:9/mcp"), tmp_path)
    assert caught.value.exit_code == 108
