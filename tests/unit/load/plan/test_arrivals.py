"""When journeys begin in an open load: exact, seeded, and the same however the plan is split."""

from functools import partial
from itertools import chain, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_perf.load.plan.arrivals import arrivals
from mcp_perf.load.plan.schedule import share_of

RATES = st.floats(0.1, 5000)
SECONDS = st.floats(0.05, 2)


def test_a_constant_rate_is_evenly_spaced_from_the_first_moment():
    """100/s means one at 0, one at 10 ms, one at 20 ms, … and none at the end itself."""
    plan = list(arrivals(100, 10.0, poisson=False, seed="1"))
    assert plan == [10_000_000 * n for n in range(1000)]


@given(RATES, SECONDS)
def test_constant_arrivals_never_drift(rate, seconds):
    """The n-th arrival is at n / rate to the nanosecond, however many came before."""
    plan = list(arrivals(rate, seconds, poisson=False, seed="1"))
    assert all(abs(at - n * 1e9 / rate) <= 1 for n, at in enumerate(plan))
    assert all(at < seconds * 1e9 + 1 for at in plan)
    assert len(plan) == pytest.approx(rate * seconds, abs=1.001)


def test_poisson_arrivals_are_those_of_a_poisson_process():
    """Gaps have the mean and the spread of the exponential distribution."""
    plan = list(arrivals(1000, 200, poisson=True, seed="1/1"))
    gaps = [after - before for before, after in pairwise(plan)]
    mean = sum(gaps) / len(gaps)
    spread = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5
    assert mean == pytest.approx(1e6, rel=0.01)
    assert spread == pytest.approx(1e6, rel=0.02)
    assert sum(gap > 3e6 for gap in gaps) / len(gaps) == pytest.approx(0.0498, rel=0.1)


@given(RATES, st.booleans(), st.integers(1, 7), st.integers(1, 20), st.text(max_size=5))
def test_promise_04_split_over_workers_and_merged_is_unsplit(rate, poisson, nodes, users, seed):
    """Every arrival of the plan belongs to one node: the node of the user that it is dealt to."""
    plan = list(arrivals(rate, 0.5, poisson=poisson, seed=seed))
    parts = [
        list(arrivals(rate, 0.5, poisson=poisson, seed=seed, users=users, node=node, nodes=nodes))
        for node in range(nodes)
    ]
    assert sorted(chain(*parts)) == plan
    shares = [share_of(users, node, nodes) for node in range(nodes)]
    for part, share in zip(parts, shares, strict=True):
        assert len(part) == pytest.approx(len(plan) * share / users, abs=max(shares))


@pytest.mark.parametrize("users", [2, 4, 10, 50])
def test_processes_drop_together_what_one_would_drop(users):
    """A second is overloaded with calls of half a second, also on machines that are not alike."""

    def dropped(nodes):
        plan = partial(arrivals, 200, 6, poisson=False, seed="1", users=users, nodes=nodes)
        each = range(nodes)
        return sum(_dropped(plan(node=node), share_of(users, node, nodes)) for node in each)

    assert dropped(3) == pytest.approx(dropped(1), rel=0.02)


def _dropped(plan, users):
    """Count the arrivals that find this many calls of half a second in flight."""
    ends, missed = [], 0
    for at_ns in plan:
        ends = [end for end in ends if end > at_ns]
        if len(ends) < users:
            ends.append(at_ns + 500_000_000)
        else:
            missed += 1
    return missed


def test_promise_04_the_same_seed_gives_the_same_intended_times():
    """The plan is a function of its seed and of nothing else."""
    first, again, other = (
        list(arrivals(500, 2, poisson=True, seed=seed)) for seed in ("7/1", "7/1", "7/2")
    )
    assert first == again
    assert first != other
