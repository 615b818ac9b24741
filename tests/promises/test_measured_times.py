"""Promises 5 to 9: reported times, percentiles and classes are true."""

import ast
import subprocess
import sys
from collections import Counter
from fractions import Fraction
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_perf.client.reply import Reply
from mcp_perf.load.steps.recorder import Recorder
from mcp_perf.outcomes import CLASSES, ENDED, OK
from mcp_perf.results.document.document import ArmNumbers
from mcp_perf.results.journal.histogram import HOUR_NS, OVERFLOW, Histogram, bucket
from mcp_perf.results.journal.journal import read
from mcp_perf.results.journal.records import AnyRecord, Health, RunEnded, TurnEnded, TurnStarted
from mcp_perf.results.report.build import build
from mcp_perf.results.tally.metrics import FRACTIONS
from tests.support import ROOT
from tests.support import virtual_run as virtual
from tests.support.virtual_run import Round, filled

FROM_1_US = st.integers(1000, HOUR_NS)
"""Uniform over the range: nearly all are long. In the next one, short ones are as frequent."""
ALL_SIZES = st.integers(10, 41).flatmap(lambda bits: st.integers(1 << bits, (2 << bits) - 1))
DURATIONS = (FROM_1_US | ALL_SIZES).map(lambda ns: min(max(ns, 1000), HOUR_NS))
ANY = DURATIONS | st.integers(0, 1000) | st.integers(HOUR_NS + 1, 100 * HOUR_NS)
MOST_BUCKETS = 33_422
"""Buckets up to an hour, and one for longer times: no histogram has more."""
COOL = Health(cpu_s=0.1, wall_s=1.0)


def exact(samples: list[int], fraction: float) -> int:
    """Give the order statistic by definition, in exact arithmetic."""
    wanted = Fraction(str(fraction)) * len(samples)
    return next(ns for place, ns in enumerate(sorted(samples), 1) if place >= wanted)


def recorded(samples: list[tuple[str, int]], node: str = "w1") -> list[AnyRecord]:
    """Give what a process records of calls (class, ns), each in a separate second, as sent."""
    records: list[AnyRecord] = []
    now_ns = 0
    recorder = Recorder(node, records.extend, lambda: now_ns)
    recorder.turn = 0
    track = recorder.track("mcp", "call", "tools/call echo")
    for cls, ns in samples:
        reply = Reply(now_ns)
        reply.end_ns = now_ns + ns
        recorder.call(track, "say", cls, reply)
        now_ns += 1_000_000_000
        recorder.flush(COOL)
    records.append(TurnEnded(turn=0, node=node, users=1, busy_s=1.0, planned=len(samples)))
    return msgspec.json.decode(msgspec.json.encode(records), type=list[AnyRecord])


def reported(*parts: list[AnyRecord]) -> ArmNumbers:
    """Give the report's numbers for one round that was recorded in these parts."""
    begun = TurnStarted(turn=0, arm="mcp", phase="round", round=1, at_s=0, planned_s=1)
    records = [record for part in parts for record in part]
    end = RunEnded(at_s=1, reason="finished")
    return build([virtual.started(["mcp"]), begun, *records, end]).arms["mcp"]


@given(st.lists(DURATIONS, min_size=1, max_size=60), st.integers(0, 1000))
def test_promise_05_any_percentile_is_within_a_thousandth_of_the_exact_one(samples, thousandths):
    """From 1 µs to 1 h, for any samples: within 0.1 % of the order statistic."""
    fraction = thousandths / 1000
    measured = filled(samples).percentile(fraction)
    assert measured == pytest.approx(exact(samples, fraction), rel=0.001, abs=0)


@settings(max_examples=50)
@given(st.lists(DURATIONS, min_size=1, max_size=40))
def test_promise_05_the_percentiles_of_the_report_are_those_of_the_calls(samples):
    """From the recorder through the journal to the document, no error is added."""
    arm = reported(recorded([(OK, ns) for ns in samples]))
    for name, fraction in FRACTIONS.items():
        wanted = exact(samples, fraction) / 1e6
        assert getattr(arm.latency_ms, name) == pytest.approx(wanted, rel=0.001, abs=0)
    assert arm.latency_ms.max == max(samples) / 1e6
    assert arm.latency_ms.mean == pytest.approx(sum(samples) / len(samples) / 1e6, rel=1e-12)


@given(st.lists(ANY, max_size=60))
def test_promise_05_no_sample_is_lost(samples):
    """Every duration is counted once; durations beyond an hour are counted as such."""
    histogram = filled(samples)
    assert histogram.count == len(samples)
    assert histogram.overflow == sum(ns > HOUR_NS for ns in samples)


