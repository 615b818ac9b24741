"""Comparing two arms, measured next to SciPy's paired t-test, which returns less."""

import random

import pytest
from scipy import stats

from mcp_perf.results.stats.rounds import compare, proportion

pytestmark = pytest.mark.benchmark(group="statistics")
RNG = random.Random(3)
CONTROL = [RNG.lognormvariate(2, 0.05) for _ in range(10)]
MCP = [value * RNG.lognormvariate(0.3, 0.05) for value in CONTROL]
INFO = {"system": "reports", "layer": "statistics"}


def test_compare(side_by_side):
    """Ratio, interval, exact permutation test and power for ten rounds each."""
    sides = {
        "ours": lambda: compare("p50", "mcp", "control", MCP, CONTROL),
        "scipy": lambda: stats.ttest_rel(MCP, CONTROL).confidence_interval(),
    }
    returned = side_by_side(sides, info={side: {**INFO, "tool": "compare"} for side in sides})
    low, high = returned["ours"].ci95
    assert 1 < low < returned["ours"].ratio < high
    assert returned["scipy"].low > 0


def test_proportion(benchmark):
    """The exact interval of an error rate."""
    benchmark.extra_info |= {**INFO, "tool": "proportion"}
    low, high = benchmark(proportion, 3, 10_000)
    assert 0 < low < 0.0003 < high
