"""What the doctor says: each finding is fine or not by its own limit, and says what it means."""

import io

import pytest
from rich.console import Console

from mcp_perf.cli.output import findings


@pytest.mark.parametrize(("ns", "fine"), [(1, True), (10_000, True), (15_600_000, False)])
def test_a_coarse_clock_is_not_fine(ns, fine):
    """A clock of 15.6 ms, as old Windows had, times no call."""
    assert findings.clock(ns).fine is fine


def test_the_timer_is_judged_by_its_tail():
    """One late waking in fifty is p99, one in two hundred is not."""
    calm = [50_000] * 199 + [9_000_000]
    assert findings.timer(calm).fine
    assert not findings.timer([50_000] * 195 + [9_000_000] * 5).fine
    assert findings.timer(calm).found == "p50 0.05 ms, p99 0.05 ms"


def known(p50, p90, p99):
    """Give the report of a run against known delays."""
    return {"arms": {"rest": {"latency_ms": {"p50": p50, "p90": p90, "p99": p99}}}}


@pytest.mark.parametrize(
    ("times", "fine"),
    [((50.2, 201, 1001), True), ((51.1, 200, 1000), False), ((50, 200, 900), False)],
)
def test_known_delays_must_come_out_within_two_percent(times, fine):
    """Too long is as wrong as too short."""
    assert findings.known_delays(known(*times)).fine is fine


def twice(rates, effect):
    """Give the report of a server against itself."""
    rounds = [{"phase": "round", "throughput_per_s": rate} for rate in rates]
    rounds.append({"phase": "warmup", "throughput_per_s": 1.0})
    compared = [{"metric": m, "effect_needed": effect} for m in ("throughput", "p50", "mean")]
    return {"arms": {"one": {"rounds": rounds}}, "comparisons": compared}


def test_noise_is_that_of_the_rounds_alone():
    """The warm-up, slow as it is, is not part of it."""
    spread, effect = findings.noise(twice([100, 101, 99, 100], 1.02))
    assert (spread.fine, effect.fine) == (True, True)
    assert spread.found.startswith("0.82 %")
    assert effect.found == "throughput 2 %, p50 2 %"


def test_a_machine_that_tells_nothing_apart_is_not_fine():
    """Rounds that differ by half hide every effect; so do runs without comparisons."""
    assert not findings.noise(twice([100, 150, 70, 100], 1.5))[0].fine
    assert not findings.noise(twice([100, 101], 1.5))[1].fine
    assert findings.noise({"arms": {}, "comparisons": []})[1].found == "none"


@pytest.mark.parametrize(
    ("interval", "fine", "found"),
    [
        ((4000, 4200), True, "4 000/s (late at 4 200/s)"),
        ((50_000, None), True, "50 000/s"),
        ((300, 310), False, "300/s (late at 310/s)"),
        ((None, 10), False, "none"),
    ],
)
def test_the_highest_rate_is_the_one_that_held(interval, fine, found):
    """What held every time is what can be relied on."""
    finding = findings.highest_rate({"arms": {"rest": {"capacity": {"interval": interval}}}})
    assert (finding.fine, finding.found) == (fine, found)


@pytest.mark.parametrize(
    ("users", "verdict", "fine", "found"),
    [
        (1000, "PASS", True, "1000 at 1.5 ms lag (p99)"),
        (30, "PASS", False, "30 at 1.5 ms lag (p99)"),
        (30, "INVALID", False, "fewer than 30"),
        (1000, "lagging", False, "fewer than 1000"),
        (1000, "unknown", False, "fewer than 1000"),
    ],
)
def test_users_are_in_sight_as_long_as_the_run_is_valid(users, verdict, fine, found):
    """A run whose generator was saturated shows that there were too many."""
    lag = {"lagging": 5.1, "unknown": None}.get(verdict, 1.5)
    report = {"verdict": verdict, "generator": {"loop_lag_p99_ms": lag}}
    finding = findings.concurrency(users, report)
    assert (finding.fine, finding.found) == (fine, found)


def test_promise_18_the_doctor_uses_the_words_of_a_report():
    """What held the generator up has the codes of a run's reasons."""
    held = {"loop_lag_p99_ms": 9.0, "causes": ["machine_busy", "shares_cores"]}
    finding = findings.concurrency(300, {"verdict": "INVALID", "generator": held})
    assert finding.found == "fewer than 300 (machine_busy, shares_cores)"
    late = {**known(51, 200, 1000), "generator": held}
    assert findings.known_delays(late).found.endswith(" % (machine_busy, shares_cores)")


def test_the_table_fits_a_terminal_and_ends_with_what_it_comes_to():
    """80 columns; the last line names the poor findings."""
    out = io.StringIO()
    found = [findings.clock(1), findings.known_delays(known(90, 200, 1000))]
    findings.show(found, Console(file=out, width=80))
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert "measure well: known delays" in " ".join(lines)
    out = io.StringIO()
    findings.show([findings.clock(1)], Console(file=out, width=80))
    assert out.getvalue().rstrip().endswith("This machine can measure well.")
