"""What the target used, judged by the rules of all other gates, and never by absence."""

import random

import pytest
from msgspec.structs import replace

from mcp_perf.results.journal.records import ResourceSample, TurnStarted
from mcp_perf.results.report.build import COMPARED, build
from mcp_perf.scenario.model.gates import METRICS
from tests.support.virtual_run import Round, journal, noisy

MB = 1_000_000
SAMPLED = {"source": "server (1)", "why_not": ""}


def used(records, arm, cpu, rss, **numbers):
    """Give two readings for each round of an arm: `cpu` seconds, and `rss` at its end."""
    turns = [r for r in records if isinstance(r, TurnStarted) and r.arm == arm]
    total = 7.0
    for turn, cpu_s, size in zip(turns, cpu, rss, strict=True):
        for at_s, so_far in ((turn.at_s, total), (turn.at_s + 1, total + cpu_s)):
            fields = {"threads": 4, "fds": 20, "processes": 1} | numbers
            yield ResourceSample(
                turn=turn.turn, at_s=at_s, arm=arm, cpu_s=so_far, rss_bytes=size, **fields
            )
        total += cpu_s


def run(
    gates=(),
    *,
    rounds=8,
    cpu=(0.2, 0.6),
    rss=None,
    sampled=("control", "mcp"),
    shared=(),
    levels=False,
    **changes,
):
    """Build the report of two arms; mcp needs three times the CPU, with 2 % noise."""
    arms = {"control": noisy(10, rounds, seed=1), "mcp": noisy(20, rounds, seed=2)}
    described = {
        arm: {
            "target": arm,
            "protocol": "",
            "resources": {**SAMPLED, "shared": list(shared)}
            if arm in sampled
            else {"source": "", "why_not": "Far away."},
        }
        for arm in arms
    }
    records = journal(arms, gates=list(gates))
    rng = random.Random(5)
    extra = []
    for arm, cpu_s in zip(arms, cpu, strict=True):
        if arm in sampled:
            each = [cpu_s * rng.lognormvariate(0, 0.02) for _ in range(rounds)]
            sizes = rss or [100 * MB + rng.randrange(MB) for _ in range(rounds)]
            extra += used(records, arm, each, sizes, **changes)
    first = replace(records[0], arms=described)
    if levels:
        records = [
            replace(r, users=1 + r.round % 2) if isinstance(r, TurnStarted) else r for r in records
        ]
    return build([first, *records[1:-1], *extra, records[-1]])


def result(gate, **changes):
    """Judge one gate."""
    return run([gate], **changes).gates[0]


@pytest.mark.parametrize(
    ("gate", "verdict"),
    [
        ("mcp.cpu < 80%", "PASS"),
        ("mcp.cpu > 50%", "PASS"),
        ("mcp.cpu < 50%", "FAIL"),
        ("mcp.cpu_per_journey < 7ms", "PASS"),
        ("mcp.cpu_per_journey < 5ms", "FAIL"),
        ("mcp.cpu_per_journey <= 3.3x control", "PASS"),
        ("mcp.cpu_per_journey <= 2x control", "FAIL"),
        ("mcp.cpu_per_journey <= 3x control", "INCONCLUSIVE"),
        ("mcp.rss < 102MB", "PASS"),
        ("mcp.rss < 99MB", "FAIL"),
        ("mcp.rss <= 1.5x control", "PASS"),
        ("mcp.threads <= 4", "PASS"),
        ("mcp.fds < 20", "FAIL"),
        ("mcp.fds <= 1x control", "PASS"),
        ("mcp.bytes_per_journey < 11B", "PASS"),
        ("mcp.bytes_per_journey <= 1x control", "PASS"),
        ("mcp.bytes_per_journey < 0.5x control", "FAIL"),
    ],
)
def test_gates_on_what_the_target_used(gate, verdict):
    """CPU by the interval over rounds, memory and counts by their highest value, bytes exactly."""
    found = result(gate)
    assert found.verdict == verdict, found
    assert (found.reason == "") is (verdict == "PASS")


@pytest.mark.parametrize("metric", [n for n, m in METRICS.items() if m.needs == "resources"])
def test_nothing_that_was_not_sampled_passes(metric):
    """The gate is INCONCLUSIVE, and says why the target was not sampled."""
    unit = {"share": "%", "work": "ms", "bytes": "MB", "growth": "%", "count": ""}
    for op in ("<", "<=", ">", ">="):
        gate = f"mcp.{metric} {op} 9{unit[METRICS[metric].kind]}"
        found = result(gate, sampled=("control",))
        assert found.verdict == "INCONCLUSIVE"
        assert "Far away." in found.reason
        if METRICS[metric].kind != "growth":
            found = result(f"mcp.{metric} {op} 2x control", sampled=("control",))
            assert found.verdict == "INCONCLUSIVE"
            assert "Far away." in found.reason


def test_a_number_that_some_rounds_lack_does_not_pass():
    """Descriptors that cannot be read leave only their gate open."""
    found = run(["mcp.fds < 100", "mcp.threads < 100"], fds=None).gates
    assert [gate.verdict for gate in found] == ["INCONCLUSIVE", "PASS"]
    assert "8 of 8 rounds" in found[0].reason


