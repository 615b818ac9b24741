"""Locust's statistics when updated once a second, compared with an update for each call.

In another process, because importing Locust patches this one.
"""

import json
import subprocess
import sys

import pytest

from tests.support import ROOT

pytestmark = pytest.mark.process

CODE = """
import csv, io, json, sys, time
from mcp_perf.load.web import statistics
statistics.sharpen()
from locust import User, task
from locust.env import Environment
from locust.stats import PERCENTILES_TO_REPORT, StatsCSV
from mcp_perf.client.http.endpoint import Endpoint
from mcp_perf.client.http.rest import RestClient
from mcp_perf.client.reply import Reply
from mcp_perf.load.steps.locust_feed import LocustFeed
from mcp_perf.load.steps.recorder import Recorder
from mcp_perf.load.steps.step import CallContext, CompiledStep, Interrupted
from mcp_perf.results.journal.records import Health

now = [1_000_000.0]
time.time = lambda: now[0]

class Said(CompiledStep):
    def call(self, context):
        ns, size, cls = context.values["next"]
        if cls == "interrupted":
            raise Interrupted
        reply = Reply(5_000)
        reply.end_ns, reply.bytes_in = 5_000 + ns, size
        return (reply if cls == "ok" else reply.fail(cls, "so")), cls

def run(batched, opens=False, listens_at=None):
    now[0] = 1_000_000.0
    environment = Environment(user_classes=[type("U", (User,), {"t": task(lambda user: None)})])
    runner = environment.create_local_runner()
    recorder = Recorder("local", lambda records: None)
    if batched:
        recorder.feed = LocustFeed.of(environment)
        assert recorder.feed is not None
    context = CallContext("a", None, recorder, environment.events.request.fire, "j")
    track = lambda name: recorder.track("a", "call", name)
    steps = [Said(track=track(name), kind=verb, goes_on=True)
             for name, verb in (("GET /x", "GET"), ("tools/call echo", "MCP"), ("both", "GET"),
                                ("both", "POST"))]
    classes = ["ok", "ok", "tool_error", "ok", "timeout", "interrupted", "ok"]
    heard = []
    for number in range(400):
        if number == listens_at:
            environment.events.request.add_listener(lambda **event: heard.append(event))
        ns = 50_000 + number * number * 997 + (number % 7) * 1_000_003
        context.values = {"next": (ns, number, classes[number % len(classes)])}
        context.intended_ns = 1_000 if opens else None
        try:
            steps[number % len(steps)].run(context)
        except Interrupted:
            pass
        if number % 100 == 99:
            recorder.flush(Health(cpu_s=0, wall_s=0))
            now[0] += 1
    return environment, heard

def shown(environment):
    stats = environment.stats
    entries = [*sorted(stats.entries.values(), key=lambda e: (e.name, e.method)), stats.total]
    files = StatsCSV(environment, PERCENTILES_TO_REPORT)
    out = io.StringIO()
    files.requests_csv(csv.writer(out))
    files.failures_csv(csv.writer(out))
    page = environment.create_web_ui("127.0.0.1", 0, delayed_start=True)
    with page.app.test_client() as client:
        told = json.loads(client.get("/stats/requests").data)
    told.pop("state")
    told["stats"].sort(key=lambda row: (row["name"], row["method"]))
    told["errors"] = sorted((e["method"], e["name"], e["occurrences"]) for e in told["errors"])
    return {
        "entries": [[entry.method, entry.name, entry.num_requests, entry.num_failures,
                     entry.min_response_time, entry.max_response_time, entry.avg_response_time,
                     entry.total_content_length, sorted(entry.response_times.items()),
                     sorted(entry.num_reqs_per_sec.items()),
                     sorted(entry.num_fail_per_sec.items())] for entry in entries],
        "errors": sorted([error.method, error.name, str(error.error), error.occurrences]
                         for error in stats.errors.values()),
        "csv": sorted(out.getvalue().splitlines()),
        "page": told,
    }

"""


def run_python(code: str) -> object:
    """Run code in a separate process; return its output, decoded."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CODE + code],
        check=False, capture_output=True, text=True, cwd=ROOT, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def both():
    """Return what Locust shows for the same calls, passed one by one and in batches."""
    return run_python("print(json.dumps([shown(run(b)[0]) for b in (False, True)]))")


def close(one, other) -> bool:
    """Return whether two figures are equal except for the last digits of sums of fractions."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(close(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(close, one, other))
    return one == (pytest.approx(other, rel=1e-9) if isinstance(one, float) else other)


@pytest.mark.parametrize("part", ["entries", "errors", "page"])
def test_locust_shows_the_same_of_calls_told_in_batches(both, part):
    """Rows, counts, failures, sizes, times and rates per second; and its page."""
    each, batched = (shown[part] for shown in both)
    assert close(each, batched), (each, batched)


def test_locust_writes_the_same_files(both):
    """The files are equal to the last digit."""
    each, batched = (shown["csv"] for shown in both)
    for one, other in zip(each, batched, strict=True):
        assert close(*([figure(cell) for cell in line.split(",")] for line in (one, other)))


def figure(cell: str) -> float | str:
    """Read a cell."""
    try:
        return float(cell)
    except ValueError:
        return cell


def test_steps_of_one_name_and_different_verbs_have_rows_of_their_own(both):
    """As in Locust; in our record they are one step."""
    rows = [(row[0], row[1], row[2]) for row in both[1]["entries"][:-1]]
    assert [row[:2] for row in rows] == [
        ("GET", "/x"),
        ("GET", "both"),
        ("POST", "both"),
        ("MCP", "tools/call echo"),
    ]
    assert sum(count for _, _, count in rows) == 343  # all except the ones that were cut off


def test_in_an_open_load_the_time_is_that_from_the_send():
    """As with an update for each call."""
    each, batched = run_python("print(json.dumps([shown(run(b, True)[0]) for b in (False, True)]))")
    assert close(each["entries"], batched["entries"])


@pytest.mark.parametrize("at", [0, 150])
def test_whoever_else_listens_hears_every_call_from_then_on(at):
    """A listener may start in the middle; Locust's statistics have each call once."""
    count, statistics = run_python(
        f"environment, heard = run(True, listens_at={at})\n"
        "print(json.dumps([len(heard), shown(environment)['entries']]))"
    )
    interrupted = sum(number % 7 == 5 for number in range(at, 400))
    assert count == 400 - at - interrupted
    each = run_python("print(json.dumps(shown(run(False)[0])))")
    assert close(each["entries"], statistics)


def test_where_somebody_listens_from_the_start_there_are_no_batches():
    """Or if only our own listeners do."""
    code = """
environments = [Environment() for _ in range(2)]
environments[0].create_local_runner()
environments[0].events.request.add_listener(lambda **event: None)
environments[1].events.request.add_listener(lambda **event: None)
print(json.dumps([LocustFeed.of(environment) is None for environment in environments]))
"""
    assert run_python(code) == [True, True]
