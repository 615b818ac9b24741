"""A run against earlier ones: FAIL is shown, PASS is shown, and the rest is left open."""

import random

import pytest

from mcp_perf.numbers import out_of
from mcp_perf.results.compare.compare import compare_pairs, compare_runs
from mcp_perf.results.compare.report import compare_releases
from mcp_perf.results.document.run_numbers import ArmRounds
from mcp_perf.results.tally.metrics import COMPARED
from tests.support.earlier_runs import identity, noisy, rounds, run, verdict_of

TOLERANCE = 0.05


def row(metric, base, new, arm="mcp", tolerance=TOLERANCE):
    """Give one row of a comparison of runs; `base` and `new` are arms by name."""
    bases = base if isinstance(base, list) else [base]
    found = compare_runs([run(arms) for arms in bases], run(new), tolerance).regressions
    return next(one for one in found if (one.arm, one.metric) == (arm, metric))


def alone(slowness=1.0, seed=1, **changes):
    """Give the arms of a run with only one."""
    return {"mcp": noisy(random.Random(seed), slowness, 0.005, **changes)}


@pytest.mark.parametrize("metric", [metric for metric in COMPARED if metric != "error_rate"])
def test_every_metric_that_is_worse_fails_whatever_its_direction(metric):
    """Rates fail by falling and times by rising; the other way round is fine."""
    slower = row(metric, alone(), alone(1.2, seed=2))
    assert slower.verdict == "FAIL"
    assert f"mcp.{metric} is" in slower.reason
    assert "the tolerance ends at" in slower.reason
    assert row(metric, alone(1.2), alone(seed=2)).verdict == "PASS"
    assert row(metric, alone(), alone(seed=2)).verdict == "PASS"


def test_the_ratio_is_new_by_base_with_its_interval():
    """A fifth slower is 1.2 times the base, and the interval encloses it."""
    found = row("p95", alone(), alone(1.2, seed=2))
    assert found.ratio == pytest.approx(1.2, rel=0.01)
    assert found.ci95[0] < 1.2 < found.ci95[1]
    assert (found.base, found.unit) == (pytest.approx(10, rel=0.01), "ms")
    assert found.effect_needed < 1.02


def test_what_lies_within_the_tolerance_passes_and_what_straddles_it_is_open():
    """A slowdown of 4 % is judged by a tolerance of 10, 4 and 1 %."""
    verdicts = [
        row("p50", alone(), alone(1.04, seed=2), tolerance=tolerance).verdict
        for tolerance in (0.10, 0.04, 0.01)
    ]
    assert verdicts == ["PASS", "INCONCLUSIVE", "FAIL"]


def test_an_open_metric_says_how_many_rounds_would_tell():
    """The reason has the interval, the tolerance, and what to do."""
    base, new = {"mcp": noisy(random.Random(1), 1, 0.1)}, {"mcp": noisy(random.Random(2), 1, 0.1)}
    reason = row("p50", base, new).reason
    assert "is neither proven nor ruled out. About " in reason
    assert "rounds in each run would decide it" in reason


def test_beside_a_control_the_machine_cancels():
    """A machine that is twice as slow slows both arms; the ratio of mcp to control stays."""
    before = {
        "control": rounds([1, 1.02, 0.98, 1.01, 0.99, 1]),
        "mcp": rounds([2, 2.03, 1.98, 2.01, 1.98, 2.01]),
    }
    after = {
        "control": rounds([2, 2.04, 1.96, 2.02, 2, 1.98]),
        "mcp": rounds([4, 4.07, 3.97, 4.01, 4, 3.97]),
    }
    found = row("p95", before, after)
    assert (found.versus, found.verdict) == ("control", "PASS")
    assert found.ratio == pytest.approx(1, abs=0.01)
    assert row("p95", before, after | {"mcp": rounds([5, 5.1, 4.9, 5, 4.9, 5])}).verdict == "FAIL"


