"""A run that is not over: it has the numbers of the report so far."""

import pytest

from mcp_perf.results.journal.records import ResourceSample, SampleRecord, TurnEnded
from mcp_perf.results.report.build import build
from mcp_perf.results.report.so_far import KEPT_S, SoFar
from tests.support import virtual_run as virtual
from tests.support.virtual_run import Round

STEP = "tools/call echo"
ARMS = {"control": virtual.noisy(5, 8), "mcp": virtual.noisy(10, 8, seed=2)}


class Clock:
    """A clock by which each look at it takes so many seconds."""

    def __init__(self, tick_s=0.0):
        self.now_s, self.tick_s = 0.0, tick_s

    def __call__(self):
        self.now_s += self.tick_s
        return self.now_s


def followed(records, clock=None) -> SoFar:
    """Follow a run through these records."""
    first, *others = records
    so_far = SoFar.of(first, clock or Clock())
    for record in others:
        so_far.take(record)
    return so_far


@pytest.mark.parametrize("tick_s", [0.0, 1e6])
def test_at_the_end_it_says_what_the_report_says(tick_s):
    """Whether each round was judged when it ended, or only the first because it took too long."""
    records = virtual.journal(ARMS, gates=["mcp.p95 < 50ms"])
    so_far, report = followed(records, Clock(tick_s)), build(records)
    for arm, found in zip(report.arms.values(), so_far.calls(), strict=True):
        assert found.count == arm.calls
        assert found.per_second == pytest.approx(arm.calls_per_s)
        assert (found.p50_ms, found.p95_ms) == (arm.latency_ms.p50, arm.latency_ms.p95)
    for parts, shown in (("steps", so_far.steps()), ("journeys", so_far.journeys())):
        for name, found in shown.items():
            for arm, part in zip(report.arms.values(), found, strict=True):
                numbers = getattr(arm, parts)[name]
                assert part.per_second == pytest.approx(numbers.per_second)
                assert (part.count, part.p95_ms) == (numbers.count, numbers.latency_ms.p95)
                assert part.error_rate == numbers.error_rate


def test_the_report_of_the_whole_run_brings_its_ratios_and_gates():
    """Rounds that took too long to be judged during the run count in them, too."""
    records = virtual.journal(ARMS, gates=["mcp.p95 < 50ms"])
    so_far, report = followed(records, Clock(1e6)), build(records)
    assert so_far.journeys()["say"][1].compared != report.arms["mcp"].journeys["say"].compared
    so_far.conclude(report)
    assert so_far.journeys()["say"][1].compared == report.arms["mcp"].journeys["say"].compared
    whole = next(one for one in report.comparisons if (one.arm, one.metric) == ("mcp", "p50"))
    assert so_far.calls()[1].compared == whole
    assert so_far.report.gates == report.gates
    said = so_far.calls()
    so_far.conclude(report)  # each time that a page is asked for
    assert so_far.calls() == said


def test_a_ratio_has_its_interval_while_the_run_goes_on():
    """It comes from the rounds that have ended; the gates are judged by the same rounds."""
    records = virtual.journal(ARMS, gates=["mcp.p95 < 50ms"])
    so_far = followed(records[:-6])
    _, mcp = so_far.journeys()["say"]
    assert mcp.compared.versus == "control"
    low, high = mcp.compared.ci95
    assert low < 2 < high
    assert [gate.verdict for gate in so_far.report.gates] == ["PASS"]


def test_the_round_in_progress_counts_at_once():
    """Before its end it is in the numbers, and no round has been judged."""
    records = virtual.journal({"mcp": [Round(ok=8, failed=2)]})
    cut = next(i for i, record in enumerate(records) if isinstance(record, TurnEnded))
    so_far = followed(records[:cut])
    assert so_far.report is None
    assert so_far.rounds() == 0
    [calls] = so_far.calls()
    assert (calls.count, calls.error_rate) == (10, 0.2)
    turn = so_far.turn()
    assert (turn.started.arm, turn.seconds, turn.calls_per_s) == ("mcp", 1.0, 10)
    so_far.take(records[cut])
    assert so_far.report is not None
    assert so_far.rounds() == 1


def test_kinds_of_failure_come_with_what_the_server_said():
    """The most frequent first; what failed outside of rounds is among them."""
    sample = SampleRecord(
        turn=0,
        at_s=0.5,
        arm="mcp",
        journey="say",
        step=STEP,
        cls="tool_error",
        latency_ns=5,
        service_ns=5,
        bytes_in=1,
        bytes_out=1,
        detail="no such account",
    )
    refused = virtual.cell("mcp", [1.0], name="initialize", cls="timeout")
    opened = virtual.cell("mcp", [1.0], name="initialize")
    setup = virtual.turn(-1, "mcp", 0, Round())[1]
    records = virtual.journal(
        {"mcp": [Round(ok=8, failed=2)]},
        extra=[sample, type(setup)(**{**fields(setup), "cells": [refused, opened]})],
    )
    found = followed(records).failures()
    assert [(one.step, one.cls, one.count, one.example) for one in found] == [
        (STEP, "tool_error", 2, "no such account"),
        ("initialize", "timeout", 1, ""),
    ]


def fields(record):
    """Return what a record says, by name."""
    return {name: getattr(record, name) for name in record.__struct_fields__}


def test_what_the_target_uses_is_that_of_its_last_turn():
    """CPU over the turn, and the last reading of the memory; nothing is known of the other arm."""
    first, start, *others = virtual.journal({"control": [], "mcp": [Round()]})
    unread = dict.fromkeys(("threads", "fds", "processes"))
    used = [
        ResourceSample(turn=0, arm="mcp", at_s=at_s, cpu_s=cpu_s, rss_bytes=7_000_000, **unread)
        for at_s, cpu_s in ((0.0, 1.0), (2.0, 2.0))
    ]
    found = followed([first, start, *used, *others]).use()
    assert (found["mcp"].cpu, found["mcp"].rss_bytes) == (0.5, 7_000_000)
    assert found["control"].cpu is None


def test_the_points_are_those_of_the_last_two_minutes():
    """However often they are asked for, each second is there once."""
    first, *others = virtual.journal({"mcp": [Round()] * 100})
    so_far = followed([first], Clock(1e6))
    for record in others:
        so_far.take(record)
        so_far.points()
    at = [point.at_s for point in so_far.points()]
    assert at == sorted(set(at))
    assert at[-1] == 198
    assert at[-1] - at[0] == KEPT_S


def test_before_the_first_turn_there_is_nothing_to_see():
    """Nothing fails on that."""
    so_far = followed([virtual.started()])
    assert (so_far.turn(), so_far.calls(), so_far.points(), so_far.rounds()) == (None, [], [], 0)
