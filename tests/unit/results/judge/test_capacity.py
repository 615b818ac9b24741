"""What a search means: in the document, for the gates, and for the verdict."""

import math

import pytest

from mcp_perf.results.document.document import Capacity, RateLevel
from mcp_perf.results.journal.records import Health
from mcp_perf.results.judge.capacity import judge, sentence, span
from mcp_perf.results.report.build import build
from mcp_perf.scenario.model.gates import parse
from tests.support import virtual_run
from tests.support.virtual_run import texts
from tests.support.virtual_search import Server, search

LATE = Health(cpu_s=0.3, wall_s=3.0, starts=1000, late_starts=500)
COOL = Health(cpu_s=0.3, wall_s=3.0, starts=1000)


def run(gates=(), *, end="finished", **servers):
    """Search servers of 100/s (or others), and return the report."""
    servers = servers or {"mcp": Server(0.04, 4)}
    return build(search(servers, gates, end=end, rate="1k/s"))


def capacity(low, high, outcome="knee", rate=None):
    """Give what a search has found."""
    level = RateLevel(
        rate_per_s=1.3, repeats=3, held=0, by_generator=0, broke_by=["drops"], achieved_per_s=1.0,
        latency_ms={"p50": 20.0}, planned=12, dropped=3, error_rate=0.0,
    )  # fmt: skip
    return Capacity(
        outcome=outcome,
        held=outcome == "held",
        rate_per_s=low if rate is None else rate,
        interval=(low, high),
        broke_by=["drops"],
        conditions=[],
        levels=[level],
    )


def unsteady():
    """Give a capacity whose rates held and broke."""
    found = capacity(None, None, "unsteady")
    update = [
        {"rate_per_s": rate, "held": held} for rate, held in ((2, 3), (5, 1), (20, 2), (40, 0))
    ]
    levels = [found.levels[0].model_copy(update=changes) for changes in update]
    return found.model_copy(update={"levels": levels})


def test_the_document_has_the_capacity_and_every_rate():
    """The knee, its interval, what broke, the conditions, and the numbers of each rate."""
    found = run(["mcp.p95 < 60ms"]).arms["mcp"].capacity
    low, high = found.interval
    assert found.outcome == "knee"
    assert found.rate_per_s == low <= 105
    assert high <= low * 1.06
    assert found.broke_by[0] == "mcp.p95 < 60ms"
    assert found.conditions[0] == "mcp.p95 < 60ms"
    rates = [level.rate_per_s for level in found.levels]
    assert rates == sorted(rates)
    assert {5, 10, 20, 40, 80} <= set(rates)
    edges = {level.rate_per_s: level for level in found.levels}
    assert (edges[low].repeats, edges[low].held, edges[low].broke_by) == (4, 4, [])
    assert (edges[high].repeats, edges[high].held) == (3, 0)
    assert edges[low].planned == pytest.approx(18 * low, abs=4)  # three rounds, and a long one
    assert edges[low].latency_ms.p50 >= 40
    assert edges[80].achieved_per_s == pytest.approx(80)


def test_a_search_without_gates_passes_with_its_finding():
    """The search has its answer; what broke beyond the knee is not a failure."""
    report = run()
    assert (report.verdict, report.exit_code, report.gates) == ("PASS", 0, [])
    [reason] = texts(report.reasons)
    assert reason.startswith("mcp holds 10")
    assert reason.endswith("What broke beyond it: throughput.")


def test_other_gates_are_conditions_and_not_judged_over_all_rates():
    """A gate that overloaded rounds break does not fail the run; an unused gate is reported."""
    report = run(["mcp.p95 < 60ms", "mcp.throughput >= 900/s"])
    assert (report.verdict, report.gates) == ("PASS", [])
    assert any("mcp.throughput >= 900/s was not judged" in note for note in report.notes)
    assert not any("p95" in note for note in report.notes)


@pytest.mark.parametrize(
    ("gate", "verdict", "code"),
    [
        ("mcp.capacity >= 90/s", "PASS", 0),
        ("mcp.capacity >= 0.2k/s", "FAIL", 99),
        ("mcp.capacity < 200/s", "PASS", 0),
    ],
)
def test_a_gate_on_the_capacity_decides_the_run(gate, verdict, code):
    """It is judged, and shown with what was measured."""
    report = run([gate])
    assert (report.verdict, report.exit_code) == (verdict, code)
    [result] = report.gates
    assert (result.gate, result.verdict, result.unit) == (gate, verdict, "/s")
    assert result.measured == report.arms["mcp"].capacity.rate_per_s
    assert result.ci95 == report.arms["mcp"].capacity.interval