def test_beside_a_control_no_guard_is_needed():
    """However uneven the machine, what slows both arms adds no noise to their ratio."""
    shape = [1, 1.5, 0.8, 1.3, 0.7, 1.1]
    even = [1, 1.01, 0.99, 1.02, 0.98, 1]
    before = {
        "control": rounds(shape),
        "mcp": rounds([a * b for a, b in zip(shape, even, strict=True)]),
    }
    after = {"control": rounds(shape), "mcp": rounds([1.07 * a for a in shape])}
    assert row("p95", before, after).verdict == "FAIL"


def test_the_control_is_shown_not_judged_and_its_change_is_told():
    """With one base run nobody can tell the control's own change from that of the machine."""
    rng = random.Random(1)
    before = run({"control": noisy(rng), "mcp": noisy(rng, 2)})
    after = run({"control": noisy(rng, 1.5), "mcp": noisy(rng, 3)})
    outcome = compare_runs([before], after, TOLERANCE)
    control = [one for one in outcome.regressions if one.arm == "control"]
    assert {one.verdict for one in control if one.metric != "error_rate"} == {None}
    assert any("control itself has changed" in note for note in outcome.notes)
    assert not any("itself" in note for note in compare_runs([before], before, 0.05).notes)


def test_a_control_that_fell_out_of_many_base_runs_fails():
    """With three base runs its change can be distinguished from the noise between them."""
    rng = random.Random(1)
    base = [{"control": noisy(rng), "mcp": noisy(rng, 2)} for _ in range(3)]
    new = {"control": noisy(rng, 1.5), "mcp": noisy(rng, 3)}
    assert row("p50", base, new, arm="control").verdict == "FAIL"
    assert (
        row("p50", base, {"control": noisy(rng), "mcp": noisy(rng, 2)}, "control").verdict is None
    )


def test_a_control_without_others_is_an_arm_like_any():
    """Nobody is measured by it, so it is judged."""
    assert row("p50", {"control": alone()["mcp"]}, {"control": alone(2)["mcp"]}, "control").verdict
    only_now = {"control": alone(2)["mcp"], "mcp": alone()["mcp"]}
    assert row("p50", {"control": alone()["mcp"]}, only_now, "control").verdict == "FAIL"


def test_an_uneven_machine_is_not_called_a_slow_target():
    """Rounds that differ by a half show no change of runs by a half; an even machine does."""
    shape = [1, 1.5, 0.8, 1.3, 0.7, 1.1]
    uneven = row("p95", {"mcp": rounds(shape)}, {"mcp": rounds([2 * x for x in shape])})
    assert uneven.ci95[0] > 1.05
    assert uneven.verdict == "INCONCLUSIVE"
    assert "two equal runs could differ as much" in uneven.reason
    even = row("p95", alone(), alone(2, seed=2))
    assert even.verdict == "FAIL"


def test_base_runs_that_differ_take_a_change_of_their_size_for_noise():
    """A run that is 10 % slower fails by one base run, and not by three that differ as much."""
    base = [alone(slowness) for slowness in (0.9, 1.0, 1.1)]
    assert row("p50", base[1], alone(1.1, seed=9)).verdict == "FAIL"
    open_ = row("p50", base, alone(1.1, seed=9))
    assert open_.verdict == "INCONCLUSIVE"
    assert "The base runs differ too much to decide" in open_.reason


