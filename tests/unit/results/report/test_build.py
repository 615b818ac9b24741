"""The report: every number comes from the journal, by hand-checked arithmetic."""

import random
import time
from collections import Counter

import pytest

from mcp_perf.outcomes import CLASSES
from mcp_perf.results.document.document import Report
from mcp_perf.results.journal.journal import JournalError, JournalWriter
from mcp_perf.results.journal.records import (
    Cell,
    RunEnded,
    SampleRecord,
    Slice,
    TurnEnded,
    TurnStarted,
)
from mcp_perf.results.report.build import COMPARED, build, load_report
from tests.support import virtual_run as virtual
from tests.support.virtual_run import Round, cell, texts


def built(arms, **changes) -> Report:
    """Build the report of a run of these rounds."""
    return build(virtual.journal(arms, **changes))


def noisy(ms: float, rounds: int, seed: int, n: int = 100) -> list:
    """Give rounds of about so many milliseconds at 2 % noise."""
    rng = random.Random(seed)
    factors = [rng.lognormvariate(0, 0.02) for _ in range(rounds)]
    return [Round(ms=ms * f, ok=n, busy_s=n * ms * f / 1000) for f in factors]


def sample(cls: str, detail: str, arm: str = "mcp") -> SampleRecord:
    """Give a call kept whole."""
    return SampleRecord(
        turn=0,
        at_s=1.0,
        arm=arm,
        journey="say",
        step="tools/call echo",
        cls=cls,
        latency_ns=5,
        service_ns=5,
        bytes_in=1,
        bytes_out=1,
        detail=detail,
    )


def test_a_small_run_gives_the_numbers_that_arithmetic_gives():
    """Two rounds of 8 ok and 2 failed calls of 10 ms in 0.5 s, and all that follows from them."""
    what = Round(ms=10, ok=8, failed=2, busy_s=0.5, planned=210, dropped=1)
    report = built({"mcp": [what, what]}, gates=["mcp.calls >= 20"], limits={"errors": 0.2})
    arm = report.arms["mcp"]
    assert (arm.calls, arm.journeys_done, arm.planned, arm.dropped) == (20, 16, 420, 2)
    assert (arm.error_rate, arm.success_rate) == (0.2, 0.8)
    assert (arm.throughput_per_s, arm.calls_per_s) == (16, 20)
    assert arm.classes == dict.fromkeys(CLASSES, 0) | {"ok": 16, "tool_error": 4}
    assert arm.latency_ms.mean == pytest.approx(10)
    assert arm.service_ms is None
    assert (arm.bytes_in, arm.bytes_out) == (200, 0)
    assert (arm.target, arm.protocol) == ("http://127.0.0.1/mcp", "x")
    assert arm.percentile_curve[-1] == pytest.approx((1.0, arm.latency_ms.max), rel=0.001)
    step, journey = arm.steps["tools/call echo"], arm.journeys["say"]
    assert (step.count, step.error_rate, step.per_second) == (20, 0.2, 20)
    assert (journey.count, journey.error_rate, journey.per_second) == (20, 0.2, 16)
    assert step.classes == journey.classes == arm.classes
    assert journey.latency_ms == arm.journey_ms
    assert (report.verdict, report.exit_code, report.complete) == ("PASS", 0, True)
    assert texts(report.reasons) == ["The gate held."]
    assert (report.scenario, report.title, report.duration_s) == ("echo", "Echo", 4)
    assert report.environment["python"] == "3.11"
    assert (report.environment["seed"], report.environment["load"]["users"]) == (7, 1)


def test_the_report_can_be_written_and_read_again():
    """The document is plain JSON, and none of it is lost on the way."""
    report = built({"control": noisy(10, 6, 1), "mcp": noisy(20, 6, 2)}, gates=["mcp.p50 < 1s"])
    assert Report.model_validate_json(report.model_dump_json(by_alias=True)) == report


def test_promise_11_rounds_are_listed_in_the_order_in_which_they_ran():
    """Warm-up is round 0; the order over both arms shows that they were interleaved."""
    control, mcp = Round(ok=5), Round(ok=6, failed=1)
    turns = [("mcp", 0, Round(ok=9)), ("control", 1, control), ("mcp", 1, mcp)]
    turns += [("mcp", 2, mcp), ("control", 2, control)]
    records = [record for n, what in enumerate(turns) for record in virtual.turn(n, *what)]
    report = build([virtual.started(), *records, RunEnded(at_s=10, reason="finished")])
    assert [(r.round, r.phase, r.order) for r in report.arms["mcp"].rounds] == [
        (0, "warmup", 0),
        (1, "round", 2),
        (2, "round", 3),
    ]
    assert [r.order for r in report.arms["control"].rounds] == [1, 4]
    first = report.arms["mcp"].rounds[1]
    assert (first.at_s, first.seconds, first.calls, first.journeys_done) == (4, 1, 7, 6)
    assert (first.throughput_per_s, first.calls_per_s) == (6, 7)
    assert first.error_rate == pytest.approx(1 / 7)
    assert first.journey_ms.p50 == pytest.approx(10, rel=0.1)
    assert (report.arms["mcp"].warmup_calls, report.arms["mcp"].calls) == (9, 14)


