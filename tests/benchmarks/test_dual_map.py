"""The model next to the map of the dual runtime agrees with arithmetic at its limits."""

import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest

from tests.benchmarks import dual_map
from tests.benchmarks.dual_map import Cell, physics_s, predicted, throughput

CPU = {"control": 0.1, "dual": 0.5}
COST = {"control": (0.008, 0.007), "dual": (0.004, 0.003)}


@pytest.mark.parametrize(
    ("arm", "rtt_ms", "seconds"),
    [("control", 10, 0.2), ("dual", 10, 0.06), ("control", 8, 0.176), ("dual", 8, 0.058)],
)
def test_the_physics_are_those_of_the_claim(arm, rtt_ms, seconds):
    """Control: three requests of four round trips each; dual: one round trip, the longest work."""
    assert physics_s(arm, rtt_ms) == pytest.approx(seconds)


def test_one_user_waits_for_nobody_and_many_fill_the_processor():
    """One: delay and processor time add up. Many: the processor is the bound."""
    assert throughput(1, 0.09, 0.01) == pytest.approx(10)
    assert throughput(1000, 0.09, 0.01) == pytest.approx(100, rel=1e-3)
    rates = [throughput(users, 0.09, 0.01) for users in range(1, 60)]
    assert all(more >= rate * (1 - 1e-9) for rate, more in pairwise(rates))
    assert all(rate <= min(users / 0.1, 100) * (1 + 1e-9) for users, rate in enumerate(rates, 1))


def test_without_processor_time_the_ratio_is_that_of_the_physics():
    """At every number of users that the bridge has threads for; beyond, control queues."""
    free = {"control": 1e-9, "dual": 1e-9}
    assert predicted(8, 20, free) == pytest.approx(0.176 / 0.058, rel=1e-4)
    assert predicted(10, 1, free) == pytest.approx(0.2 / 0.06, rel=1e-4)
    assert predicted(10, 80, free) == pytest.approx(2 * 0.2 / 0.06, rel=1e-4)


def test_the_map_shows_every_cell_and_names_those_that_the_model_misses():
    """Each has the measured value with its interval and the prediction; a frame marks the claim."""
    cells = [
        Cell(rtt, users, 3.2, (3.1, 3.3), 0.3, (0.29, 0.31), 3.2, CPU, COST)
        for rtt in dual_map.RTTS_MS
        for users in dual_map.USERS
    ]
    cells[-1] = Cell(40, 50, 2.0, (1.9, 2.1), 0.5, (0.4, 0.6), 3.0, CPU, COST)
    words = [one.text for one in ET.fromstring(dual_map.drawn(cells)).iter() if one.text]
    assert words.count("3.20x") == 48
    assert words.count("3.10 to 3.30") == 24
    assert {"2.00x", "3.00x", "1.90 to 2.10", "40 ms", "50 users", "1 user"} <= set(words)
    assert dual_map.drawn(cells).count('stroke="#111"') == 24
    near, missed = dual_map.remarks(cells)
    assert near == "24 of 25 cells are within 15% of the model."
    assert missed == (
        "40 ms, 50 users: predicted 3.00x, measured 2.00x (1.90x to 2.10x). A call cost control "
        "8.0 ms (model: 7.0 ms) on 0.10 processors, dual 4.0 ms (model: 3.0 ms) on 0.50 processors."
    )
    assert dual_map.table(cells).count("holds") == 24
