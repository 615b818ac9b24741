"""Situations in which load tools for MCP give wrong answers, each with the right one."""

import re

import pytest

MODERN = "2026-07-28"
pytestmark = pytest.mark.load

HEAD = "name: case\ntitle: A case\nload: {users: 4}\n"
GREET = (
    HEAD
    + """
arms:
  modern: {mcp: "URL", protocol: 2026-07-28}
  handshake: {mcp: "URL", protocol: 2025-11-25}
journeys:
  greet: {steps: [{call: greet, arguments: {name: Ada}}]}
gates: [modern.error_rate < 20%, handshake.error_rate < 20%]
"""
)


def echo_case(call: str, protocol: str = "auto") -> str:
    """Return a scenario of one call of the bundled echo system."""
    return (
        HEAD + f'arms: {{mcp: {{mcp: "URL/mcp", protocol: {protocol}}}}}\n'
        f"journeys: {{one: {{steps: [{{{call}}}]}}}}\n"
    )


ECHO = 'call: echo, arguments: {message: "no ${seq}"}'


@pytest.fixture
def try_run(tmp_path, run_cli, quick, report):
    """Run a scenario against a server; return the ended command and the report, if there is one."""

    def run(text: str, url: str, *more: str):
        path = tmp_path / "case.yaml"
        path.write_text(text.replace("URL", url))
        out = tmp_path / "run"
        ended = run_cli("run", path, *quick, "--set", "load.rounds=1", *more, "--out", out)
        assert "Traceback" not in ended.output
        return ended, report(out) if (out / "report.json").exists() else None

    return run


@pytest.fixture(scope="module")
def echo(start_system):
    """Start a fast echo system."""
    return start_system()


@pytest.mark.parametrize("protocol", [MODERN, "2025-11-25"])
def test_a_server_that_answers_by_event_streams_works(protocol, start_system, try_run):
    """Replies as server-sent events are measured like any other, in both eras."""
    server = start_system("--replies", "sse")
    before = server.get("/_counters")["by_tool"].get("echo", 0)
    ended, document = try_run(echo_case(ECHO, protocol), server.base)
    assert ended.code == 0, ended.output
    arm = document["arms"]["mcp"]
    assert arm["classes"]["ok"] == arm["calls"] > 0
    seen = server.get("/_counters")["by_tool"]["echo"] - before
    assert seen == arm["calls"] + arm["warmup_calls"]


def test_a_server_without_sessions_works(sdk_stateless, try_run):
    """The run does not fail if the answer to initialize has no session id."""
    ended, document = try_run(GREET, sdk_stateless.url)
    assert ended.code == 0, ended.output
    for arm in document["arms"].values():
        assert arm["classes"]["ok"] == arm["calls"] > 0


@pytest.mark.parametrize("gates", ["", "gates: [mcp.p95 < 10s]\n"])
def test_a_server_whose_every_call_is_an_error_fails(gates, echo, try_run):
    """If each tools/call returns isError, all are tool errors and the run fails."""
    before = echo.get("/_counters")["by_tool"].get("fail", 0)
    ended, document = try_run(
        echo_case('call: fail, arguments: {message: "no luck"}') + gates, echo.base
    )
    assert (ended.code, document["verdict"]) == (99, "FAIL"), ended.output
    arm = document["arms"]["mcp"]
    assert arm["classes"]["tool_error"] == arm["calls"] > 0
    assert (arm["error_rate"], arm["success_rate"], arm["throughput_per_s"]) == (1, 0, 0)
    assert document["failures"][0]["example"] == "no luck"
    seen = echo.get("/_counters")["by_tool"]["fail"] - before
    assert seen == arm["calls"] + arm["warmup_calls"]


def test_a_dead_port_is_said_to_be_dead(free_port, try_run):
    """Nothing listens: exit code 108 with the arm, the address and the reason; no report."""
    url = f"http://127.0.0.1:{free_port()}"
    ended, document = try_run(echo_case(ECHO), url)
    assert ended.code == 108
    assert document is None
    assert f"mcp: cannot reach {url}/mcp" in ended.output
    assert "connection refused" in ended.output


