"""The report agrees with what the systems saw: their state, their counters, their faults.

A call that was cut off at the end of a round may or may not have reached its server. So a server
did at least what the report says was answered, and at most that plus the calls cut off:
`told <= did <= told + cut`, by step. If nothing was cut off, both are the same.
"""

import itertools
import json
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from mcp_perf.client.http.rest import RestClient
from mcp_perf.client.mcp.streamable_http import HttpClient
from mcp_perf.load.steps.compile import compile_journeys
from mcp_perf.load.steps.journey import Walk
from mcp_perf.load.steps.recorder import Recorder
from mcp_perf.load.steps.step import CallContext
from mcp_perf.load.targets.targets import reach_all
from mcp_perf.outcomes import INTERRUPTED
from mcp_perf.results.journal.journal import read
from mcp_perf.results.journal.records import SETUP, AnyRecord, Slice
from mcp_perf.scenario.loader import find, load
from mcp_targets.launcher.systems import Face, Systems
from tests.support.disturbance import spoiled

pytestmark = pytest.mark.load

_API = "/2010-04-01/Accounts/${account}"
ROUTES = {
    f"GET {_API}/AvailablePhoneNumbers/CA/Local.json": "list-available-numbers",
    "TwilioApiV2010--ListAvailablePhoneNumberLocal": "list-available-numbers",
    f"POST {_API}/IncomingPhoneNumbers.json": "buy-number",
    "TwilioApiV2010--CreateIncomingPhoneNumber": "buy-number",
    "POST /v1/Workspaces/${workspace}/Activities": "create-activity",
    "TwilioTaskrouterV1--CreateActivity": "create-activity",
    "POST /v1/Workspaces/${workspace}/TaskQueues": "create-task-queue",
    "TwilioTaskrouterV1--CreateTaskQueue": "create-task-queue",
    f"POST {_API}/Messages.json": "send-message",
    "TwilioApiV2010--CreateMessage": "send-message",
    f"GET {_API}/Messages.json": "list-messages",
    "TwilioApiV2010--ListMessage": "list-messages",
}
COLLECTIONS = {
    "buy-number": "incoming_phone_numbers",
    "create-activity": "activities",
    "create-task-queue": "task_queues",
    "send-message": "messages",
}
DUPLICATE = " (duplicate)"
FACES = {"control": "twilio/rest", "mcp": "twilio/mcp"}


def normalised(record: dict, *, digits: bool) -> str:
    """Return a record without its ids, dates and accounts; with `digits`, without numbers too."""
    kept = {key: value for key, value in sorted(record.items()) if not key.startswith("date_")}
    text = re.sub(r"[0-9a-f]{32}", "ID", str(kept))
    text = re.sub(r"\+1\d{10}", "+1NUMBER", text)
    return re.sub(r"\d+", "#", text) if digits else text


def counted(records: Iterable[AnyRecord], arm: str) -> Counter[tuple[str, str]]:
    """Count the calls of an arm by step and class, over warm-up and rounds."""
    found: Counter[tuple[str, str]] = Counter()
    for record in records:
        if isinstance(record, Slice) and record.turn != SETUP:
            for cell in record.cells:
                if (cell.arm, cell.kind) == (arm, "call"):
                    found[cell.name.removeprefix("tools/call "), cell.cls] += cell.n
    return found


def split(counts: Counter[tuple[str, str]], name=str) -> tuple[Counter[str], Counter[str]]:
    """Return how many calls were answered and cut off, by the name that `name` gives each step.

    Steps without such a name are left out.
    """
    told: Counter[str] = Counter()
    cut: Counter[str] = Counter()
    for (step, cls), n in counts.items():
        if found := name(step):
            (cut if cls == INTERRUPTED else told)[found] += n
    return told, cut


def route(step: str) -> str:
    """Return the provider's route that a step calls."""
    return ROUTES[step.removesuffix(DUPLICATE)]


