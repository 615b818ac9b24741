"""New levels in a line of runs: found where they are, and hardly ever found where there is none."""

import math
import random

import pytest

from mcp_perf.results.stats.changes import changes


def series(seed, step=1.0, at=30, noise=0.02, alike=0.0, length=60):
    """Give runs around 100 that move to another level; each run resembles the one before."""
    draws, left, values = random.Random(seed), 0.0, []
    for number in range(length):
        left = alike * left + draws.gauss(0, noise) * math.sqrt(1 - alike**2)
        values.append(100 * math.exp(left) * (step if number >= at else 1))
    return values


@pytest.mark.parametrize(("step", "length"), [(1.1, 60), (1 / 1.1, 60), (1.1, 35), (1.05, 60)])
def test_a_step_is_found_within_five_runs(step, length):
    """In at least 9 of 10 series with 2 % noise, also right after the step, and with its ratio."""
    found = [changes(series(seed, step, length=length)) for seed in range(100)]
    near = [min(one, key=lambda at: abs(at - 30), default=99) for one in found]
    assert sum(abs(at - 30) <= 5 for at in near) >= 90
    factors = [one[at] for one, at in zip(found, near, strict=True) if at in one]
    assert sorted(factors)[len(factors) // 2] == pytest.approx(step, rel=0.01)


@pytest.mark.parametrize("alike", [0, 0.3, 0.6])
def test_flat_series_hardly_ever_get_a_mark(alike):
    """At most one in twenty does, even if runs resemble the runs before them."""
    marks = sum(len(changes(series(seed, alike=alike))) for seed in range(200))
    assert marks <= 10


def test_every_step_of_several_gets_its_mark():
    """One step up and one step back."""
    values = [*series(1, length=20), *series(2, 1.2, at=0, length=20), *series(3, length=20)]
    assert list(changes(values)) == pytest.approx([20, 40], abs=1)


def test_a_change_too_small_to_matter_gets_no_mark():
    """Without noise, half a per cent is certain, but too small to matter."""
    assert changes([100.0] * 10 + [100.5] * 10) == {}
    assert changes([100.0] * 10 + [102.0] * 10) == {10: pytest.approx(1.02)}


@pytest.mark.parametrize("values", [[], [1.0], [1.0] * 5, [1, 1, 1, 9, 9], [1.0] * 60])
def test_too_few_runs_and_equal_ones_have_no_new_level(values):
    """A level has at least three runs."""
    assert changes(values) == {}
