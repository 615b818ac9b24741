"""Promise 35: a capacity search reports what it saw; the servers' true capacity is known.

Each server is a formula in virtual time, loaded by the real search and judged by the real report.
"""

import random
from dataclasses import dataclass, field
from functools import partial

import pytest

from mcp_perf.results.journal.records import Health
from mcp_perf.results.report.build import build
from tests.support.virtual_search import COOL, Server, search

LATE = Health(cpu_s=0.3, wall_s=3.0, starts=1000, late_starts=500)
SLOW_S = 0.5


@dataclass
class RandomTimes(Server):
    """M/M/1: one slot, exponential service times."""

    slots: int = 1
    service_s: float = 0.01

    def takes_s(self, _at_s):
        """Draw an exponential time."""
        return self.rng.expovariate(1 / self.service_s)


@dataclass
class Capped(Server):
    """Serves 50 calls a second, with bursts of ten, and refuses the others with 429."""

    per_s: float = 50.0
    saved: float = 10.0
    last_s: float = 0.0

    def serve(self, at_s):
        """Serve if there is a token, otherwise refuse."""
        self.saved = min(10.0, self.saved + (at_s - self.last_s) * self.per_s)
        self.last_s = at_s
        if self.saved < 1:
            return at_s + 0.001, "rate_limited"
        self.saved -= 1
        return at_s + 0.01, "ok"


@dataclass
class Collapsing(Server):
    """Serves 200/s until more than 120 arrive in a second; from then on, each call takes long.

    After `rest_s` without any call it recovers.
    """

    rest_s: float = float("inf")
    collapsed: bool = False
    arrived: list[float] = field(default_factory=list)

    def serve(self, at_s):
        """Count the last second's calls."""
        if self.arrived and at_s - self.arrived[-1] >= self.rest_s:
            self.collapsed = False
            self._free = [0.0] * self.slots
        self.arrived = [*(one for one in self.arrived if one > at_s - 1), at_s]
        self.collapsed |= len(self.arrived) > 120
        return super().serve(at_s)

    def takes_s(self, at_s):
        """Take 25 times as long after the collapse."""
        return SLOW_S if self.collapsed else super().takes_s(at_s)


@dataclass
class Pausing(Server):
    """Pauses for half a second every five, at any rate."""

    phase_s: float = 0.0

    def serve(self, at_s):
        """Wait for the end of a pause before and during the work."""
        ends_s, cls = super().serve(self._awake_s(at_s))
        return self._awake_s(ends_s), cls

    def _awake_s(self, at_s):
        return at_s + max(0.0, 0.5 - (at_s + self.phase_s) % 5)


@dataclass
class Starting(Server):
    """Takes half a second for each call in its first eight seconds."""

    def takes_s(self, at_s):
        """Return a time that depends on the clock."""
        return SLOW_S if at_s < 8 else super().takes_s(at_s)


@dataclass
class Unlimited(Server):
    """Takes a second for each call, for any number of calls."""

    def serve(self, at_s):
        """Serve without a queue."""
        return at_s + 1.0, "ok"


def found(server, *gates, **load):
    """Search a server up to 1000/s; return the capacity in the report, and the turns."""
    seen = []
    load = {"rate": "1k/s", "seen": seen, **load}
    report = build(search({"mcp": server}, gates, **load))
    return report, report.arms["mcp"].capacity, [turn for turn in seen if turn.phase == "round"]


def draws(server, seeds):
    """Search servers with this many seeds."""
    return [found(server(seed=seed, rng=random.Random(seed)))[1] for seed in range(seeds)]


def test_promise_35_random_service_times_do_not_hide_the_capacity():
    """M/M/1 of 100/s: near the edge, short trials contradict each other and long ones decide."""
    capacities = draws(RandomTimes, 4)
    assert sum(one.outcome == "knee" for one in capacities) >= 3
    assert all(90 <= one.rate_per_s <= 110 for one in capacities)


def test_promise_35_random_arrivals_do_not_hide_the_capacity():
    """M/D/1 of 100/s with random arrivals."""
    capacities = draws(partial(Server, 0.01, 1, poisson=True), 4)
    assert sum(one.outcome == "knee" for one in capacities) >= 3
    assert all(90 <= one.rate_per_s <= 110 for one in capacities)


def test_promise_35_a_cap_is_found_to_a_few_percent():
    """A cap of 50/s, with 429 beyond it: the refusals are the reason."""
    report, capacity, trials = found(Capped())
    assert (report.verdict, capacity.outcome, capacity.broke_by) == ("PASS", "knee", ["errors"])
    assert capacity.rate_per_s == pytest.approx(50, rel=0.03)
    assert len(trials) <= 20