@given(ANY)
def test_promise_05_memory_is_bounded_whatever_is_recorded(ns):
    """A sample falls into one of 33 422 buckets, so no run makes a histogram larger."""
    assert 0 <= bucket(ns) <= OVERFLOW == MOST_BUCKETS - 1
    histogram = Histogram()
    histogram.record(ns, 10**12)
    assert len(histogram.pairs()) == 2


PARTS = st.lists(
    st.lists(st.tuples(st.sampled_from(CLASSES), ANY), min_size=1, max_size=8),
    min_size=1,
    max_size=5,
)


@given(st.lists(st.lists(ANY, max_size=20), min_size=1, max_size=5), st.randoms())
def test_promise_06_merged_equals_pooled_in_any_order(parts, order):
    """Merging parts in any order gives the histogram of all samples together."""
    pooled = filled([ns for part in parts for ns in part])
    order.shuffle(parts)
    merged = Histogram()
    for part in parts:
        merged.merge(filled(part))
    assert merged.pairs() == pooled.pairs()


@settings(max_examples=50)
@given(PARTS, st.randoms())
def test_promise_06_calls_spread_over_workers_give_the_report_of_one(parts, order):
    """Counts, classes, times and curve are the same in any order of the workers' records."""
    alone = reported(recorded([call for part in parts for call in part]))
    nodes = [recorded(part, f"w{n}") for n, part in enumerate(parts)]
    order.shuffle(nodes)
    spread = reported(*nodes)
    for field in ("calls", "classes", "error_rate", "percentile_curve", "bytes_in"):
        assert getattr(spread, field) == getattr(alone, field)
    for times in ("latency_ms", "failed_ms"):
        of_alone = {k: ms for k, ms in getattr(alone, times).model_dump().items() if ms is not None}
        of_spread = getattr(spread, times).model_dump(include=of_alone.keys())
        assert of_spread == pytest.approx(of_alone, rel=1e-12)
    assert spread.steps["tools/call echo"].classes == alone.steps["tools/call echo"].classes


def test_promise_06_percentiles_are_never_averaged():
    """99 calls of 1 ms on one worker and one of 1 s on another: p50 is 1 ms, not half a second."""
    fast, slow = recorded([(OK, 10**6)] * 99, "w1"), recorded([(OK, 10**9)], "w2")
    times = reported(fast, slow).latency_ms
    assert (times.p50, times.p99) == pytest.approx((1, 1), rel=0.001)
    assert (times.p99_9, times.max) == pytest.approx((1000, 1000), rel=0.001)


