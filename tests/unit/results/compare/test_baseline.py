"""Baselines: what is kept of a run, and how a file that is not one is refused."""

import json

import pytest

from mcp_perf.results.compare.baseline import SCHEMA, BaselineError, of_report, read, write
from mcp_perf.results.document.run_numbers import RunNumbers
from mcp_perf.results.journal.records import Baseline, Note
from mcp_perf.results.report.build import build
from mcp_perf.results.tally.metrics import COMPARED
from tests.support import earlier_runs as earlier
from tests.support.virtual_run import Round, journal, noisy, texts

IDENTITY = {
    "workload": {"control": "c", "mcp": "m"},
    "load": {"model": "closed", "users": 1, "rounds": 6, "order": ["mcp"], "think_s": [1.0, 1.0]},
    "environment": {"python": "3.11", "cpu": "fast", "cores": 2, "os": "Linux", "simulated": []},
}


def finished(ms=10.0, seed=1, extra=(), rounds=8, **changes):
    """Give the report of a run with a control; mcp takes so long."""
    arms = {"control": noisy(5.0, rounds, seed=seed), "mcp": noisy(ms, rounds, seed=seed + 100)}
    return build(journal(arms, extra=extra, **IDENTITY | changes))


def numbers(*args, **kwargs) -> RunNumbers:
    """Give the numbers of such a run."""
    return of_report(finished(*args, **kwargs))


def test_of_a_report_all_is_kept_that_a_comparison_needs():
    """Values, rounds without the warm-up, counts and steps of each arm."""
    report = finished()
    arm = of_report(report).arms["mcp"]
    assert set(arm.values) == set(arm.rounds) == set(COMPARED)
    assert arm.values["p95"] == report.arms["mcp"].latency_ms.p95
    assert arm.values["journey_p50"] == report.arms["mcp"].journey_ms.p50
    assert arm.rounds["throughput"] == [r.throughput_per_s for r in report.arms["mcp"].rounds]
    assert (arm.calls, arm.ended, arm.failed, arm.journeys) == (800, 800, 0, 800)
    assert arm.steps == ["tools/call echo"]


def test_the_number_of_rounds_and_their_order_are_no_part_of_the_load():
    """More rounds are more evidence under the same load."""
    identity = numbers().identity
    assert identity.load == {"model": "closed", "users": 1, "think_s": [1.0, 1.0]}
    assert identity.machine == {"cpu": "fast", "cores": 2, "os": "Linux"}
    assert identity.workload == IDENTITY["workload"]
    assert identity.versions["protocol of mcp"] == "x"


@pytest.mark.parametrize("shape", ["ramp", "step", "spike", "stages"])
def test_the_number_of_rounds_is_part_of_a_load_that_changes(shape):
    """It determines the levels of such a load."""
    load = IDENTITY["load"] | {"shape": shape}
    assert numbers(load=load).identity.load["rounds"] == 6


def test_a_baseline_is_read_as_it_was_written(tmp_path):
    """Nothing is lost in the file, whose folder is made; its schema is named first."""
    path = tmp_path / "new" / "echo.json"
    runs = [numbers(seed=seed) for seed in range(3)]
    write(runs, path)
    assert read(path) == runs
    assert next(iter(json.loads(path.read_text()).items())) == ("schema", SCHEMA)
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            None,
            "cannot be read (No such file or directory); write one with mcp-perf baseline save RUN",
        ),
        ("not JSON", "is not a baseline"),
        ("{}", "is not a baseline"),
        (b"\xff\xfe", "is not a baseline"),
        ('{"schema": "mcp-perf/baseline/9", "runs": []}', "has the schema 'mcp-perf/baseline/9'"),
        (
            '{"schema": "mcp-perf/baseline/1", "runs": []}',
            "does not contain any arm",
        ),
        ('{"schema": "mcp-perf/baseline/1", "runs": [{"run_id": 1}]}', "is not a baseline"),
    ],
)
def test_what_is_no_baseline_is_refused_in_words(content, said, tmp_path):
    """The message names the file, and what to do."""
    path = tmp_path / "b.json"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(BaselineError) as refused:
        read(path)
    assert str(refused.value).startswith(f"{path} ")
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rounds": {"p50": [-1.0]}}, "is not a baseline"),
        ({"values": {"p50": 1e300}}, "is not a baseline"),
        ({"calls": -1}, "is not a baseline"),
        ({"ended": 4, "failed": 5}, "contradicts itself (5 calls of mcp failed, but 4 ended)"),
        ({"ended": 0, "failed": 0}, "contradicts itself (0 calls of mcp failed, but 0 ended)"),
    ],
)
def test_a_baseline_with_impossible_numbers_is_refused(changes, said, tmp_path):
    """As after a merge by hand: a run that was given it must not find out at its end."""
    path = tmp_path / "b.json"
    write([earlier.run({"mcp": earlier.rounds([1.0] * 6, **changes)})], path)
    with pytest.raises(BaselineError) as refused:
        read(path)
    assert said in str(refused.value)
    assert "mcp-perf baseline save RUN" in str(refused.value)