def test_service_times_are_shown_beside_latencies():
    """Open load behind a slow server: latency from the intended start, service from the send."""
    late = cell("mcp", [100.0] * 50, service=virtual.pairs([10_000_000] * 50))
    late = Cell(**{f: getattr(late, f) for f in late.__struct_fields__} | {"service_total_ns": 5e8})
    records = virtual.turn(0, "mcp", 1, Round(ok=0))
    records[1] = Slice(node="w1", turn=0, at_s=0, seconds=1, cells=[late], health=virtual.COOL)
    report = build([virtual.started(["mcp"]), *records, RunEnded(at_s=2, reason="finished")])
    arm = report.arms["mcp"]
    assert arm.latency_ms.p99 == pytest.approx(100, rel=0.001)
    assert arm.service_ms.mean == 10
    for name in ("p50", "p99_9", "max"):
        assert getattr(arm.service_ms, name) == pytest.approx(10, rel=0.001)


def test_what_was_not_measured_is_null():
    """An arm that never ran has no rates and no times, and the run does not pass."""
    report = built({"control": [Round()], "mcp": []})
    arm = report.arms["mcp"]
    assert (arm.calls, arm.error_rate, arm.success_rate) == (0, None, None)
    assert (arm.throughput_per_s, arm.calls_per_s) == (None, None)
    assert set(arm.latency_ms.model_dump().values()) == {0, None}
    assert arm.latency_ms.n == arm.failed_ms.n == 0
    assert (arm.percentile_curve, arm.rounds) == ([], [])
    assert (report.verdict, report.exit_code) == ("INCONCLUSIVE", 90)


def test_an_arm_that_the_plan_does_not_know_is_reported_all_the_same():
    """What was measured is not hidden because the first record lacks its description."""
    turn = virtual.turn(0, "mcp", 1, Round(ok=5))
    report = build([virtual.started([]), *turn, RunEnded(at_s=2, reason="finished")])
    assert (report.arms["mcp"].calls, report.arms["mcp"].target) == (5, "")


def test_a_run_of_no_arm_is_still_a_report():
    """Nothing was planned and nothing ran: an empty report, not an error."""
    report = build([virtual.started([]), RunEnded(at_s=0, reason="finished")])
    assert (report.arms, report.comparisons) == ({}, [])
    assert report.generator.cpu_us_per_call is None


def test_other_arms_are_compared_with_the_control():
    """Each other arm in every metric; equal arms differ in none of them."""
    arms = {"mcp": noisy(20, 10, 1), "control": noisy(10, 10, 2), "old": noisy(10, 10, 3)}
    comparisons = built(arms).comparisons
    assert {(c.arm, c.versus) for c in comparisons} == {("mcp", "control"), ("old", "control")}
    assert Counter(c.arm for c in comparisons) == dict.fromkeys(("mcp", "old"), len(COMPARED) + 1)
    found = {(c.arm, c.metric): c for c in comparisons}
    for metric, ratio in (("p95", 2), ("mean", 2), ("throughput", 0.5), ("journey_p50", 2)):
        low, high = found["mcp", metric].ci95
        assert low < ratio < high
        assert found["mcp", metric].p_value < 0.05
        assert 1 < found["mcp", metric].effect_needed < 1.1
        assert found["old", metric].p_value > 0.05
    assert (
        "is zero in every round of both arms, so there is no ratio."
        in found["mcp", "error_rate"].warnings[0]
    )


def test_without_a_control_the_first_arm_is_the_base():
    """Two eras, two releases: the one named first."""
    comparisons = built({"old": noisy(10, 6, 1), "new": noisy(20, 6, 2)}).comparisons
    assert {(c.arm, c.versus) for c in comparisons} == {("new", "old")}
    assert built({"mcp": noisy(10, 6, 1)}).comparisons == []