def test_no_two_requests_of_a_session_have_one_id(sdk_json, try_run):
    """With many users, ids stay unique per session, or per connection without sessions."""
    before = sdk_json.get("/calls")
    ended, document = try_run(GREET, sdk_json.url, "--users", "25")
    after = sdk_json.get("/calls")
    assert ended.code == 0, ended.output
    assert after["repeated_ids"] == 0
    assert after["channels"] - before["channels"] >= 50
    arms = document["arms"].values()
    assert after["calls"] - before["calls"] == sum(
        arm["calls"] + arm["warmup_calls"] for arm in arms
    )


@pytest.mark.parametrize(
    "arguments", ["{message: 5}", '{message: "${user}"}', "{}", "{message: x, loud: true}"]
)
def test_arguments_that_the_schema_forbids_are_refused_before_any_load(arguments, echo, try_run):
    """With the file, the line and the schema's error; nothing is called."""
    before = echo.get("/_counters")["by_tool"].get("echo", 0)
    ended, document = try_run(echo_case(f"call: echo, arguments: {arguments}"), echo.base)
    assert (ended.code, document) == (104, None), ended.output
    assert re.search(r"\.yaml:\d+: tool echo: ", ended.output)
    assert ("loud" if "loud" in arguments else "message") in ended.output
    assert "inputSchema" in ended.output
    assert echo.get("/_counters")["by_tool"].get("echo", 0) == before


def test_arguments_that_a_reply_made_wrong_are_our_fault_not_the_servers(echo, try_run):
    """Such calls are not sent: they are harness errors, and the INVALID run names the argument."""
    before = echo.get("/_counters")["by_tool"].get("echo", 0)
    save = "call: add, arguments: {a: 1, b: 2}, save: {sum: structuredContent.sum}"
    case = echo_case(f"{save}}}, {{call: echo, arguments: {{message: '${{sum}}'}}")
    ended, document = try_run(case, echo.base, "--set", "load.round=300ms")
    assert (ended.code, document["verdict"]) == (91, "INVALID"), ended.output
    classes = document["arms"]["mcp"]["classes"]
    assert classes["harness_error"] == classes["ok"] > 0
    assert sum(classes.values()) == classes["harness_error"] + classes["ok"]
    assert "message" in document["reasons"][0]["text"]
    assert echo.get("/_counters")["by_tool"].get("echo", 0) == before


def test_a_server_that_renamed_its_tools_is_told_apart_from_a_failing_one(start, try_run):
    """If a tool is missing after a restart: 104 with the nearest names, and nothing is called."""
    server = start("sdk_app.py")
    server.stop()
    server.argv.append("--renamed")
    server.start()
    ended, document = try_run(GREET, server.url)
    assert ended.code == 104
    assert document is None
    assert "journey greet, arm modern: the server has no tool 'greet'" in ended.output
    assert "Nearest: greet_person" in ended.output
    assert server.get("/calls")["calls"] == 0


def test_an_error_inside_http_200_is_an_error(start, try_run):
    """Expectations judge an HTTP reply's content, and an rpc error counts with any status."""
    server = start("tiny_app.py")
    text = HEAD + (
        f'arms: {{rest: {{http: "{server.base}"}}, mcp: {{mcp: "{server.url}"}}}}\n'
        "journeys:\n  one:\n"
        "    rest: [{get: /thing, expect: {status: 200, equals: {ok: true}}}]\n"
        "    mcp: [{call: thing}]\n"
    )
    ended, document = try_run(text, "")
    assert ended.code == 99, ended.output
    rest, mcp = document["arms"]["rest"], document["arms"]["mcp"]
    assert rest["classes"]["check_failed"] == rest["calls"] > 0
    assert mcp["classes"]["rpc_error"] == mcp["calls"] > 0
    examples = {failure["arm"]: failure["example"] for failure in document["failures"]}
    assert examples["rest"] == "expect ok: found false, expected true"
    assert examples["mcp"] == "-32603 cannot do tools/call"


