"""When things happen: the plan of an open load, and the turns of a run."""

import random

import pytest

from mcp_perf.load.plan.arrivals import arrivals
from mcp_perf.load.plan.schedule import Level, plan

pytestmark = pytest.mark.benchmark(group="schedule")
RATE, SECONDS = 1000.0, 1.0


def test_arrivals(side_by_side):
    """A second of a Poisson plan and of an even one, compared with drawing as many numbers."""
    rng = random.Random(1)
    sides = {
        "poisson": lambda: len(list(arrivals(RATE, SECONDS, poisson=True, seed="1"))),
        "even": lambda: len(list(arrivals(RATE, SECONDS, poisson=False, seed="1"))),
        "draws": lambda: len([rng.expovariate(RATE) for _ in range(int(RATE * SECONDS))]),
    }
    what = {"system": "load", "layer": "schedule", "tool": "arrivals"}
    returned = side_by_side(sides, info=dict.fromkeys(sides, what))
    assert returned["even"] == returned["draws"] == 1000
    assert 900 < returned["poisson"] < 1100


def test_plan(benchmark):
    """A thousand rounds of two arms, laid out."""
    benchmark.extra_info |= {"system": "load", "layer": "schedule", "tool": "plan"}
    turns = benchmark(plan, ["control", "mcp"], [Level(20)] * 1000, 5.0, 3.0)
    assert len(turns) == 2002