@pytest.mark.parametrize(
    ("base", "new", "verdict"),
    [
        ((0, 1000), (0, 1000), "PASS"),  # nothing failed: nothing regressed
        ((0, 1000), (0, 10), "PASS"),
        ((0, 1000), (1, 1000), "INCONCLUSIVE"),  # one failure may be chance
        ((0, 1000), (30, 1000), "FAIL"),
        ((30, 1000), (0, 1000), "PASS"),
        ((30, 1000), (31, 1000), "INCONCLUSIVE"),
        ((3, 100_000), (5, 100_000), "PASS"),  # shown to be less than 0.1 points more
        ((100, 1000), (200, 1000), "FAIL"),
    ],
)
def test_failures_are_compared_by_their_counts(base, new, verdict):
    """More failures than chance gives fail; two rates of zero have no ratio, and pass."""
    shape = [1, 1.01, 0.99, 1.02, 1, 0.98]
    before, after = (
        {"mcp": rounds(shape, failed=failed, ended=ended)} for failed, ended in (base, new)
    )
    found = row("error_rate", before, after)
    assert (found.verdict, found.ratio) == (verdict, None)
    if verdict in ("FAIL", "INCONCLUSIVE"):
        failed, before = (out_of(*counts, "call") for counts in (new, base))
        assert f"{failed} failed, {before} in the base" in found.reason


def failing(rng: random.Random, bursts: float, n: int = 10) -> ArmRounds:
    """Return rounds of a hundred calls; one call in ten fails while a burst lasts."""
    rates = [(rng.random() < bursts) * 0.1 for _ in range(n)]
    failed = [sum(rng.random() < rate for _ in range(100)) for rate in rates]
    return rounds(
        [1.0] * n,
        values={"error_rate": sum(failed) / n / 100},
        rounds={"error_rate": [count / 100 for count in failed]},
        failed=sum(failed),
        ended=100 * n,
    )


@pytest.mark.parametrize("bursts", [0.1, 0.2, 0.5])
def test_bursts_of_failures_are_no_regression(bursts):
    """At most 2.5 % of equal runs fail; by their calls alone, up to 30 % would."""
    rng = random.Random(1)
    pairs = [({"mcp": failing(rng, bursts)}, {"mcp": failing(rng, bursts)}) for _ in range(300)]
    failed = sum(row("error_rate", *pair).verdict == "FAIL" for pair in pairs)
    assert failed / 300 <= 0.025


def test_many_more_bursts_are_a_regression():
    """From one round in twenty to nearly each one: most runs show it."""
    rng = random.Random(1)
    pairs = [({"mcp": failing(rng, 0.05)}, {"mcp": failing(rng, 0.9)}) for _ in range(100)]
    assert sum(row("error_rate", *pair).verdict == "FAIL" for pair in pairs) >= 75


SHAPE = [1, 1.01, 0.99, 1.02, 1, 0.98]


@pytest.mark.parametrize(
    ("new", "said"),
    [
        ({}, "The arm mcp of the base is not in this run."),
        ({"mcp": rounds(SHAPE, ended=0)}, "made no call that ended"),
        ({"mcp": rounds(SHAPE, steps=[])}, "mcp never came to tools/call echo"),
        ({"mcp": rounds(SHAPE, values={})}, "could not be measured in this run"),
        ({"mcp": rounds(SHAPE[:5])}, "make at least 6"),
        ({"mcp": rounds(SHAPE, calls=99)}, "99 calls are too few for p99"),
        ({"mcp": rounds(SHAPE, journeys=9)}, "9 journeys are too few for journey_p95"),
        (
            {"mcp": rounds(SHAPE, rounds={key: [1.0, None, *[1.0] * 4] for key in COMPARED})},
            "has no value in some rounds",
        ),
    ],
)
def test_what_is_missing_never_passes(new, said):
    """An arm, a step, a metric or rounds that the base has leave the run INCONCLUSIVE, named."""
    found = compare_runs([run({"mcp": rounds(SHAPE)})], run(new), 0.5).regressions
    assert verdict_of(found) == "INCONCLUSIVE"
    assert any(said in one.reason for one in found if one.verdict == "INCONCLUSIVE")


@pytest.mark.parametrize(
    ("calls", "failed", "verdict"),
    [(99, 1, "INCONCLUSIVE"), (99, 2, "FAIL"), (100, 1, "FAIL"), (99, 0, "INCONCLUSIVE")],
)
def test_a_percentile_of_too_few_calls_is_not_failed_by_one(calls, failed, verdict):
    """As with a gate: one failure of 99 calls says nothing about the 99th percentile."""
    gone = {name: value for name, value in rounds(SHAPE).values.items() if name != "p99"}
    new = rounds(SHAPE, values=gone, calls=calls, ended=calls, failed=failed)
    assert row("p99", {"mcp": rounds(SHAPE)}, {"mcp": new}).verdict == verdict


