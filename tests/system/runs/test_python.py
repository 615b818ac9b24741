"""The content of docs/how-to/python.md: a plain locustfile under Locust, a run as a function."""

import csv
import json
import subprocess
import urllib.parse
import urllib.request

import pytest

from mcp_perf import assert_load
from tests.support.waiting import answers, free_port, until

pytestmark = pytest.mark.load

USERS = """
import json
from locust import constant, events, tag, task
from locust.runners import WorkerRunner
from mcp_perf import McpUser

class Caller(McpUser):
    protocol = "2025-11-25"
    wait_time = constant(0.05)

    @tag("call")
    @task(3)
    def echo(self):
        self.client.call_tool("echo", {"message": "hello"})

    @tag("call")
    @task
    def fail(self):
        self.client.call_tool("fail", {"message": "on purpose"})

    @tag("other")
    @task
    def add(self):
        self.client.call_tool("add", {"a": 1, "b": 2})

@events.quitting.add_listener
def tell(environment, **_):
    if not isinstance(environment.runner, WorkerRunner):
        counted = {e.name: (e.num_requests, e.num_failures)
                   for e in environment.stats.entries.values()}
        with open("counted.json", "w") as file:
            json.dump(counted, file)
"""
GOODBYES = ("notifications/cancelled", "DELETE session")
"""The requests that users send after Stop. A busy machine may miss their second."""
SHAPE = """
from locust import LoadTestShape

class Steps(LoadTestShape):
    def tick(self):
        age = self.get_run_time()
        return None if age > 6 else (0 if age > 2 else 2 if age < 1 else 4, 20)
"""
"""The users stop long before its end, so workers have reported everything: they do so every three
seconds."""


@pytest.fixture
def echo(systems):
    """Start the system echo; return the address of its endpoint."""
    return systems.face("echo/mcp").url


def test_locust_counts_what_the_server_does_in_two_processes(run_cli, ask, echo, tmp_path):
    """With tags, a load shape, `--host` and `--csv`: names, failures and counts agree."""
    (tmp_path / "users.py").write_text(USERS)
    (tmp_path / "shape.py").write_text(SHAPE)
    port = free_port()
    ended = run_cli(
        *("-f", "users.py,shape.py", "--headless", "--processes", "2", "--tags", "call"),
        *("--host", echo, "--csv", "out", "--csv-full-history", "--stop-timeout", "5"),
        *("--master-bind-port", port, "--master-port", port),
        name="locust",
        cwd=tmp_path,
        timeout=120,
    )
    assert ended.code == 1, ended.output  # Locust's code for failures
    counted = json.loads((tmp_path / "counted.json").read_text())
    names = ("initialize", "notifications/initialized", "DELETE session")
    users = [counted.pop(name) for name in names]
    assert users == [users[0]] * 3
    assert users[0][0] >= 4  # one for each user; Locust may move a user to the other process
    assert users[0][1] == 0
    counters = ask(f"{echo.removesuffix('/mcp')}/_counters")
    assert counters["sessions_open"] == 0
    served = counters["by_tool"]
    assert served.keys() == {"echo", "fail"}
    assert counted == {
        "tools/call echo": [served["echo"], 0],
        "tools/call fail": [served["fail"], served["fail"]],
    }
    assert "McpToolError('tool_error: " in ended.output
    with (tmp_path / "out_stats_history.csv").open() as file:
        assert {row["Name"] for row in csv.DictReader(file)} > {"tools/call echo"}


def test_locusts_own_page_shows_the_requests(command, environment, ask, echo, tmp_path):
    """The test is started and stopped there, as with any other user class."""
    (tmp_path / "users.py").write_text(USERS)
    port = free_port()
    page = f"http://127.0.0.1:{port}"
    argv = [*command("locust"), "-f", "users.py", "--web-port", str(port), "--host", echo]
    with (tmp_path / "log").open("w") as log:
        locust = subprocess.Popen(
            argv, cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        until(lambda: answers(port), "there is no page")
        form = urllib.parse.urlencode({"user_count": 2, "spawn_rate": 10, "host": echo}).encode()
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(f"{page}/swarm", form, timeout=10) as reply:
            assert json.load(reply)["success"]
        until(lambda: ask(f"{page}/stats/requests")["errors"], "nothing failed")
        ask(f"{page}/stop", {})
        until(lambda: ask(f"{page}/stats/requests")["state"] == "stopped", "it goes on")
        shown = ask(f"{page}/stats/requests")
        assert {one["method"] for one in shown["stats"]} == {"MCP", ""}
        calls = [one for one in shown["errors"] if one["name"] not in GOODBYES]
        assert len(calls) == 1, shown["errors"]
        assert (calls[0]["name"], calls[0]["method"]) == ("tools/call fail", "MCP")
        assert calls[0]["error"].startswith("McpToolError('tool_error: ")
    finally:
        locust.terminate()
        locust.wait(60)


def test_assert_load_judges_a_server_by_the_gates_of_its_call(tmp_path):
    """Without a file, it calls only the named tool, with the given arguments."""
    report = assert_load(
        "system:echo/mcp",
        "mcp.error_rate < 20%",
        tool="echo",
        args={"message": "hello"},
        users=2,
        out=tmp_path / "run",
        set={
            "load.round": "300ms",
            "load.warmup": "300ms",
            "limits.loop_lag_p99": "10s",
            "limits.lost_time": "100%",
            "limits.generator_cpu": "100%",
        },
    )
    assert report.verdict == "PASS"
    assert [gate.gate for gate in report.gates] == ["mcp.error_rate < 20%"]
    assert report.arms["mcp"].steps.keys() == {"tools/call echo"}
    assert (tmp_path / "run" / "report.html").is_file()
