"""The claim that the dual runtime brings 3 to 4 times the throughput, at half the latency."""

import pytest

from mcp_perf.results.document.document import Report
from tests.support import example_report

FEWEST_USERS = 5
"""Where processors keep up fewer, the machine says nothing of the design."""


def undecided(report: Report) -> str:
    """Say why a machine that is too slow, or was too busy, has decided nothing.

    A run that is INVALID for any other reason than a limit of the generator is a fault of ours.
    """
    if report.verdict == "INVALID":
        of_generator = report.reasons[0].text.startswith("The load generator ")
        faults = [arm.classes["harness_error"] for arm in report.arms.values()]
        return "; ".join(reason.line for reason in report.reasons) if of_generator and not any(faults) else ""
    users = report.environment["load"]["users"]
    if users < FEWEST_USERS:
        return f"this machine keeps up {users} users, fewer than {FEWEST_USERS}"
    return ""


def a_report(verdict: str, reason: str, users: int = 9, harness_errors: int = 0) -> Report:
    """Give a report of the claim."""
    whole = example_report.report()
    arms = {
        name: arm.model_copy(update={"classes": arm.classes | {"harness_error": harness_errors}})
        for name, arm in whole.arms.items()
    }
    load = {"environment": {"load": {"users": users}}}
    return whole.model_copy(update={"verdict": verdict, "reasons": [reason], "arms": arms} | load)


LATE = "The load generator woke 30 ms late (p99; the limit is 25 ms): its timings hold its own."


@pytest.mark.parametrize(
    ("report", "excused"),
    [
        (a_report("INVALID", LATE), True),
        (a_report("INVALID", LATE, harness_errors=3), False),
        (a_report("INVALID", "Worker lost: one."), False),
        (a_report("INVALID", "Not all users were at work in every round (1 short)."), False),
        (
            a_report("INVALID", "3 calls could not be made as the scenario says"),
            False,
        ),
        (a_report("INCONCLUSIVE", "Gate dual.throughput >= 3x control: open"), False),
        (a_report("INCONCLUSIVE", "Gate dual.throughput >= 3x control: open", users=4), True),
    ],
)
def test_only_a_slow_or_busy_machine_is_an_excuse(report, excused) -> None:
    """Faults of ours, and open gates of a machine that could have decided, are red."""
    assert bool(undecided(report)) == excused


@pytest.mark.load
def test_three_times_the_throughput_at_half_the_latency(load_run) -> None:
    """By the gates of its scenario, at the claim's own round trip, in rounds that are shorter."""
    load_run(
        "dual-vs-control",
        *("load.rounds=8", "load.round=3s", "load.warmup=2s"),
        arms=["control", "dual"],
        excuse=undecided,
    )