@pytest.mark.parametrize(
    ("before", "now", "p95", "throughput"),
    [
        ((0, 1000), (1, 1000), "INCONCLUSIVE", "PASS"),
        ((50, 1000), (50, 1000), "PASS", "PASS"),
        ((50, 1000), (10, 1000), "PASS", "PASS"),
        ((0, 0), (10, 1000), "INCONCLUSIVE", "PASS"),
    ],
)
def test_a_target_does_not_look_fast_by_dropping_arrivals(before, now, p95, throughput):
    """Times of a run that drops more than the base cannot pass; what was done counts as ever."""
    base, new = (
        {"mcp": rounds(SHAPE, dropped=dropped, planned=planned)}
        for dropped, planned in (before, now)
    )
    found = row("p95", base, new)
    assert found.verdict == p95
    assert row("throughput", base, new).verdict == throughput
    if p95 == "INCONCLUSIVE":
        assert (
            f"{now[0]} of 1 000 planned journeys of mcp were not started (dropped), more than in"
            in found.reason
        )


def test_each_arm_is_divided_by_the_control_with_its_ending():
    """As in a report: of two pairs, each has a control, which is not judged itself."""
    arms = {
        "control-8ms": [1, 1.02, 0.98, 1.01, 1, 0.99],
        "dual-8ms": [2, 2.03, 1.98, 2.01, 2, 1.99],
    }
    before = {arm: rounds(shape) for arm, shape in arms.items()}
    slow = {arm: rounds([3 * ms for ms in shape]) for arm, shape in arms.items()}
    assert row("p95", before, slow, "dual-8ms").versus == "control-8ms"
    assert row("p95", before, slow, "dual-8ms").verdict == "PASS"
    assert row("p95", before, slow, "control-8ms").verdict is None
    notes = compare_runs([run(before)], run(slow), TOLERANCE).notes
    assert any("control-8ms itself has changed" in note for note in notes)


def test_the_control_of_a_run_with_other_rounds_has_no_partners():
    """Rounds that cannot be paired with the control's give no ratio."""
    both = {"control": rounds(SHAPE), "mcp": rounds(SHAPE)}
    odd = {"control": rounds(SHAPE[:3]), "mcp": rounds(SHAPE)}
    found = row("p95", both, odd)
    assert found.verdict == "INCONCLUSIVE"
    assert found.reason.startswith("mcp.p95 by control has no value in some rounds (or of control)")


def test_what_is_as_bad_as_is_tolerated_is_hardly_told():
    """No number of rounds decides about a change that is the tolerance itself."""
    base = {"mcp": rounds(SHAPE)}
    found = row("p50", base, {"mcp": rounds([1.05 * ms for ms in SHAPE])})
    assert "more rounds in each run will hardly decide it" in found.reason


def test_rounds_without_noise_show_nothing():
    """When every round is the same, certainty has no measure."""
    same = {"mcp": rounds([1.0] * 6)}
    assert "the same in every round" in row("p50", same, same).reason


def test_an_arm_that_completes_nothing_any_more_fails():
    """A throughput of zero has no logarithm, and is the worst regression there is."""
    dead = rounds(SHAPE)
    dead = rounds(SHAPE, values=dead.values | {"throughput": 0.0})
    found = row("throughput", {"mcp": rounds(SHAPE)}, {"mcp": dead})
    assert (found.verdict, found.reason) == (
        "FAIL",
        "mcp.throughput is zero in this run, but was 100/s in the base.",
    )