def test_promise_35_a_target_that_does_not_recover_is_named():
    """It held 80/s, collapsed at 160/s, and gets no higher rate in this state."""
    report, capacity, trials = found(Collapsing())
    assert (report.verdict, report.exit_code) == ("INCONCLUSIVE", 90)
    assert (capacity.outcome, capacity.interval) == ("did_not_recover", (80, 160))
    assert capacity.did_not_recover_from == 160
    assert report.reasons[0].line == "mcp held 80/s, but did not recover from 160/s. (search_open)"
    assert [turn.rate for turn in trials] == [5, 10, 20, 40, 80, 160]
    for gate, verdict in (
        ("mcp.capacity >= 60/s", "PASS"),
        ("mcp.capacity >= 100/s", "INCONCLUSIVE"),
    ):
        assert found(Collapsing(), gate)[0].verdict == verdict


def test_promise_35_a_target_that_needs_rest_is_given_it():
    """After two seconds without a call it has recovered, and the search goes on."""
    report, capacity, _ = found(Collapsing(rest_s=2.0))
    assert (report.verdict, capacity.outcome) == ("PASS", "knee")
    assert capacity.rate_per_s == pytest.approx(120, rel=0.05)


@pytest.mark.parametrize("phase_s", [0.0, 1.3, 2.6, 3.9])
def test_promise_35_what_breaks_at_every_rate_is_no_capacity(phase_s):
    """It pauses for half a second every five; many short trials hold all the same."""
    report, capacity, _ = found(Pausing(phase_s=phase_s), "mcp.p95 < 200ms")
    assert report.verdict == "INCONCLUSIVE"
    assert capacity.outcome in {"unsteady", "unfinished"}
    if capacity.outcome == "unsteady":
        assert "mcp is unsteady: trials broke from" in report.reasons[0].text
    assert (
        found(Pausing(phase_s=phase_s), "mcp.p95 < 200ms", "mcp.capacity >= 20/s")[0].verdict
        != "PASS"
    )


def test_promise_35_trials_while_a_target_warms_up_do_not_count():
    """Eight slow seconds: rates that fail in them are tried again, and the later result counts."""
    report, capacity, _ = found(Starting(), "mcp.p95 < 200ms", warmup="500ms")
    assert (report.verdict, capacity.outcome) == ("PASS", "knee")
    assert capacity.rate_per_s == pytest.approx(200, rel=0.05)
    [lowest] = [level for level in capacity.levels if level.rate_per_s == 5]
    assert lowest.unsettled > 0


def test_promise_35_our_own_limit_is_named_as_ours():
    """A second per call, without a limit: with 200 in flight there are at most 200/s."""
    report, capacity, _ = found(Unlimited(in_flight=200))
    assert (report.verdict, capacity.outcome) == ("INCONCLUSIVE", "own_limit")
    assert (capacity.rate_per_s, capacity.interval) == (198, (198, None))
    assert "max_in_flight" in report.reasons[0].text
    assert not any("drops" in name for level in capacity.levels for name in level.broke_by)
    assert found(Unlimited(in_flight=2000))[1].outcome == "held"


def test_promise_35_a_full_queue_is_the_target_s_when_journeys_take_longer():
    """All 200 wait in the target's queue: it is the target that does not keep up."""
    _, capacity, _ = found(Server(0.001, 1, in_flight=20), rate="10k/s")
    assert (capacity.outcome, capacity.broke_by) == ("knee", ["throughput"])
    assert capacity.rate_per_s == pytest.approx(1000, rel=0.06)


def test_promise_35_work_that_nobody_waits_for_is_awaited():
    """Clients give up after half a second, but the server works on: the next trial waits for it."""
    _, capacity, trials = found(Server(0.01, 1, timeout_s=0.5))
    assert capacity.outcome == "knee"
    assert capacity.rate_per_s == pytest.approx(100, rel=0.06)
    assert len(trials) <= 20


def test_promise_35_trials_that_the_generator_spoiled_are_repeated():
    """In every third trial the generator does not keep up; the edge is found all the same."""
    times = iter(range(1000))
    server = Server(0.04, 4, health=lambda _rate: LATE if next(times) % 6 == 0 else COOL)
    report, capacity, _ = found(server)
    assert (report.verdict, capacity.outcome) == ("PASS", "knee")
    assert capacity.rate_per_s == pytest.approx(100, rel=0.06)
    assert any(level.by_generator for level in capacity.levels)