def test_promise_09_calls_in_flight_at_the_end_are_no_errors(start_system, try_run):
    """If a tool is slower than the rest of the round, its calls end and each counts once."""
    server = start_system()
    ended, document = try_run(
        echo_case("call: sleep, arguments: {ms: 600}") + "gates: [mcp.error_rate < 50%]\n",
        server.base,
        *("--set", "load.rounds=2", "--set", "load.round=1s", "--set", "load.warmup=1s"),
    )
    assert ended.code == 0, ended.output
    arm = document["arms"]["mcp"]
    assert arm["classes"]["ok"] == sum(arm["classes"].values()) == arm["calls"] == 16
    seen = server.get("/_counters")["by_tool"]["sleep"]
    assert seen == arm["calls"] + arm["warmup_calls"] == 24


def test_a_server_that_cannot_take_the_rate_is_not_called_healthy(start_system, try_run):
    """With a 0.5 s tool, 100/s and 2 slots, ten of 250 arrivals are served, and the run fails."""
    server = start_system("--slots", "2")
    ended, document = try_run(
        echo_case("call: sleep, arguments: {ms: 500}").replace(
            "load: {users: 4}", "load: {rate: 100/s, max_in_flight: 2}\nlimits: {drain: 12s}"
        ),
        server.base,
        *("--set", "load.round=2500ms", "--set", "load.warmup=0s", "--set", "arms.mcp.timeout=30s"),
    )
    assert document["verdict"] in ("FAIL", "INVALID"), ended.output
    assert ended.code in (91, 99)
    arm = document["arms"]["mcp"]
    assert arm["planned"] == 250
    assert 235 <= arm["dropped"] <= 245
    assert arm["calls"] == arm["planned"] - arm["dropped"]
    assert "planned journeys of mcp were not started (dropped)" in ended.output


def test_a_queue_in_the_server_is_part_of_the_latency(start_system, try_run):
    """The same with room for all in flight: nobody is dropped, and the waits are in the latency."""
    server = start_system("--slots", "2")
    ended, document = try_run(
        echo_case("call: sleep, arguments: {ms: 400}").replace(
            "load: {users: 4}", "load: {rate: 25/s, max_in_flight: 50}"
        )
        + "gates: [mcp.p50 < 800ms]\n",
        server.base,
        *("--set", "load.round=1200ms", "--set", "load.warmup=0s", "--set", "arms.mcp.timeout=60s"),
    )
    assert ended.code == 99, ended.output
    arm = document["arms"]["mcp"]
    assert (arm["planned"], arm["dropped"], arm["classes"]["ok"]) == (30, 0, 30)
    assert arm["latency_ms"]["max"] > 4400  # the last waits for fourteen others in its slot


def test_answers_that_are_crossed_between_callers_are_caught(start, try_run):
    """Each answer is valid but somebody else's: HTTP 200, the right shape, and wrong."""
    server = start("crossing_app.py")
    text = (
        HEAD + 'arms: {rest: {http: "URL"}}\n'
        "journeys: {own: {with: {message: {template: '${user} no ${seq}'}}, steps: "
        "[{get: /echo, query: {message: '${message}'},"
        " expect: {equals: {message: '${message}'}}}]}}\n"
        "gates: [rest.error_rate < 1%]\n"
    )
    ended, document = try_run(text, server.base)
    arm = document["arms"]["rest"]
    assert (ended.code, document["verdict"]) == (99, "FAIL"), ended.output
    assert arm["classes"]["check_failed"] > 0
    assert arm["classes"]["ok"] + arm["classes"]["check_failed"] == arm["calls"]
    assert "expect message: found" in document["failures"][0]["example"]