def test_a_base_without_numbers_passes_nothing():
    """An arm of the base that measured nothing is named."""
    empty = run({"mcp": rounds(SHAPE, values={}, steps=[])})
    found = compare_runs([empty], run(alone()), 0.5).regressions
    assert verdict_of(found) == "INCONCLUSIVE"
    assert ", but none of its calls." in found[0].reason


def test_nothing_compared_is_nothing_shown():
    """Without rows there is no PASS."""
    assert verdict_of([]) == "INCONCLUSIVE"


def test_one_regression_decides():
    """Whatever the other metrics say."""
    worse = rounds(SHAPE, failed=500)
    found = compare_runs([run({"mcp": rounds(SHAPE)})], run({"mcp": worse}), 0.5).regressions
    assert {one.verdict for one in found} == {"FAIL", "PASS"}
    assert verdict_of(found) == "FAIL"


def test_a_new_arm_is_told_of():
    """What the base lacks is shown, and judged by nobody."""
    both = alone() | {"fast": rounds(SHAPE)}
    notes = compare_runs([run(alone())], run(both), 0.05).notes
    assert "The arm fast is new, so there is nothing in the base to compare it with." in notes


def test_the_notes_say_what_an_interval_holds_and_which_versions_differ():
    """The caveat of one base run is gone with the third, and another Python is reported."""
    caveat = "but not between runs"
    one = compare_runs([run(alone())], run(alone()), 0.05).notes
    three = compare_runs([run(alone())] * 3, run(alone()), 0.05).notes
    assert any(caveat in note for note in one)
    assert not any(caveat in note for note in three)
    assert any("how much the 3 base runs differ" in note for note in three)
    other = run(alone(), identity=identity(versions={"python": "3.12.1"}))
    told = compare_runs([run(alone())], other, 0.05).notes
    assert "Not the same: versions.python: 3.11.7 in the base, 3.12.1 now." in told


def test_a_p_value_agrees_with_its_interval():
    """It is for the metric alone: below 0.05 if the interval leaves out 1."""
    for slower in (1.0, 1.01, 1.02):
        for one in compare_runs([run(alone())], run(alone(slower, seed=2)), 0.05).regressions:
            if one.ratio is not None:
                assert (one.p_value < 0.05) is not (one.ci95[0] <= 1 <= one.ci95[1])


UNEVEN = [1, 1.3, 0.8, 1.2, 0.9, 1.1]


@pytest.mark.parametrize(
    ("p99", "verdict"),
    [
        (UNEVEN, None),  # as it was, and too noisy to show it
        ([1.1 * ms for ms in UNEVEN], "INCONCLUSIVE"),  # worse than tolerated, if it was not chance
        ([4 * ms for ms in UNEVEN], "FAIL"),
    ],
)
def test_noise_in_one_time_leaves_a_run_open_only_if_it_seems_worse(p99, verdict):
    """If another time of the arm is shown to be as good; what seems worse stays open."""
    calm, base, new = rounds(SHAPE), rounds(SHAPE), rounds(SHAPE)
    base.rounds["p99"], new.rounds["p99"] = UNEVEN, p99
    found = row("p99", {"mcp": base}, {"mcp": new})
    assert found.verdict == verdict
    assert ("too noisy" in found.reason) is (verdict is None)
    all_of_it = compare_runs([run({"mcp": base})], run({"mcp": new}), TOLERANCE).regressions
    assert verdict_of(all_of_it) == (verdict or "PASS")
    assert row("p50", {"mcp": calm}, {"mcp": calm}).verdict == "PASS"


def test_noise_in_everything_shows_nothing():
    """A run without a time or rate that is shown to be as good does not pass."""
    uneven = {"mcp": rounds(UNEVEN)}
    found = compare_runs([run(uneven)], run(uneven), TOLERANCE).regressions
    assert verdict_of(found) == "INCONCLUSIVE"


