"""Load runs against third-party servers: verdict, files, and the servers' own counts."""

import subprocess

import pytest

MODERN, HANDSHAKE = "2026-07-28", "2025-11-25"
FILES = {
    "journal.jsonl",
    "report.json",
    "report.html",
    "report.md",
    "junit.xml",
    "samples.csv",
    "run.log",
}
GREET = """
name: greet
title: One server, by all eras
arms:
  modern: {mcp: "URL", protocol: 2026-07-28, headers: {X-Arm: modern}}
  handshake: {mcp: "URL", protocol: 2025-11-25, headers: {X-Arm: handshake}}
  auto: {mcp: "URL", headers: {X-Arm: auto}}
journeys:
  greet:
    with: {name: {template: "user ${user} of ${arm}"}, times: {int: {min: 1, max: 3}}}
    steps:
      - call: greet
        arguments: {name: "${name}", times: "${times}"}
        save: {text: structuredContent.text}
      - call: greet
        arguments: {name: "${text}"}
        expect: {equals: {structuredContent.text: "hello ${text}"}}
load: {users: 4}
gates: [modern.error_rate < 20%, handshake.error_rate < 20%, auto.error_rate < 20%]
"""
SUM = """
name: sum
title: The reference server
arms:
  legacy: {mcp: "URL"}
journeys:
  sum:
    with: {a: {int: {min: 0, max: 9}}}
    steps:
      - call: get-sum
        arguments: {a: "${a}", b: 1}
        save: {text: "content[0].text"}
      - call: echo
        arguments: {message: "${text}"}
        expect: {equals: {"content[0].text": "Echo: ${text}"}}
load: {users: 4}
gates: [legacy.error_rate < 20%]
"""
pytestmark = pytest.mark.load


@pytest.fixture
def scenario(tmp_path):
    """Write a scenario for a server; return its path."""

    def write(text: str, url: str):
        path = tmp_path / "scenario.yaml"
        path.write_text(text.replace("URL", url))
        return path

    return write


@pytest.mark.parametrize(
    "name",
    ["sdk_sse", "sdk_json", "sdk_stateless", pytest.param("fastmcp", marks=pytest.mark.network)],
)
def test_a_run_in_all_eras_passes_and_agrees_with_the_server(
    name, request, scenario, run_cli, quick, report, tmp_path
):
    """Every call that the server saw is in the report, under its arm, and nothing else is."""
    server = request.getfixturevalue(name)
    before = server.get("/calls")
    out = tmp_path / "run"
    ended = run_cli("run", scenario(GREET, server.url), *quick, "--out", out)
    after = server.get("/calls")
    assert ended.code == 0, ended.output
    assert {path.name for path in out.iterdir()} >= FILES
    document = report(out)
    assert (document["verdict"], document["exit_code"], document["complete"]) == ("PASS", 0, True)
    protocols = {arm: numbers["protocol"] for arm, numbers in document["arms"].items()}
    assert protocols == {"modern": MODERN, "handshake": HANDSHAKE, "auto": MODERN}
    for arm, numbers in document["arms"].items():
        arrived = after["by_arm"][arm] - before["by_arm"].get(arm, 0)
        assert arrived == numbers["calls"] + numbers["warmup_calls"]
        assert numbers["classes"]["ok"] == numbers["calls"] > 0
        assert (numbers["error_rate"], numbers["success_rate"]) == (0, 1)
        assert (numbers["sessions_lost"], numbers["dropped"]) == (0, 0)
    assert after["by_tool"].keys() <= {"greet", "boom", "no-such-tool"}
    assert after["repeated_ids"] == 0


@pytest.mark.network
@pytest.mark.parametrize("name", ["mcp-perf", "locust"])
def test_a_run_against_the_reference_server_passes(
    name, everything, scenario, run_cli, quick, report, tmp_path, request
):
    """The TypeScript SDK's server, which begins its streams with an empty event, is measured.

    Locust's command does the same as ours; `--target` replaces the file's address.
    """
    logged = everything.log.read_text().count("Session initialized")
    out = tmp_path / "run"
    path = scenario(SUM, "http://127.0.0.1:1/mcp")
    options = ["--target", f"legacy={everything.url}", *quick, "--out", out]
    if name == "locust":
        folder = request.config.rootpath / "locustfiles"
        ended = run_cli("-f", folder, "--headless", "--scenario", path, *options, name=name)
    else:
        ended = run_cli("run", path, *options)
    assert ended.code == 0, ended.output
    assert {path.name for path in out.iterdir()} >= FILES
    arm = report(out)["arms"]["legacy"]
    assert arm["protocol"] == HANDSHAKE
    assert arm["classes"]["ok"] == arm["calls"] > 0
    assert arm["steps"]["tools/call echo"]["classes"]["check_failed"] == 0
    # One session tests the target, and each user has one.
    assert everything.log.read_text().count("Session initialized") - logged == 5


def test_sessions_lost_in_a_run_are_opened_again_and_counted(
    start, scenario, command, environment, report, quick, until, tmp_path
):
    """If a server forgets its sessions under load, no call fails and each loss is counted."""
    server = start("sdk_app.py", "--json")
    out = tmp_path / "run"
    argv = [
        *(*command("mcp-perf"), "run", str(scenario(GREET, server.url))),
        *("--arm", "handshake", *quick, "--out", str(out)),
        # Long enough for every user to call once more, however late the server forgets.
        *("--set", "load.users=3", "--set", "load.rounds=1", "--set", "load.round=4s"),
        *("--set", "limits.healed=100%"),
    ]
    run = subprocess.Popen(argv, env=environment, stdout=subprocess.DEVNULL)
    try:
        # The session that tested the target is not used any more; the users' sessions are.
        until(lambda: server.get("/calls")["calls"] > 100, "the run does not begin", 120)
        forgotten = server.post("/forget")["forgotten"]
        assert run.wait(300) == 0
    finally:
        run.kill()
        run.wait()
    arm = report(out)["arms"]["handshake"]
    assert forgotten == 4
    assert arm["sessions_lost"] == 3
    assert arm["classes"]["ok"] == arm["calls"] > 0
    assert server.get("/calls")["calls"] == arm["calls"] + arm["warmup_calls"]