GROWING = [100 * MB + i * 3 * MB for i in range(31)]
LEVEL = [100 * MB + (i % 3) * MB // 10 for i in range(31)]


@pytest.mark.parametrize(
    ("gate", "rss", "verdict"),
    [
        ("mcp.rss_growth_per_hour < 1%", GROWING, "FAIL"),
        ("mcp.rss_growth_per_hour < 9000%", GROWING, "PASS"),
        ("mcp.rss_growth_per_hour < 1%", LEVEL, "INCONCLUSIVE"),
        ("mcp.rss_growth_per_hour < 20%", LEVEL, "PASS"),
        ("mcp.rss_growth_per_hour >= 20%", LEVEL, "FAIL"),
    ],
)
def test_growth_is_judged_by_the_interval_of_its_slope(gate, rss, verdict):
    """A leak fails; two minutes of constant memory cannot prove less than 1 % an hour."""
    found = result(gate, rounds=31, rss=rss)
    assert (found.verdict, found.unit) == (verdict, "fraction/h")
    if verdict != "PASS":
        assert "31 rounds over 120 s" in found.reason
        assert (
            "This may be warm-up or garbage that is not collected yet: run "
            "longer to see whether growth stops."
        ) in found.reason


def test_what_the_target_held_at_most_has_no_interval():
    """The highest memory, threads and descriptors are exact, and so is their ratio."""
    for gate in ("mcp.rss < 102MB", "mcp.rss <= 1.5x control", "mcp.fds <= 20", "mcp.threads <= 4"):
        found = result(gate)
        assert (found.verdict, found.ci95) == ("PASS", None)


def test_at_every_level_the_reason_is_the_same():
    """A load with several levels is judged level by level, and no level was sampled."""
    report = run(["mcp.cpu < 80%"], sampled=("control",), levels=True)
    assert report.gates[0].verdict == "INCONCLUSIVE"
    assert "(2 of 2 levels): cpu of mcp was not sampled: Far away." in report.gates[0].reason


@pytest.mark.parametrize(("rss", "noted"), [(GROWING, True), (LEVEL, False)])
def test_growth_is_noted_even_if_no_gate_asks_for_it(rss, noted):
    """A note reports a leak that no gate is about, and never one that is not there."""
    found = [note for note in run(rounds=31, rss=rss).notes if note.startswith("Memory of mcp")]
    assert bool(found) is noted
    assert all("31 rounds over 120 s" in note for note in found)


def test_growth_of_a_short_run_is_left_open():
    """Eight rounds in 28 s: the reason says what is needed."""
    found = result("mcp.rss_growth_per_hour < 1%")
    assert found.verdict == "INCONCLUSIVE"
    assert "at least 6 rounds over 60 s" in found.reason


def test_arms_are_compared_if_both_are_known():
    """CPU per journey is compared only if both arms were sampled; bytes have no p-value."""
    found = {c.metric: c for c in run().comparisons}
    assert set(found) == {*COMPARED, "cpu_per_journey", "rss", "bytes_per_journey"}
    low, high = found["cpu_per_journey"].ci95
    assert low < 3 < high
    assert found["cpu_per_journey"].p_value < 0.2
    assert found["bytes_per_journey"].ci95 == (1, 1)
    assert found["bytes_per_journey"].p_value is None
    assert found["bytes_per_journey"].warnings == []
    low, high = found["rss"].ci95
    assert low <= found["rss"].ratio <= high
    assert any("another start" in warning for warning in found["rss"].warnings)
    found = {c.metric for c in run(sampled=("mcp",)).comparisons}
    assert found == {*COMPARED, "bytes_per_journey"}


def test_memory_of_one_process_is_not_compared_with_itself():
    """If the same process serves both arms, there is only one memory."""
    found = {c.metric for c in run(shared=["control"]).comparisons}
    assert found == {*COMPARED, "cpu_per_journey", "bytes_per_journey"}


def test_the_report_says_where_it_was_read_or_why_not():
    """The document has the numbers of one arm, and the reason for the other."""
    report = run(sampled=("mcp",))
    mcp, control = report.arms["mcp"].resources, report.arms["control"].resources
    assert (mcp.source, mcp.why_not) == ("server (1)", "")
    assert mcp.cpu == pytest.approx(0.6, rel=0.05)
    assert mcp.cpu_per_journey_ms == pytest.approx(6, rel=0.05)
    assert 100 * MB < mcp.rss_bytes.max < 101 * MB
    assert (mcp.threads, mcp.fds, mcp.processes) == (4, 20, 1)
    assert (control.source, control.why_not, control.cpu) == ("", "Far away.", None)
    assert {point.arm for point in report.resources} == {"mcp"}
    assert [point.at_s for point in report.resources] == [
        turn.at_s for turn in report.arms["mcp"].rounds
    ]
    assert report.arms["mcp"].rounds[0].cpu == pytest.approx(0.6, rel=0.1)


def test_a_journal_of_an_older_run_says_that_nothing_was_sampled():
    """A journal that does not mention resources gets a plain reason."""
    report = build(journal({"mcp": [Round()] * 3}, gates=["mcp.cpu < 50%"]))
    assert report.gates[0].verdict == "INCONCLUSIVE"
    assert "did not sample" in report.gates[0].reason
    assert "did not sample" in report.arms["mcp"].resources.why_not


def test_a_reading_of_a_turn_that_never_began_is_left_out():
    """A damaged journal still gives a report."""
    stray = ResourceSample(
        turn=99, at_s=1, arm="mcp", cpu_s=1, rss_bytes=1, threads=1, fds=1, processes=1
    )
    report = build(journal({"mcp": [Round()] * 3}, extra=[stray]))
    assert report.resources == []