def pairs(ratios, noise=0.01, seed=1, **changes):
    """Give runs that hold both sides, on machines of different speed; head is so much slower."""
    rng = random.Random(seed)
    found = []
    for ratio in ratios:
        state, shape = rng.uniform(1, 3), [rng.lognormvariate(0, noise) for _ in range(2)]
        base = rounds([state * part for part in shape])
        head = [state * part * ratio * rng.lognormvariate(0, noise) for part in shape]
        found.append({"base": base, "head": rounds(head, **changes)})
    return found


def of_pairs(metric, runs, tolerance=0.1):
    """Give one row of a comparison of pairs."""
    return next(one for one in compare_pairs(runs, tolerance) if one.metric == metric)


def test_in_pairs_the_machine_cancels():
    """The machine is up to three times as slow from pair to pair, yet a third more is found."""
    slower = pairs([1.33, 1.3, 1.35, 1.34, 1.32])
    for metric in ("p95", "throughput"):
        found = of_pairs(metric, slower)
        assert (found.arm, found.versus, found.verdict) == ("head", "", "FAIL")
    found = of_pairs("p95", slower)
    assert found.ratio == pytest.approx(1.33, rel=0.03)
    assert found.ci95[0] < 1.33 < found.ci95[1] < 1.4
    assert found.new / found.base == pytest.approx(1.33, rel=0.05)
    assert of_pairs("p95", pairs([1.01, 0.99, 1, 1.02, 0.98])).verdict == "PASS"


def test_in_pairs_the_pair_is_the_unit():
    """A difference between starts of processes shows nothing, however calm each pair is."""
    found = of_pairs("p95", pairs([1.6, 0.8, 1.5, 0.9, 1.4], noise=0.0001))
    assert found.verdict == "INCONCLUSIVE"
    assert " pairs would decide it" in found.reason


def test_pairs_that_tell_nothing_are_open():
    """Without noise, or if a round of a pair has no value."""
    same = pairs([1.2] * 3, noise=0)
    assert of_pairs("p95", same).verdict == "INCONCLUSIVE"
    assert "head.p95 by base is the same in every pair" in of_pairs("p95", same).reason
    gap = pairs([1.2, 1.3, 1.25])
    gap[1]["base"].rounds["p95"][0] = None
    assert "has no value in some rounds of a pair" in of_pairs("p95", gap).reason


def test_in_pairs_failures_are_those_of_all_together():
    """A head that fails one call in fifty is worse than a base that fails none."""
    found = of_pairs("error_rate", pairs([1, 1.01, 0.99], failed=20))
    assert found.verdict == "FAIL"
    assert "60 of 3 000 calls failed, 0 of 3 000 calls in the base" in found.reason
    gone = pairs([1, 1.01, 0.99])
    gone[2]["head"].values.pop("p99")
    assert "could not be measured" in of_pairs("p99", gone).reason


def test_a_report_of_pairs_reads_like_one_of_runs():
    """With what was compared, how, and what a reader must know; a broken pair compares nothing."""
    runs = [run(arms, f"r{number}") for number, arms in enumerate(pairs([1.3, 1.33, 1.31]))]
    found = compare_releases(runs, ("node old.js", "node new.js"), 0.1, ["a remark"])
    assert (found.base, found.verdict, found.exit_code) == (["node old.js"], "FAIL", 99)
    assert found.runs[0].run_id == "node new.js"
    assert found.runs[0].notes[0].startswith("3 pairs of fresh processes, in each of them 2 rounds")
    assert found.runs[0].notes[1] == "a remark"
    fine = [run(arms) for arms in pairs([1, 1.01, 0.99])]
    assert compare_releases(fine, ("a", "b"), 0.1, []).exit_code == 0
    failing = [run(arms, verdict="FAIL") for arms in pairs([1, 1.01, 0.99])]
    assert compare_releases(failing, ("a", "b"), 0.1, []).exit_code == 90
    for broken, code in ({"verdict": "INVALID"}, 91), ({"complete": False}, 90):
        spoiled = compare_releases([*runs, run(pairs([1])[0], **broken)], ("a", "b"), 0.1, [])
        assert (spoiled.exit_code, spoiled.runs[0].regressions) == (code, [])