@pytest.mark.parametrize(
    ("low", "high", "gate", "verdict"),
    [
        (510, 530, "mcp.capacity >= 500/s", "PASS"),
        (490, 510, "mcp.capacity >= 500/s", "INCONCLUSIVE"),
        (450, 470, "mcp.capacity >= 500/s", "FAIL"),
        (510, None, "mcp.capacity >= 500/s", "PASS"),
        (490, None, "mcp.capacity >= 500/s", "INCONCLUSIVE"),
        (None, 470, "mcp.capacity >= 500/s", "FAIL"),
        (None, None, "mcp.capacity >= 500/s", "INCONCLUSIVE"),
        (450, 470, "mcp.capacity < 500/s", "PASS"),
        (500, 500, "mcp.capacity > 500/s", "FAIL"),
        (510, 530, "mcp.capacity >= 0.5x control", "PASS"),  # 1000 to 1020
        (505, 530, "mcp.capacity >= 0.5x control", "INCONCLUSIVE"),  # 505 / 1020
        (450, 470, "mcp.capacity >= 0.5x control", "FAIL"),
        (510, None, "mcp.capacity >= 0.5x control", "PASS"),
        (None, None, "mcp.capacity >= 0.5x control", "INCONCLUSIVE"),
        (450, 470, "mcp.capacity >= 2x nobody", "INCONCLUSIVE"),
        (450, 470, "nobody.capacity >= 2/s", "INCONCLUSIVE"),
    ],
)
def test_a_gate_on_the_capacity_is_judged_by_the_interval(low, high, gate, verdict):
    """PASS and FAIL need the whole interval; every verdict but PASS has a reason."""
    found = {"mcp": capacity(low, high), "control": capacity(1000, 1020)}
    result = judge(parse(gate), found)
    assert result.verdict == verdict
    assert bool(result.reason) is (verdict != "PASS")
    assert result.unit == ("x" if "x " in gate else "/s")


def test_the_reason_of_a_gate_has_the_numbers():
    """What was found and what was asked for."""
    result = judge(parse("mcp.capacity >= 500/s"), {"mcp": capacity(490, 510)})
    assert result.reason == (
        "mcp.capacity is between 490/s and 510/s, which does not decide; "
        "the gate asks for >= 500/s."
    )


def test_two_arms_are_compared_by_their_capacities_alone():
    """Rounds of different rates cannot be paired; the ratio is that of the two searches."""
    report = run(control=Server(0.02, 4), mcp=Server(0.04, 4))
    [one] = report.comparisons
    assert (one.metric, one.arm, one.versus, one.p_value) == ("capacity", "mcp", "control", None)
    assert one.ratio == pytest.approx(0.5, rel=0.06)
    assert one.ci95[0] <= one.ratio <= one.ci95[1]


def test_an_arm_without_a_capacity_has_no_ratio():
    """If one arm held nothing there is no ratio, and no interval of it."""
    report = run(control=Server(4.0, 1), mcp=Server(0.04, 4))
    [one] = report.comparisons
    assert (one.ratio, one.ci95) == (None, None)
    assert one.warnings == ["The capacity of control was not found, so there is no ratio."]


def test_a_lower_bound_of_a_capacity_gives_no_ratio():
    """Two arms that held every rate of the load need not be equal."""
    [one] = run(control=Server(0.001, 8), mcp=Server(0.002, 8)).comparisons
    assert (one.ratio, one.ci95) == (None, None)


def test_a_target_that_holds_nothing_fails():
    """Not even at the lowest rate: FAIL, with a hint that trials are short for such a target."""
    report = run(mcp=Server(4.0, 1))
    assert (report.verdict, report.exit_code) == ("FAIL", 99)
    assert report.reasons[0].text.startswith(
        "mcp held no rate, not even 1.33/s. What broke: through"
    )
    assert "s: make trials longer (load.round)." in report.reasons[0].text


def test_a_target_that_holds_everything_passes():
    """The report gives the highest rate of the load, and no upper bound."""
    report = run(mcp=Server(0.001, 8))
    assert report.verdict == "PASS"
    assert report.arms["mcp"].capacity.held
    assert report.arms["mcp"].capacity.interval == (1000, None)
    assert texts(report.reasons) == [
        "mcp held every rate up to 1 000/s, the highest rate of the load."
    ]


