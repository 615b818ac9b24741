"""The claim that the dual runtime brings 3 to 4 times the throughput, at half the latency."""

import pytest

from mcp_perf.results.document.document import Report

FEWEST_USERS = 5
"""Where processors keep up fewer, the machine says nothing of the design."""


def undecided(report: Report) -> str:
    """Say why a machine that is too slow, or was too busy, has decided nothing."""
    users = report.environment["load"]["users"]
    if report.verdict == "INVALID":
        return "; ".join(report.reasons)
    if report.verdict == "INCONCLUSIVE" and users < FEWEST_USERS:
        return f"this machine keeps up {users} users, fewer than {FEWEST_USERS}"
    return ""


@pytest.mark.load
def test_three_times_the_throughput_at_half_the_latency(load_run) -> None:
    """By the gates of its scenario, at the claim's own round trip, in rounds that are shorter."""
    load_run(
        "dual-vs-control",
        *("load.rounds=8", "load.round=3s", "load.warmup=2s"),
        arms=["control", "dual"],
        excuse=undecided,
    )