def test_an_arm_is_compared_with_the_control_that_has_its_ending():
    """So one report holds several pairs; the controls are compared with the plain one."""
    arms = ["control", "dual", "control-8ms", "dual-8ms", "dual-fast"]
    comparisons = built({arm: noisy(10, 6, 1) for arm in arms}).comparisons
    pairs = {(one.arm, one.versus) for one in comparisons}
    assert pairs == {
        ("dual", "control"),
        ("control-8ms", "control"),
        ("dual-8ms", "control-8ms"),
        ("dual-fast", "control"),
    }


def test_p_values_are_corrected_for_all_comparisons_of_the_run():
    """And their intervals with them: one leaves out 1 if p is below 0.05, and only then."""
    for ms in (10, 10.1, 10.2, 10.3, 20):
        comparisons = built({"mcp": noisy(ms, 10, 1), "control": noisy(10, 10, 2)}).comparisons
        known = [one for one in comparisons if one.p_value is not None]
        assert len(known) > 8
        assert all((c.p_value < 0.05) is not (c.ci95[0] <= 1 <= c.ci95[1]) for c in known)


def test_gates_are_judged_in_their_order():
    """Each gate of the scenario has its result, as written."""
    gates = ["mcp.p95 < 1s", "mcp.throughput >= 3x control", "mcp.error_rate <= 0%"]
    arms = {"mcp": noisy(20, 8, 1), "control": noisy(10, 8, 2)}
    report = built(arms, gates=gates)
    assert [(g.gate, g.verdict) for g in report.gates] == [
        ("mcp.p95 < 1s", "PASS"),
        ("mcp.throughput >= 3x control", "FAIL"),
        ("mcp.error_rate <= 0%", "PASS"),
    ]
    assert (report.verdict, report.exit_code) == ("FAIL", 99)
    assert report.reasons[0].text.startswith("Gate mcp.throughput >= 3x control: ")


def test_a_gate_of_another_version_is_named():
    """A journal whose gate this version cannot read is refused in words."""
    with pytest.raises(JournalError, match="colour"):
        built({"mcp": [Round()]}, gates=["mcp.colour < 1"])


def test_failures_are_counted_and_shown_with_an_example():
    """By arm, step and class, the most frequent first; cut-off calls are not failures."""
    what = Round(ok=10, failed=2, other={"timeout": 5, "interrupted": 9, "harness_error": 1})
    extra = [sample("tool_error", "boom"), sample("timeout", "10 s"), sample("timeout", "11 s")]
    failures = built({"mcp": [what, what]}, extra=extra).failures
    assert [(f.cls, f.count, f.example) for f in failures] == [
        ("timeout", 10, "10 s"),
        ("tool_error", 4, "boom"),
        ("harness_error", 2, ""),
    ]
    assert {(f.arm, f.step) for f in failures} == {("mcp", "tools/call echo")}


def test_failures_of_one_class_are_apart_by_what_was_said():
    """Each message has its own count, over all rounds and processes; the rest is one row."""

    def failing(node, turn, n, **messages):
        calls = cell("mcp", [5.0] * n, cls="http_error", messages=messages)
        return Slice(node=node, turn=turn, at_s=0, seconds=1, cells=[calls], health=virtual.COOL)

    extra = [
        failing("w1", 0, 6, **{"HTTP 500: job 1 is lost": 4, "HTTP 503: full": 2}),
        failing("w1", 1, 1, **{"HTTP 500: job 1 is lost": 1}),
        failing("w2", 0, 4, **{"HTTP 500: job 7 is lost": 3}),
    ]
    failures = built({"mcp": [Round(), Round()]}, extra=extra).failures
    assert [(one.cls, one.count, one.example) for one in failures] == [
        ("http_error", 8, "HTTP 500: job 1 is lost"),
        ("http_error", 2, "HTTP 503: full"),
        ("http_error", 1, "(other messages)"),
    ]


def test_a_harness_error_makes_the_run_invalid_and_names_its_example():
    """Arguments that the tool's schema forbids are our fault, not the server's."""
    extra = [sample("timeout", "10 s"), sample("harness_error", "echo: 'text' is required")]
    report = built({"mcp": [Round(other={"harness_error": 3})]}, extra=extra)
    assert (report.verdict, report.exit_code) == ("INVALID", 91)
    assert "'text' is required" in report.reasons[0].text
    assert report.arms["mcp"].error_rate == 0


def test_a_run_killed_in_a_round_reports_what_it_has():
    """No end, a torn round: incomplete, at best INCONCLUSIVE, its whole rounds compared."""
    torn = Round(ms=500)
    arms = {"control": [*noisy(10, 7, 1), torn], "mcp": noisy(20, 8, 2)}
    records = virtual.journal(arms, end=None)
    report = build(records[:-1])
    assert (report.complete, report.verdict, report.exit_code) == (False, "INCONCLUSIVE", 90)
    assert "crashed or was killed" in report.reasons[-1].text
    assert report.arms["mcp"].calls == report.arms["control"].calls == 800
    compared = next(c for c in report.comparisons if c.metric == "mean")
    assert compared.ratio == pytest.approx(2, rel=0.05)
    assert compared.effect_needed is not None


