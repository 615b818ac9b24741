"""The scenarios of the business tools: shortened here, and complete in `make test-long`."""

import json

import pytest

from mcp_perf.scenario.catalog import find
from mcp_targets.business_tools.names import TOOLS
from tests.support.commands import CALM

ARM = "  mcp: {mcp: system:business_tools/mcp}\n"
DEGRADED = '  degraded: {mcp: "system:business_tools/mcp?delay=300ms&errors=5%"}\n'
SHORT = ("--set", "load.warmup=500ms", "--set", "limits.late_starts=100%", *CALM)


def gates(document):
    """Return the verdict of each gate."""
    return {gate["gate"]: gate["verdict"] for gate in document["gates"]}


@pytest.mark.load
def test_a_hundred_users_find_all_tools_well_and_a_degraded_server_fails_each_gate(
    run_cli, report, tmp_path
):
    """The mix of a thousand users with shorter think times; a whole run judges the latency."""
    text = find("business-tools-1000-users").read_text("utf-8")
    assert text.count(ARM) == 1
    same = [line.replace("mcp.", "degraded.") for line in text.splitlines() if "- mcp." in line]
    scenario = tmp_path / "mixed.yaml"
    scenario.write_text("\n".join([text.replace(ARM, ARM + DEGRADED).rstrip(), *same]), "utf-8")
    quick = ("users=100", "think.min=500ms", "think.max=700ms", "rounds=6", "round=500ms")
    options = [word for one in quick for word in ("--set", f"load.{one}")]
    out = tmp_path / "run"
    ended = run_cli(
        "run", scenario, *options, *SHORT, "--set", "limits.target_cpu=100%", "--out", out
    )
    assert ended.code == 99, ended.output
    document = report(out)
    mcp, found = document["arms"]["mcp"], gates(document)
    assert mcp["classes"]["ok"] == mcp["calls"]
    assert len(mcp["steps"]) >= len(TOOLS) + 4
    assert {f"tools/call {name}" for name in TOOLS} <= mcp["steps"].keys()
    assert {found[line.removeprefix("  - ")] for line in same} == {"FAIL"}
    assert found["mcp.error_rate < 0.1%"] != "FAIL"
    assert found["mcp.success_rate > 99.5%"] != "FAIL"


@pytest.mark.load
def test_replicas_are_restarted_one_after_the_other_and_nobody_notices(run_cli, report, tmp_path):
    """The journeys of each second are ok while processes come and go."""
    out = tmp_path / "run"
    target = "arms.mcp.mcp=system:business_tools/mcp?replicas=2&restart.every=1s"
    options = ("--set", target, "--set", "load.rounds=1", "--set", "load.round=6s")
    ended = run_cli("run", "availability", *options, *SHORT, "--out", out)
    document = report(out)
    assert gates(document)["mcp.availability > 99%"] == "PASS", ended.output
    assert document["arms"]["mcp"]["availability"] == 1
    records = map(json.loads, (out / "journal.jsonl").read_text("utf-8").splitlines())
    seen = [record["by_process"].keys() for record in records if record["type"] == "resources"]
    assert seen[-1] - seen[0]  # a process that did not exist at first


@pytest.mark.long
@pytest.mark.timeout(1000)
@pytest.mark.parametrize(
    "name",
    [
        *("business-tools", "business-tools-1000-users", "naive-vs-production"),
        *("mechanism-value", "provider-outage", "availability"),
    ],
)
def test_each_scenario_ends_with_its_verdict(name, run_cli, report, tmp_path):
    """All gates hold. If the machine is too small for a thousand users, the run says so."""
    out = tmp_path / "run"
    ended = run_cli("run", name, "--out", out, timeout=900)
    document = report(out)
    reasons = {reason["code"] for reason in document["reasons"]}
    small = name.endswith("users") and reasons == {"target_saturated"}
    assert document["verdict"] == ("INVALID" if small else "PASS"), ended.output


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_two_replicas_are_available_for_twenty_minutes(run_cli, report, tmp_path):
    """At most one of 1200 seconds may be bad while replicas are restarted sixty times."""
    out = tmp_path / "run"
    more = ("load.rounds=20", "load.round=60s", "gates.0=mcp.availability > 99.9%")
    options = [word for one in more for word in ("--set", one)]
    ended = run_cli("run", "availability", *options, "--out", out, timeout=1700)
    assert report(out)["verdict"] == "PASS", ended.output


@pytest.mark.long
def test_one_replica_that_is_restarted_is_not_available(run_cli, report, tmp_path):
    """A second replica is worth that much."""
    out = tmp_path / "run"
    target = "arms.mcp.mcp=system:business_tools/mcp?replicas=1&restart.every=20s"
    run_cli("run", "availability", "--set", target, "--out", out)
    document = report(out)
    assert gates(document)["mcp.availability > 99%"] == "FAIL"
    assert any("mcp was not available in" in note for note in document["notes"])