def test_a_generator_at_its_limit_decides_nothing_unless_a_gate_is_met_below_it():
    """A search finds only a lower bound: INCONCLUSIVE, but PASS for a gate below the bound."""
    server = {"mcp": Server(0.04, 4, health=lambda rate: LATE if rate > 85 else COOL)}
    report = build(search(server, rate="1k/s"))
    assert (report.verdict, report.exit_code) == ("INCONCLUSIVE", 90)
    assert (
        "beyond it, the load generator was the limit. Use more processes" in report.reasons[0].text
    )
    low, high = report.arms["mcp"].capacity.interval
    assert low >= 80
    assert high is None
    met = build(search(server, ["mcp.capacity >= 50/s"], rate="1k/s"))
    assert met.verdict == "PASS"
    assert [reason.code for reason in met.reasons] == ["passed"]  # nothing was found
    assert any("the load generator was the" in note for note in met.notes)
    assert build(search(server, ["mcp.capacity >= 500/s"], rate="1k/s")).verdict == "INCONCLUSIVE"


def test_a_generator_that_is_late_beyond_the_knee_does_not_spoil_it():
    """A search overloads everything; late starts there do not make a run invalid."""
    server = {"mcp": Server(0.04, 4, health=lambda rate: LATE if rate > 150 else COOL)}
    report = build(search(server, rate="1k/s"))
    assert report.verdict == "PASS"
    assert report.generator.late_starts > 0
    assert any(level.by_generator for level in report.arms["mcp"].capacity.levels)


def test_a_search_that_ran_out_of_trials_is_inconclusive():
    """It says how far it got, and what it needs."""
    report = build(search({"mcp": Server(0.04, 4)}, rate="1k/s", rounds=8))
    assert (report.verdict, report.exit_code) == ("INCONCLUSIVE", 90)
    assert "did not finish; so far, the capacity is" in report.reasons[0].text
    assert "load.rounds" in report.reasons[0].text
    assert report.arms["mcp"].capacity.outcome == "unfinished"


@pytest.mark.parametrize(("end", "code"), [("signal", 105), (None, 90)])
def test_a_search_that_was_cut_off_reports_what_it_had(end, code):
    """After a stop or a crash, the trials so far count."""
    records = search({"mcp": Server(0.04, 4)}, rate="1k/s", end=end)
    cut = [*records[:16], *([records[-1]] if end else [])]
    report = build(cut)
    assert (report.verdict, report.exit_code) == ("INCONCLUSIVE", code)
    assert report.arms["mcp"].capacity.outcome == "unfinished"


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (capacity(100, 105), "mcp holds 100/s: its capacity is between 100/s and 105/s. "),
        (capacity(None, 105, rate=100), "its capacity is less than 105/s"),
        (capacity(100, None), "its capacity is at least 100/s"),
        (capacity(None, None, "generator"), "mcp was hardly tried; beyond it, the load"),
        (capacity(None, None, "unfinished"), "the capacity is not known"),
        (capacity(None, 1.3, "lowest"), "mcp held no rate, not even 1.3/s. What broke: drops."),
        (
            capacity(198, None, "own_limit"),
            "mcp held 198/s; beyond it, the scenario was the limit: max_in_flight",
        ),
        (
            capacity(80, 160, "did_not_recover").model_copy(update={"did_not_recover_from": 160}),
            "mcp held 80/s, but did not recover from 160/s.",
        ),
        (
            unsteady(),
            "mcp is unsteady: trials broke from 5/s on, and held up to 20/s. What broke: drops.",
        ),
    ],
)
def test_every_outcome_has_its_sentence(found, said):
    """Plain words, with the numbers that are known."""
    assert said in sentence("mcp", found)


def test_intervals_in_words():
    """With both ends, with one, or with neither."""
    ends = [(1, 2), (1, math.inf), (0, 2), (0, math.inf)]
    assert [span(pair) for pair in ends] == [
        "between 1/s and 2/s",
        "at least 1/s",
        "less than 2/s",
        "not known",
    ]


def test_a_run_without_a_search_has_no_capacity():
    """Every other load is reported as before."""
    report = build(virtual_run.journal({"mcp": [virtual_run.Round()]}))
    assert report.arms["mcp"].capacity is None
    assert texts(report.reasons) == ["There are no gates, and the run was clean: no call failed."]