@pytest.fixture(scope="module", params=["60s", "0s"], ids=["all calls end", "calls are cut off"])
def twilio(request, ask, run_cli, quick, report, tmp_path_factory):
    """Run twilio-tasks with 50 users against systems that outlive the run; return what they saw."""
    folder = tmp_path_factory.mktemp("twilio")
    out = folder / "run"
    more = ("--set", "load.round=1s", "--set", f"limits.drain={request.param}")
    with Systems(folder / "systems") as systems:
        faces = {arm: systems.face(face) for arm, face in FACES.items()}
        path = pointed(faces, folder)
        ended = run_cli("run", path, "-u", "50", *quick, *more, "--out", out, timeout=300)
        if ended.code == 91:
            spoiled(" ".join(reason["text"] for reason in report(out)["reasons"]))
        assert ended.code in (0, 90, 99), ended.output  # a slow machine may miss the gate on p95
        upstream = faces["control"].url
        accounts = {arm: face.variables["account"] for arm, face in faces.items()}
        records = list(read(out / "journal.jsonl"))
        return {
            "cuts": request.param == "0s",
            "report": report(out),
            "counters": ask(f"{upstream}/_counters"),
            "accounts": accounts,
            "states": {
                arm: ask(f"{upstream}/_state?account={name}") for arm, name in accounts.items()
            },
            "counted": {arm: counted(records, arm) for arm in accounts},
        }


def pointed(faces: dict[str, Face], folder: Path) -> Path:
    """Write twilio-tasks for running systems; return its path."""
    text = find("twilio-tasks").read_text("utf-8")
    for (arm, face), kind in zip(faces.items(), ("http", "mcp"), strict=True):
        known = json.dumps({kind: face.url, "vars": dict(face.variables)})
        text, found = re.subn(rf"(?m)^  {arm}: {{.*}}$", f"  {arm}: {known}", text)
        assert found == 1
    path = folder / "twilio-tasks.yaml"
    path.write_text(text)
    return path


@pytest.mark.load
def test_the_report_counts_what_the_journal_and_the_upstream_counted(twilio):
    """Requests per account equal the calls of its arm, including the warm-up, and all succeeded."""
    for arm, account in twilio["accounts"].items():
        numbers = twilio["report"]["arms"][arm]
        classes = numbers["classes"]
        assert classes["ok"] > 0, twilio["report"]["failures"]
        assert classes["ok"] + classes[INTERRUPTED] == numbers["calls"]
        told, cut = split(twilio["counted"][arm])
        assert told.total() + cut.total() == numbers["calls"] + numbers["warmup_calls"]
        requests = twilio["counters"]["accounts"][account]["requests"]
        assert told.total() <= requests <= told.total() + cut.total()
        assert (cut.total() > 0) is twilio["cuts"]
        assert sum(step["count"] for step in numbers["steps"].values()) == numbers["calls"]


@pytest.mark.load
def test_the_upstream_counted_per_route_what_the_steps_counted(twilio):
    """Each route of the provider saw exactly the calls of the steps that call it."""
    counts = sum(twilio["counted"].values(), Counter())
    told, cut = split(counts, route)
    routes = twilio["counters"]["routes"]
    did = Counter({name: tally["requests"] for name, tally in routes.items()})
    assert told <= did <= told + cut
    # Only the duplicates were refused, which have to conflict.
    refused = twilio["counters"]["errors_sent"]
    assert refused == routes["create-activity"]["errors_sent"]
    told, cut = split(counts, lambda step: DUPLICATE if step.endswith(DUPLICATE) else "")
    assert 0 < told[DUPLICATE] <= refused <= told[DUPLICATE] + cut[DUPLICATE]


@pytest.mark.load
def test_both_arms_leave_behind_what_their_reports_say_they_did(twilio):
    """Each collection has one record per successful call, of the same form for both arms."""
    for name, collection in COLLECTIONS.items():
        forms = []
        for arm, counts in twilio["counted"].items():
            told, cut = split(counts, ROUTES.get)
            records = twilio["states"][arm][collection]
            assert 0 < told[name] <= len(records) <= told[name] + cut[name], (arm, collection)
            forms.append({normalised(record, digits=True) for record in records})
        assert forms[0] == forms[1], collection


@pytest.mark.load
def test_queues_point_to_activities_of_their_own_arm(twilio):
    """A value saved by one step reaches the next step of the same journey, with 50 users."""
    for state in twilio["states"].values():
        activities = {record["sid"] for record in state["activities"]}
        wanted = [record["target_workers"] for record in state["task_queues"]]
        named = [re.fullmatch(r"activity_sid != '(WA\w+)'", text)[1] for text in wanted]
        assert set(named) <= activities
        assert len(set(named)) == len(named)


