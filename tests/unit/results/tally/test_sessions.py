"""Sessions in a report: how many were open, what they cost on each side, and the gates on them."""

import io
from pathlib import Path

import pytest
from msgspec.structs import replace
from rich.console import Console

from mcp_perf.numbers import THIN
from mcp_perf.results.journal.records import SETUP, ResourceSample, SessionCount, TurnStarted
from mcp_perf.results.render.console import terminal
from mcp_perf.results.render.files import html, markdown
from mcp_perf.results.report.build import build
from mcp_perf.results.tally.sessions import MOST_MOMENTS, SessionTally
from tests.support.virtual_run import Round, journal

KIB = 1024
START = 30_000 * KIB
"""Resident memory of a target before it has sessions, in bytes."""


def memory(at_s, turn, sessions, arm="mcp", once=0):
    """Give a reading of a target whose sessions take 16 KiB each."""
    rss = START + once + 16 * KIB * sessions
    return ResourceSample(
        turn=turn, at_s=at_s, arm=arm, cpu_s=0.0, rss_bytes=rss, threads=1, fds=9, processes=1
    )


def count(at_s, node="w1", streams=0, once=0, **open_):
    """Give a node's count; its memory is 100 MB and 32 KiB for each session."""
    rss = 100_000 * KIB + once + 32 * KIB * sum(open_.values())
    return SessionCount(
        node=node,
        at_s=at_s,
        users=9,
        open=open_,
        streams=dict.fromkeys(open_, streams),
        rss_bytes=rss,
    )


def run(levels, gates=(), *, warmup=False, once=0, arm="mcp", shared=(), closed=0, nodes=("w1",)):
    """Build the report of a run whose n-th turn has `levels[n]` sessions open, over all nodes.

    The first calls make the target, and each node, take `once` bytes more, and keep them.
    """
    records = journal({arm: [Round(users=max(1, n)) for n in levels]}, gates=list(gates))
    described = {"source": "server (1)", "why_not": "", "shared": list(shared)}
    first = replace(records[0], arms={arm: {"target": "x", "protocol": "", "resources": described}})
    before = [memory(0.0, SETUP, 0, arm), *(count(0.0, node, **{arm: 0}) for node in nodes)]
    built = [first, *before]
    number = 0
    for record in records[1:-1]:
        if isinstance(record, TurnStarted):
            level = levels[number]
            share, more = level // len(nodes), once if number else 0
            begun = replace(record, phase="warmup", round=0) if warmup and not number else record
            number += 1
            built += [count(record.at_s, node, share, more, **{arm: share}) for node in nodes]
            built += [begun, memory(record.at_s, record.turn, level, arm, more)]
            built += [memory(record.at_s + 1, record.turn, 2 * level, arm)]  # by its calls
        else:
            built.append(record)
    end_s = records[-1].at_s
    built += [count(end_s, node, **{arm: closed}) for node in nodes]
    return build([*built, memory(end_s, SETUP, 100, arm), records[-1]])


RAMP = tuple(range(100, 1001, 100))


def test_a_ramp_shows_the_memory_of_a_session_on_both_sides():
    """16 KiB in the target and 32 in the generator, with intervals and the numbers behind them."""
    report = run(RAMP)
    arm, own = report.arms["mcp"].sessions, report.generator.sessions
    assert (arm.most, arm.streams, arm.left, arm.levels) == (1000, 1000, 0, 10)
    assert (arm.kib, own.kib) == (pytest.approx(16), pytest.approx(32))
    assert arm.kib_ci95[0] < 16 < arm.kib_ci95[1]
    assert own.kib_ci95[0] < 32 < own.kib_ci95[1]
    assert (arm.rss_before, arm.rss_open) == (START, START + 16_000 * KIB)
    assert arm.rss_after == START + 1600 * KIB
    assert own.rss_after == own.rss_before == 100_000 * KIB


def test_the_work_of_a_level_is_not_memory_of_its_sessions():
    """Rounds at one level are one step: its memory is read when it is reached, before its calls."""
    arm = run([1000] * 8).arms["mcp"].sessions
    assert (arm.levels, arm.kib, arm.kib_ci95) == (1, pytest.approx(16), None)
    assert "no interval" in arm.why_not


def test_what_the_first_calls_take_once_is_not_memory_of_a_session():
    """Both sides have 8 MiB more after the warm-up, so the lowest level is read again after it."""
    report = run([100, *RAMP], warmup=True, once=8192 * KIB)
    arm, own = report.arms["mcp"].sessions, report.generator.sessions
    assert (arm.levels, own.levels) == (10, 10)
    assert (arm.kib, own.kib) == (pytest.approx(16), pytest.approx(32))
    assert arm.kib_ci95[0] > 15.8


def test_one_level_is_read_before_all_calls():
    """The one step, from no sessions to all, leaves out what the warm-up's calls leave behind."""
    report = run([1000] * 8, warmup=True, once=8192 * KIB)
    arm, own = report.arms["mcp"].sessions, report.generator.sessions
    assert (arm.kib, own.kib) == (pytest.approx(16), pytest.approx(32))


def test_the_sessions_of_several_processes_add_up():
    """Two workers with half of them each are one load, and their memory is the generator's."""
    report = run(RAMP, nodes=("w1", "w2"))
    assert report.arms["mcp"].sessions.most == 1000
    assert report.generator.sessions.kib == pytest.approx(32)
    assert report.generator.sessions.rss_before == 200_000 * KIB


