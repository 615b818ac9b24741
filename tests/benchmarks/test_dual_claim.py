"""The claim that the dual runtime gives 3 to 4 times the throughput at half the latency."""

import pytest

from mcp_perf.results.document.document import Report
from mcp_perf.results.document.part import Reason
from mcp_perf.results.judge.generator import ADVICE
from tests.support import example_report

FEWEST_USERS = 5
"""If the processors achieve fewer, the machine shows nothing about the design."""


def undecided(report: Report) -> str:
    """Say why a machine that is too slow, or was too busy, decided nothing.

    A run that is INVALID for any cause other than the load generator is our fault.
    """
    if report.verdict == "INVALID":
        by_generator = report.reasons[0].code in ADVICE
        return "; ".join(reason.line for reason in report.reasons) if by_generator else ""
    users = report.environment["load"]["users"]
    if users < FEWEST_USERS:
        return f"this machine keeps up {users} users, fewer than {FEWEST_USERS}"
    return ""


def a_report(verdict: str, *codes: str, users: int = 9) -> Report:
    """Give a report of the claim."""
    reasons = [Reason(code=code, text="It is so.") for code in codes]
    load = {"environment": {"load": {"users": users}}}
    return example_report.report().model_copy(
        update={"verdict": verdict, "reasons": reasons} | load
    )


@pytest.mark.parametrize(
    ("report", "excused"),
    [
        (a_report("INVALID", "machine_busy"), True),
        (a_report("INVALID", "shares_cores", "gate_failed"), True),
        (a_report("INVALID", "harness_error", "machine_busy"), False),
        (a_report("INVALID", "worker_lost"), False),
        (a_report("INVALID", "users_missing"), False),
        (a_report("INCONCLUSIVE", "gate_open"), False),
        (a_report("INCONCLUSIVE", "gate_open", users=4), True),
    ],
)
def test_only_a_slow_or_busy_machine_is_an_excuse(report, excused) -> None:
    """Our faults, and open gates on a machine that could have decided them, are failures."""
    assert bool(undecided(report)) == excused


@pytest.mark.load
def test_three_times_the_throughput_at_half_the_latency(load_run) -> None:
    """Judged by its scenario's gates, at the claim's round trip, in more and shorter rounds.

    A full processor makes rounds uneven, so targets stay further below one than in the scenario.
    """
    load_run(
        "dual-vs-control",
        *("load.calibrate=60%", "load.rounds=20", "load.round=2s", "load.warmup=2s"),
        arms=["control", "dual"],
        excuse=undecided,
    )