@pytest.mark.load
def test_fifty_users_never_get_the_same_number(twilio):
    """No two purchases of any users and arms are of the same phone number."""
    bought = [
        record["phone_number"]
        for state in twilio["states"].values()
        for record in state["incoming_phone_numbers"]
    ]
    assert len(bought) == len(set(bought)) > 50


@pytest.mark.process
def test_the_same_journeys_leave_the_same_state_behind(shared_systems, ask):
    """Walked one by one with one seed, both arms make the same records in the same order."""
    loaded = load(find("twilio-tasks"))
    targets = reach_all(loaded, shared_systems, {}, {"run": "walked"})
    upstream = targets["control"].url
    recorder = Recorder("local", lambda _records: None)
    journeys = compile_journeys(loaded, targets, recorder)
    made = {}
    for arm, target in targets.items():
        account = target.variables["account"]
        before = ask(f"{upstream}/_state?account={account}")
        http = target.kind == "http"
        client = RestClient(target.endpoint) if http else HttpClient(target.endpoint)
        context = CallContext(arm, client, recorder, lambda **_event: None)
        counter = itertools.count(10_000_001).__next__
        walk = Walk(journeys, context, target.variables, user=0, seed=7, counter=counter)
        for _ in range(24):
            walk.journey()
        client.close()
        after = ask(f"{upstream}/_state?account={account}")
        made[arm] = {
            name: [
                normalised(record, digits=False) for record in records[len(before.get(name, [])) :]
            ]
            for name, records in after.items()
        }
    assert made["control"] == made["mcp"]
    assert {name: len(records) for name, records in made["mcp"].items()} == {
        "incoming_phone_numbers": 12,
        "activities": 8,
        "task_queues": 4,
        "messages": 4,
    }


CLASSES = {
    "rest": {
        "error": "http_error",
        "html": "http_error",
        "malformed": "check_failed",
        "reset": "transport_error",
        "cut": "transport_error",
        "stall": "timeout",
    },
    "mcp": {
        "error": "tool_error",
        "html": "http_error",
        "malformed": "rpc_error",
        "reset": "transport_error",
        "cut": "transport_error",
        "stall": "timeout",
    },
}
FAULTS = """
name: faults
title: Faults on demand
arms:
  rest: {http: "URL", timeout: 3s}
  mcp: {mcp: "URL/mcp", timeout: 3s, protocol: "2025-11-25"}
journeys:
  echo:
    with: {message: {template: "message ${seq}"}}
    rest:
      - {post: /echo, json: {message: "${message}"}, expect: {equals: {message: "${message}"}}}
    mcp:
      - call: echo
        arguments: {message: "${message}"}
        expect: {equals: {structuredContent.message: "${message}"}}
# No call that is merely slow runs into the timeout, and none that is stalled is cut off before it.
load: {users: 8}
limits: {drain: 60s, errors: 100%}
"""


@pytest.mark.load
@pytest.mark.parametrize("arm", ["rest", "mcp"])
def test_promise_22_injected_faults_are_seen_exactly(
    arm, systems, ask, run_cli, quick, report, tmp_path
):
    """The run counts each injected fault by class, and no other failure."""
    base = systems.face("echo/rest").url
    rates = {f"{kind}_rate": 0.02 for kind in ("error", "html", "malformed", "reset", "cut")}
    ask(f"{base}/_faults", {**rates, "stall_rate": 0.01, "stall_ms": 60_000, "seed": 5})
    path = tmp_path / "faults.yaml"
    path.write_text(FAULTS.replace("URL", base))
    out = tmp_path / "run"
    enough = ("--set", "load.round=1s")  # for each kind of fault
    ended = run_cli("run", path, "--arm", arm, *quick, *enough, "--out", out)
    assert ended.code == 0, ended.output
    counters = ask(f"{base}/_counters")
    did: Counter[str] = Counter()
    for kind, n in counters["faults"].items():
        did[CLASSES[arm][kind]] += n
    arrived = sum(counters["by_tool"].values())
    did["ok"] = arrived - did.total()
    told: Counter[str] = Counter()
    for (_, cls), n in counted(read(out / "journal.jsonl"), arm).items():
        told[cls] += n
    cut = told.pop(INTERRUPTED, 0)
    assert counters["faults"].keys() == CLASSES[arm].keys()
    assert told <= did
    assert arrived - cut <= told.total() <= arrived
    numbers = report(out)["arms"][arm]
    assert sum(numbers["classes"].values()) + numbers["warmup_calls"] == told.total() + cut