def test_a_run_stopped_by_a_signal_keeps_its_own_exit_code():
    """105, with the verdict of what there is."""
    report = built({"mcp": [Round()]}, end="signal")
    assert (report.complete, report.verdict, report.exit_code) == (False, "INCONCLUSIVE", 105)


def test_a_run_folder_is_read_with_its_samples(tmp_path):
    """The report is made from the journal's records; the calls kept whole come with it."""
    samples = [sample("timeout", "10 s"), sample("ok", "")]
    records = virtual.journal({"mcp": [Round()]}, extra=samples)
    writer = JournalWriter(tmp_path / "journal.jsonl")
    for record in records:
        writer.write(record)
    writer.close()
    assert load_report(tmp_path) == (build(records), samples)


def test_a_folder_without_a_journal_is_refused_in_words(tmp_path):
    """The message says what is missing, and where."""
    with pytest.raises(JournalError, match=r"no journal\.jsonl in .*: name the folder of a run"):
        load_report(tmp_path)


def test_a_frozen_server_shows_in_latency_but_not_in_service_time():
    """100 requests/s for 10 s, 1 ms service, one queue, frozen from 5 s to 7 s, in virtual time.

    From the intended start: p50 1, p90 1101, p95 1551, p99 1911 and the longest 2001 ms; p99.9 is
    the 999th of 1000, the second longest.
    """
    free_ns, times = 0, []
    for planned_ns in range(0, 10_000_000_000, 10_000_000):
        begin_ns = max(planned_ns, free_ns)
        if 5_000_000_000 <= begin_ns < 7_000_000_000:
            begin_ns = 7_000_000_000
        free_ns = begin_ns + 1_000_000
        times.append((free_ns - planned_ns) / 1e6)
    service = {"service": virtual.pairs([1_000_000] * 1000), "service_total_ns": 10**9}
    calls = cell("mcp", times, **service)
    records = [
        virtual.started(["mcp"]),
        TurnStarted(turn=0, arm="mcp", phase="round", round=1, at_s=0, planned_s=10),
        Slice(node="w1", turn=0, at_s=0, seconds=10, cells=[calls], health=virtual.COOL),
        TurnEnded(turn=0, node="w1", users=1, busy_s=10, planned=1000),
        RunEnded(at_s=10, reason="finished"),
    ]
    arm = build(records).arms["mcp"]
    found = arm.latency_ms.model_dump(exclude={"mean", "n"}).values()
    assert list(found) == pytest.approx([1, 1101, 1551, 1911, 1992, 2001], rel=0.001)
    assert arm.service_ms.p99 == pytest.approx(1, rel=0.001)


def big_cell(rng: random.Random, arm: str, index: int) -> Cell:
    """Give a cell of 300 buckets."""
    keys = sorted(rng.sample(range(13_000, 15_000), 300))
    return cell(
        arm,
        [1.0],
        kind="call" if index < 16 else "journey",
        name=f"step {index % 10}",
        cls="ok" if index % 2 else "timeout",
        n=600,
        total_ns=600 * 10**7,
        max_ns=10**9,
        latency=[number for key in keys for number in (key, 2)],
    )


def test_building_costs_a_small_multiple_of_reading_every_bucket_once():
    """100 slices of 20 cells of 300 buckets: less than 20 times a bare loop over them."""
    rng = random.Random(1)
    records = virtual.journal({"control": [Round(ok=0)] * 10, "mcp": [Round(ok=0)] * 10})
    slices = [record for record in records if isinstance(record, Slice)]
    arms = {record.turn: record.arm for record in records if isinstance(record, TurnStarted)}
    for part in slices:
        part.cells.extend(big_cell(rng, arms[part.turn], index) for index in range(20))
    records = [r for record in records for r in [record] * (5 if isinstance(record, Slice) else 1)]
    build(records)  # imports what is needed
    begin_s = time.process_time()
    report = build(records)
    built_s = time.process_time()
    counts: Counter[int] = Counter()
    for part in slices * 5:
        for one in part.cells:
            for key, n in zip(one.latency[::2], one.latency[1::2], strict=True):
                counts[key] += n
    read_s = time.process_time()
    assert report.arms["mcp"].calls == 50 * 16 * 600
    assert built_s - begin_s < 20 * (read_s - built_s)