def test_sessions_that_nobody_closed_are_reported():
    """Sessions still open when the users have gone are in the report."""
    assert run(RAMP, closed=3).arms["mcp"].sessions.left == 3


def test_the_sessions_are_a_series_from_before_the_run_to_after_it():
    """On the clock of all other series: zero at first, then a thousand, and zero at the end."""
    report = run(RAMP)
    assert [point.open for point in report.sessions] == [0, *RAMP, 0]
    assert report.sessions[-1].at_s == report.duration_s


@pytest.mark.parametrize(
    ("gate", "verdict"),
    [
        ("mcp.sessions >= 1000", "PASS"),
        ("mcp.sessions > 1000", "FAIL"),
        ("mcp.session_kib < 64KiB", "PASS"),
        ("mcp.session_kib < 15KiB", "FAIL"),
        ("mcp.session_kib < 16KiB", "INCONCLUSIVE"),
    ],
)
def test_sessions_are_judged(gate, verdict):
    """Their number as it is, over the whole ramp; the memory of each session by its interval."""
    [result] = run(RAMP, [gate]).gates
    assert result.verdict == verdict
    assert bool(result.reason) == (verdict != "PASS")


def test_one_step_decides_nothing():
    """Without an interval a gate is INCONCLUSIVE, with the reason, however far from the bound."""
    [result] = run([1000] * 8, ["mcp.session_kib < 64KiB"]).gates
    assert (result.verdict, result.measured) == ("INCONCLUSIVE", pytest.approx(16))
    assert "at least 6 levels" in result.reason


def test_without_sessions_no_gate_passes():
    """Nothing is known about an arm without sessions, and the gate says so."""
    records = journal({"mcp": [Round()] * 3}, gates=["mcp.session_kib < 64KiB"])
    report = build(records)
    assert report.gates[0].verdict == "INCONCLUSIVE"
    assert "no sessions" in report.gates[0].reason
    assert report.arms["mcp"].sessions.most is None
    assert report.generator.sessions.kib is None


def test_sessions_that_never_opened_take_no_memory():
    """A target whose sessions all fail to open has no sessions and no KiB per session."""
    arm = run([0] * 6).arms["mcp"].sessions
    assert (arm.most, arm.kib, arm.why_not) == (0, None, "No session was open.")


def test_the_sessions_of_two_arms_in_one_process_cannot_be_told_apart():
    """Their numbers are known; their memory is not, and the reason names the other arm."""
    tally = SessionTally()
    tally.read(memory(0, SETUP, 0), begun=False)
    for number in range(1, 8):
        tally.count(count(number, mcp=number * 10, other=5), begun=True)
        tally.begin_turn(memory(number, number, number * 10 + 5), measured=True)
    alone, together = tally.of_arm("mcp", []), tally.of_arm("mcp", ["other", "rest"])
    assert (alone.most, together.most) == (70, 70)
    assert (alone.kib is None, together.kib) == (False, None)
    assert "other" in together.why_not


def test_a_long_run_keeps_a_bounded_series():
    """A day at one point a second is thinned evenly, and all arms of a moment stay together."""
    tally = SessionTally()
    for second in range(6 * MOST_MOMENTS):
        tally.count(count(float(second), mcp=second, other=0), begun=True)
    points = tally.points()
    assert MOST_MOMENTS <= len(points) <= 2 * MOST_MOMENTS
    assert [point.arm for point in points[:4]] == ["mcp", "other"] * 2
    gaps = {b.at_s - a.at_s for a, b in zip(points[::2], points[2::2], strict=False)}
    assert len(gaps) == 1


def test_every_report_shows_them():
    """The page has the chart and both sides; Markdown has the table."""
    report = run(RAMP)
    page, text = html.render(report), markdown.render(report)
    assert "<h3>Sessions open</h3>" in page
    assert "Memory for each session" in page
    assert "**Open sessions**" in text
    assert "1\N{NARROW NO-BREAK SPACE}000" in text
    assert "the load generator" in text


@pytest.mark.parametrize(
    ("levels", "written"),
    [
        ([99] * 8, ""),
        ([100] * 8, "16.0 KiB, without an interval"),
        (range(10, 61, 10), "13.4 to 18.6 KiB"),
        (range(20, 101, 20), "16.0 KiB, without an interval"),
    ],
)
def test_memory_per_session_is_shown_if_there_are_enough(levels, written):
    """If it has an interval, or for a hundred sessions; with fewer it is in report.json only."""
    report = run(levels)
    console = Console(file=io.StringIO(), width=150)
    terminal.summary(report, Path("out"), console)
    for text in (html.render(report), markdown.render(report), console.file.getvalue()):
        assert written in text.replace(THIN, " ")
        assert bool(written) == ("KiB" in text)
    assert report.arms["mcp"].sessions.kib == pytest.approx(16)


def test_a_report_without_sessions_has_no_place_for_them():
    """There is no empty chart, row or table."""
    report = build(journal({"mcp": [Round()] * 3}))
    assert "Sessions open" not in html.render(report)
    assert "Open sessions" not in markdown.render(report)


def test_memory_after_the_sessions_is_not_that_before_them():
    """A run that was cut off while users arrived has no number for the memory left at the end."""
    tally = SessionTally()
    tally.count(count(0.0, mcp=0), begun=False)
    tally.count(count(1.0, mcp=5), begun=False)
    numbers = tally.of_generator()
    assert (numbers.most, numbers.rss_before, numbers.rss_after) == (5, 100_000 * KIB, None)