WALL = {"time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "datetime.today"}
LABELS = {
    "mcp_perf/agent/recording/command.py": "when a recording began",
    "mcp_perf/client/http/cookies.py": "when a cookie expires",
    "mcp_perf/load/prepare/prepare.py": "the run's id",
    "mcp_perf/load/engine/run.py": "when the run began",
    "mcp_perf/load/engine/call_log.py": "when a call that is written down was made",
    "mcp_perf/load/lifecycle/roles.py": "Locust's own watch over the heartbeats of a master",
    "mcp_perf/load/steps/step.py": "handed to Locust's event, whose listeners expect it",
    "mcp_perf/load/mcp_user.py": "handed to Locust's event, whose listeners expect it",
    "mcp_perf/load/steps/locust_feed.py": "the second in which Locust's statistics show calls",
    "mcp_perf/agent/api.py": "when something happened, as an agent's record has it",
    "mcp_perf/agent/replay.py": "the same of a replayed one",
    "mcp_perf/pytest_plugin/comparison.py": "the name and start of a session of benchmarks",
    "mcp_perf/pytest_plugin/plugin.py": "the name of its folder",
    "mcp_perf/cli/dashboard.py": "before which day runs are deleted",
    "mcp_perf/results/journal/lock.py": "how old a journal is whose file system has no locks",
    "mcp_perf/dashboard/following.py": "how long ago a file of another process has changed",
}
"""Files that read the wall clock, and why."""


def wall_clock_reads(path: Path) -> list[str]:
    """Return the calls in a file that read the time of day."""
    calls = [
        node.func
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
    ]
    return [text for text in map(ast.unparse, calls) if any(text.endswith(name) for name in WALL)]


def test_promise_07_the_wall_clock_is_read_only_for_labels():
    """No measuring code reads the time of day; the systems under load are not included."""
    files = [*(ROOT / "mcp_perf").rglob("*.py"), *(ROOT / "locustfiles").glob("*.py")]
    readers = {str(path.relative_to(ROOT)) for path in files if wall_clock_reads(path)}
    assert readers == LABELS.keys()


JUMPING = """
import sys, time
real = time.time
def falling():
    "An hour back with each look: as if somebody set the clock again and again."
    falling.looks += 1
    return real() - 3600 * falling.looks
falling.looks = 0
time.time = falling
time.time_ns = lambda: int(falling() * 1e9)
from mcp_perf.cli.output.screen import run_on_screen
quick = ["load.rounds=2", "load.round=300ms", "load.warmup=0s", "limits.loop_lag_p99=10s"]
quick += ["limits.lost_time=100%", "limits.generator_cpu=100%"]
options = [part for setting in quick for part in ("--set", setting)]
code = run_on_screen(["--scenario", "echo", "--out", sys.argv[1], *options], ("json",))
assert falling.looks > 10
sys.exit(code)
"""


@pytest.mark.load
def test_promise_07_a_wall_clock_that_jumps_changes_no_number(tmp_path, report, environment):
    """If the time of day falls by an hour at each reading, all times of a run stay the same."""
    argv = [sys.executable, "-c", JUMPING, str(tmp_path / "run")]
    ended = subprocess.run(
        argv, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert ended.returncode in (0, 90), ended.stderr
    document = report(tmp_path / "run")
    assert 4 * 0.3 <= document["duration_s"] < 60
    places = [turn["at_s"] for arm in document["arms"].values() for turn in arm["rounds"]]
    assert len(places) == 4
    assert all(0 <= at_s < document["duration_s"] for at_s in places)
    for arm in document["arms"].values():
        assert 0 < arm["latency_ms"]["mean"] < 10_000
        assert all(0.3 <= turn["seconds"] < 10 for turn in arm["rounds"])
    slices = [r for r in read(tmp_path / "run" / "journal.jsonl") if hasattr(r, "seconds")]
    assert all(piece.at_s >= 0 and 0 <= piece.seconds < 10 for piece in slices)


@settings(max_examples=50)
@given(PARTS)
def test_promise_08_every_call_ends_in_one_class_with_a_latency(parts):
    """For any classes and times, they add up to the calls everywhere in the report."""
    calls = [call for part in parts for call in part]
    arm = reported(*(recorded(part, f"w{n}") for n, part in enumerate(parts)))
    counts = Counter(cls for cls, _ in calls)
    assert arm.classes == dict.fromkeys(CLASSES, 0) | counts
    assert sum(arm.classes.values()) == arm.calls == arm.planned == len(calls)
    (step,) = arm.steps.values()
    assert (step.count, step.classes) == (arm.calls, arm.classes)
    (turn,) = arm.rounds
    assert turn.calls == arm.calls
    both = [times for times in (arm.latency_ms, arm.failed_ms) if times.n]
    ended = [ns for cls, ns in calls if cls in ENDED]
    assert sum(times.n for times in both) == len(ended)
    assert sum(times.mean * times.n for times in both) == pytest.approx(sum(ended) / 1e6)


def test_promise_09_a_warm_up_is_labelled_and_kept_and_counts_nowhere_else():
    """Slow calls of the warm-up are in a separate row, and in no number of the arm."""
    warm = virtual.turn(0, "mcp", 0, Round(ms=1000, ok=30, failed=5))
    round_ = virtual.turn(1, "mcp", 1, Round(ms=10, ok=100))
    end = RunEnded(at_s=4, reason="finished")
    arm = build([virtual.started(["mcp"]), *warm, *round_, end]).arms["mcp"]
    assert (arm.calls, arm.warmup_calls, arm.error_rate) == (100, 35, 0)
    assert arm.latency_ms.max < 20
    first, second = arm.rounds
    assert (first.phase, first.round, first.calls) == ("warmup", 0, 35)
    assert first.latency_ms.p50 == pytest.approx(1000, rel=0.1)
    assert (second.phase, second.calls) == ("round", 100)


def test_promise_09_outliers_are_kept():
    """One call of two hours among thousands is counted, is the maximum, and is mentioned."""
    calls = [(OK, 10**6)] * 99 + [(OK, 2 * HOUR_NS)]
    begun = TurnStarted(turn=0, arm="mcp", phase="round", round=1, at_s=0, planned_s=1)
    end = RunEnded(at_s=1, reason="finished")
    report = build([virtual.started(["mcp"]), begun, *recorded(calls), end])
    arm = report.arms["mcp"]
    assert (arm.calls, arm.latency_ms.max) == (100, 2 * HOUR_NS / 1e6)
    assert arm.latency_ms.mean == pytest.approx((99 * 10**6 + 2 * HOUR_NS) / 100 / 1e6)
    assert arm.latency_ms.p99_9 == pytest.approx(HOUR_NS / 1e6, rel=0.001)
    assert "1 call of mcp took longer than an hour" in " ".join(report.notes)
