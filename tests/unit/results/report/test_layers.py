"""What a layer costs: paired differences of median journey times, on runs that never happened."""

import pytest

from mcp_perf.results.report.build import build
from mcp_perf.results.stats.rounds import half_width
from tests.support.virtual_run import Round, journal

ORDER = ["low", "middle", "high"]
DRIFT = [1.0, 1.3, 0.9, 1.1, 1.2, 0.8, 1.0]


def rounds(ms, step_ms=0.0, times=7, **changes):
    """Give rounds on a machine that drifts: each takes `ms`, and `step_ms` more from the third."""
    return [
        Round(**{"ms": ms * DRIFT[i] + (step_ms if i > 2 else 0)} | changes) for i in range(times)
    ]


def layers(end="finished", **arms):
    """Give the layers of a run with these rounds."""
    return build(journal(arms, layers=ORDER, end=end)).layers


def test_the_costs_add_up_to_the_highest_layer():
    """Each step begins where the one below ends, and its cost is the difference of the two."""
    one, two = layers(low=rounds(1), middle=rounds(3), high=rounds(2))
    assert (one.from_, one.to, two.from_, two.to) == ("low", "middle", "middle", "high")
    assert one.to_ms == two.from_ms
    assert one.from_ms + one.cost_ms + two.cost_ms == pytest.approx(two.to_ms)
    assert one.cost_ms == pytest.approx(2 * sum(DRIFT) / 7, rel=0.01)
    assert two.cost_ms == pytest.approx(-1 * sum(DRIFT) / 7, rel=0.01)
    assert two.ci95[1] < 0


def test_the_interval_is_students_t_on_the_rounds_differences():
    """Paired: what the machine does to both arms of a round alike is not in it."""
    [one, _] = layers(low=rounds(1), middle=rounds(1, step_ms=1.0), high=rounds(1))
    differences = [0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0]
    half = half_width(differences)
    assert one.cost_ms == pytest.approx(4 / 7, abs=0.002)
    assert one.ci95 == pytest.approx((4 / 7 - half, 4 / 7 + half), abs=0.004)
    assert one.warnings == []


def test_five_rounds_have_a_cost_but_no_interval():
    """As everywhere: fewer than six pairs can show nothing."""
    [one, two] = layers(**{name: rounds(2, times=5) for name in ORDER})
    assert (one.cost_ms, one.ci95) == (0.0, None)
    assert "5 rounds of each arm cannot show a difference" in one.warnings[0]
    assert one.warnings == two.warnings


def test_a_layer_without_a_good_journey_has_no_cost():
    """A round in which all failed has no median; both steps at that layer are unknown, and why."""
    broken = [*rounds(2, times=6), Round(ok=0, failed=5)]
    found = layers(low=rounds(1), middle=broken, high=rounds(3))
    assert [(one.cost_ms, one.ci95) for one in found] == [(None, None)] * 2
    said = ["middle has no journey_p50 in 1 of 7 rounds: no comparison."]
    assert [one.warnings for one in found] == [said, said]


def test_only_rounds_that_all_layers_finished_count():
    """A run that was cut off: a round that the highest layer lacks is in no step."""
    slow_end = [*rounds(1, times=6), Round(ms=500)]
    one, two = layers(end=None, low=slow_end, middle=slow_end, high=rounds(3, times=6))
    assert one.from_ms < 2
    assert one.cost_ms == 0
    assert two.cost_ms == pytest.approx(2 * sum(DRIFT[:6]) / 6, rel=0.01)


def test_layers_that_never_ran_are_said_so():
    """Without any round the cost is not zero."""
    one, _ = layers(end=None, low=rounds(1), middle=rounds(1), high=[])
    assert (one.from_ms, one.cost_ms) == (None, None)
    assert one.warnings == ["There is no round that every layer has finished."]


def test_a_run_without_layers_has_none():
    """Also if its journal is of an older version, which did not know the word."""
    assert build(journal({"a": rounds(1), "b": rounds(2)})).layers == []


def test_dropped_arrivals_are_told_beside_a_cost():
    """Their journeys would have been the slow ones."""
    [one, two] = layers(low=rounds(1), middle=rounds(3, planned=200, dropped=9), high=rounds(2))
    told = (
        "63 journeys were not started (dropped), because max_in_flight "
        "journeys were in flight. They have no times. Lower load.rate, or "
        "raise load.max_in_flight."
    )
    assert [one.warnings, two.warnings] == [[told], [told]]
    assert one.ci95 is not None


def test_differences_without_any_noise_have_no_interval():
    """Six times the very same number does not measure how much it varies."""
    steady = {name: [Round(ms=ms)] * 6 for ms, name in enumerate(ORDER, 1)}
    [one, _] = layers(**steady)
    assert (one.ci95, one.cost_ms) == (None, pytest.approx(1, rel=0.01))
    assert "Every round gave the same difference" in one.warnings[0]