def test_a_run_without_an_arm_is_no_baseline(tmp_path):
    """Against nothing everything would pass."""
    path = tmp_path / "b.json"
    write([earlier.run({})], path)
    with pytest.raises(BaselineError, match="does not contain any arm"):
        read(path)


def against(base, tolerance=0.1):
    """Give the record of a baseline."""
    return Baseline(tolerance=tolerance, runs=base)


def test_a_report_is_judged_by_the_baseline_in_its_journal():
    """The document has the regressions, and they decide verdict and exit code."""
    same = finished(seed=2, extra=[against([numbers()])])
    assert (same.verdict, same.exit_code) == ("PASS", 0), same.reasons
    assert texts(same.reasons) == ["No regression against the baseline."]
    slower = finished(ms=13.0, seed=2, extra=[against([numbers()])])
    assert (slower.verdict, slower.exit_code) == ("FAIL", 99)
    assert slower.reasons[0].text.startswith("Regression: mcp.throughput by control is ")
    assert {row.arm for row in slower.regressions if row.verdict == "FAIL"} == {"mcp"}
    assert any(note.startswith("Compared with echo-2026") for note in slower.notes)


def test_a_gate_that_held_does_not_hide_a_regression():
    """The reasons name both; without a regression, they say that the gate held."""
    gates = {"gates": ["mcp.p95 < 1s"]}
    assert finished(ms=13.0, extra=[against([numbers()])], **gates).verdict == "FAIL"
    [reason] = texts(finished(seed=2, extra=[against([numbers()])], **gates).reasons)
    assert reason == "The gate held. No regression against the baseline."


def test_what_the_baseline_leaves_open_is_inconclusive():
    """Three rounds cannot show a change between runs."""
    report = finished(rounds=3, extra=[against([numbers()])])
    assert (report.verdict, report.exit_code) == ("INCONCLUSIVE", 90)
    assert report.reasons[0].text.startswith("Baseline: ")


def test_a_run_that_was_cut_off_is_not_compared():
    """It says so, and is INCONCLUSIVE as ever."""
    report = finished(ms=13.0, extra=[against([numbers()])], end="signal")
    assert report.regressions == []
    assert report.verdict == "INCONCLUSIVE"
    assert "Not compared with the baseline: the run was cut off." in report.notes


def test_an_invalid_run_stays_invalid():
    """No comparison saves a measurement that is broken."""
    lost = Note(at_s=1.0, code="worker_lost", text="worker w1 was lost", node="w1")
    report = finished(extra=[against([numbers()]), lost])
    assert (report.verdict, report.exit_code) == ("INVALID", 92)


@pytest.mark.parametrize("gates", [[], ["mcp.error_rate < 90%"]])
def test_promise_27_refusing_at_once_is_no_improvement_over_the_baseline(gates):
    """The median call failed: what is left took a tenth of the time, and is a regression."""
    quick = [Round(ms=1, ok=40, failed=60, cls="http_error", busy_s=0.1) for _ in range(8)]
    arms = {"control": noisy(5.0, 8, seed=3), "mcp": quick}
    report = build(journal(arms, extra=[against([numbers()])], gates=gates, **IDENTITY))
    assert report.verdict == "FAIL"
    p50 = next(row for row in report.regressions if (row.arm, row.metric) == ("mcp", "p50"))
    assert (p50.verdict, p50.new) == ("FAIL", None)
    assert "mcp.p50 by control falls on a failed call: 480 of 800 calls failed" in p50.reason
    of = {row.metric: row.reason for row in report.regressions if row.arm == "mcp"}
    assert "mcp.journey_p50 by control falls on a failed journey: 480 of" in of["journey_p50"]
    mean = next(row for row in report.regressions if (row.arm, row.metric) == ("mcp", "mean"))
    assert mean.new == pytest.approx(1.06, rel=0.02)  # failures take as long as the longest
