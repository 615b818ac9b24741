"""Virtual users without Locust: what they walk, with which values, and what is counted."""

import itertools
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_perf.load.steps import journey as journeys_module
from mcp_perf.load.steps import step as _steps
from mcp_perf.load.steps.journey import CompiledJourney, Walk, deck
from mcp_perf.load.steps.recorder import Recorder
from mcp_perf.load.steps.step import CallContext, CompiledStep, Interrupted
from mcp_perf.outcomes import HARNESS_ERROR, INTERRUPTED, OK, TIMEOUT, TOOL_ERROR
from mcp_perf.results.journal.records import Health, Slice
from mcp_perf.scenario.values.generators import compile_generators

GENERATORS = {
    "colour": {"one_of": ["red", "green", "blue"]},
    "size": {"int": {"min": 1, "max": 1000}},
    "label": {"template": "order ${seq} of ${user}"},
}


class Clock:
    """Nanoseconds that steps move."""

    def __init__(self):
        self.ns = 0

    def perf_counter_ns(self):
        """Return the time."""
        return self.ns


class Fake:
    """A step that ends as the test wants, and keeps the values it saw."""

    def __init__(self, outcomes=(), *, goes_on=False, clock=None, takes_ns=0, waits_ns=0):
        self._outcomes = itertools.chain(outcomes, itertools.repeat(OK))
        self.goes_on = goes_on
        self.seen = []
        self._clock = clock
        self._takes_ns = takes_ns
        self._waits_ns = waits_ns

    def run(self, context):
        """End as the test wants."""
        self.seen.append((context.journey, dict(context.values)))
        if self._clock is not None:
            self._clock.ns += self._takes_ns + self._waits_ns
            context.waited_ns += self._waits_ns
        outcome = next(self._outcomes)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome


class Cut(CompiledStep):
    """A real step whose call is cut off."""

    def call(self, _context):
        """Be interrupted."""
        raise Interrupted


class Bench:
    """One user on one arm."""

    def __init__(self, steps, *, names=("buy",), weights=(1.0,), with_=None, **options):
        options = {"arm": "mcp", "user": 3, "seed": 1, **options}
        arm, seed = options.pop("arm"), options["seed"]
        self.records = []
        self.recorder = Recorder("local", self.records.extend)
        context = CallContext(arm, None, self.recorder, lambda **_event: None)
        generators = compile_generators(with_ or {}, seed=seed, env={}, base=Path())
        journeys = [
            CompiledJourney(
                name,
                weight,
                generators,
                {arm: steps},
                {arm: self.recorder.track(arm, "journey", name)},
            )
            for name, weight in zip(names, weights, strict=True)
        ]
        self.walk = Walk(
            journeys,
            context,
            {"account": "AC1"},
            counter=itertools.count(1).__next__,
            **options,
        )

    def walked(self, count=1):
        """Walk journeys."""
        for _ in range(count):
            self.walk.journey()
        return self

    def cells(self, kind="journey"):
        """Return the cells of one kind."""
        self.recorder.flush(Health(cpu_s=0, wall_s=0))
        pieces = [record for record in self.records if isinstance(record, Slice)]
        return [cell for piece in pieces for cell in piece.cells if cell.kind == kind]

    def outcomes(self, kind="journey"):
        """Return class -> number."""
        return {cell.cls: cell.n for cell in self.cells(kind)}


# The deck.


@pytest.mark.parametrize(
    ("weights", "counts"),
    [
        ([1], [1]),
        ([3, 1], [3, 1]),
        ([2, 2], [1, 1]),
        ([0.5, 0.25], [2, 1]),
        ([90, 10], [9, 1]),
        ([1, 1, 1], [1, 1, 1]),
        ([0.01, 0.02], [1, 2]),  # only the proportion counts, not the size
        ([2, 3], [2, 3]),
        ([17, 19, 13], [17, 19, 13]),
        ([1000, 1], [200, 1]),  # the rare one is there, and the deck stays small
        ([0.001, 1], [1, 200]),
    ],
)
def test_a_deck_holds_journeys_in_proportion(weights, counts):
    """Weights become numbers of cards: the fewest that show the proportion."""
    dealt = Counter(deck(weights))
    assert [dealt[n] for n in range(len(weights))] == counts


@given(st.lists(st.integers(1, 20), min_size=1, max_size=5))
def test_small_whole_weights_are_met_exactly(weights):
    """Weights of everyday size come out without any rounding."""
    dealt = Counter(deck(weights))
    assert sorted(dealt) == list(range(len(weights)))
    for number, weight in enumerate(weights):
        assert dealt[number] * weights[0] == dealt[0] * weight


@given(st.lists(st.floats(0.05, 1000), min_size=1, max_size=8))
def test_no_journey_is_left_out_and_the_deck_stays_small(weights):
    """Every journey is in the deck, whatever the weights, and a heavier one at least as often."""
    dealt = Counter(deck(weights))
    assert sorted(dealt) == list(range(len(weights)))
    assert dealt.total() <= 200 + len(weights)
    for (a, wa), (b, wb) in itertools.combinations(enumerate(weights), 2):
        if wa <= wb:
            assert dealt[a] <= dealt[b]


def test_the_mix_is_exact_after_every_deck():
    """With weights 3 and 1, every four journeys are three and one."""
    step = Fake()
    bench = Bench([step], names=("often", "rare"), weights=(3.0, 1.0))
    bench.walked(40)
    names = [name for name, _ in step.seen]
    for start in range(0, 40, 4):
        assert Counter(names[start : start + 4]) == {"often": 3, "rare": 1}
    assert len({tuple(names[start : start + 4]) for start in range(0, 40, 4)}) > 1  # shuffled


# Common random numbers.


@settings(max_examples=20)
@given(st.integers(0, 10**6), st.integers(0, 5000))
def test_both_arms_of_a_user_see_the_same_journeys_and_values(seed, user):
    """Chance in the mix cannot look like a difference between arms."""
    seen = []
    for arm in ("control", "mcp"):
        step = Fake()
        options = {"names": ("a", "b", "c"), "weights": (2.0, 1.0, 1.0), "with_": GENERATORS}
        Bench([step], arm=arm, user=user, seed=seed, **options).walked(12)
        assert {values.pop("arm") for _, values in step.seen} == {arm}
        seen.append(step.seen)
    assert seen[0] == seen[1]


def test_another_seed_or_user_is_another_sequence():
    """Users differ in their order, and so do runs with different seeds."""

    def values(**options):
        step = Fake()
        Bench([step], with_=GENERATORS, **options).walked(10)
        return [(seen["colour"], seen["size"]) for _, seen in step.seen]

    assert values() == values()
    assert values() != values(user=4)
    assert values() != values(seed=2)


def test_a_journey_begins_with_what_is_known():
    """It has the target's variables, user, arm and drawn values, and nothing from the last one."""
    step = Fake()
    bench = Bench([step], with_=GENERATORS).walked(1)
    bench.walk.context.values["left_over"] = 1
    bench.walked(1)
    _, values = step.seen[1]
    assert values["account"] == "AC1"
    assert (values["user"], values["arm"], values["seq"]) == (3, "mcp", 2)
    assert values["label"] == "order 2 of 3"
    assert "left_over" not in values


# What is counted.


def test_a_journey_of_good_steps_is_ok():
    """All steps are run, in order, and the journey is counted once."""
    steps = [Fake(), Fake(), Fake()]
    bench = Bench(steps).walked(2)
    assert bench.outcomes() == {OK: 2}
    assert [len(step.seen) for step in steps] == [2, 2, 2]


def test_the_first_failed_step_ends_the_journey_in_its_class():
    """Later steps would miss its values; the next journey starts from the first step."""
    steps = [Fake(), Fake([TOOL_ERROR]), Fake()]
    bench = Bench(steps).walked(2)
    assert bench.outcomes() == {TOOL_ERROR: 1, OK: 1}
    assert [len(step.seen) for step in steps] == [2, 2, 1]


def test_a_step_that_goes_on_lets_the_journey_go_on_but_not_be_ok():
    """With `on_error: continue` the rest is walked; the journey has the first failure's class."""
    steps = [Fake([TOOL_ERROR], goes_on=True), Fake([TIMEOUT], goes_on=True), Fake()]
    bench = Bench(steps).walked(1)
    assert bench.outcomes() == {TOOL_ERROR: 1}
    assert [len(step.seen) for step in steps] == [1, 1, 1]


def test_waits_are_left_out_of_the_journeys_time(monkeypatch):
    """A journey's time is what its calls took, not what the user slept; each starts at zero."""
    clock = Clock()
    monkeypatch.setattr(journeys_module, "time", clock)
    steps = [
        Fake(clock=clock, takes_ns=300),
        Fake(clock=clock, waits_ns=5_000_000),
        Fake(clock=clock, takes_ns=200),
    ]
    (cell,) = Bench(steps).walked(2).cells()
    assert (cell.n, cell.min_ns, cell.max_ns) == (2, 500, 500)


def test_a_failed_journeys_time_ends_at_its_failure(monkeypatch):
    """The time of a journey that broke off is the time until then."""
    clock = Clock()
    monkeypatch.setattr(journeys_module, "time", clock)
    steps = [Fake([TIMEOUT], clock=clock, takes_ns=300), Fake(clock=clock, takes_ns=200)]
    (cell,) = Bench(steps).walked(1).cells()
    assert (cell.cls, cell.max_ns) == (TIMEOUT, 300)


def test_an_interruption_is_counted_once_as_a_journey_and_once_as_a_call():
    """A user that is cut off loses one call and one journey, and no more."""
    after = Fake()
    steps = [Fake(), None, after]
    bench = Bench(steps)
    steps[1] = Cut(track=bench.recorder.track("mcp", "call", "s"), goes_on=True)
    with pytest.raises(Interrupted):
        bench.walk.journey()
    assert after.seen == []
    bench.recorder.flush(Health(cpu_s=0, wall_s=0))
    cells = [cell for record in bench.records if isinstance(record, Slice) for cell in record.cells]
    assert sorted((cell.kind, cell.cls, cell.n) for cell in cells) == [
        ("call", INTERRUPTED, 1),
        ("journey", INTERRUPTED, 1),
    ]


def test_values_that_cannot_be_drawn_are_our_fault(monkeypatch):
    """A `with:` that looks up a missing value is counted; no step runs, and the user goes on."""
    slept = []
    monkeypatch.setattr(_steps, "gevent", SimpleNamespace(sleep=slept.append))
    step = Fake()
    with_ = {"a": {"one_of": ["x"]}, "b": {"template": "t ${a.x}"}}
    bench = Bench([step], with_=with_).walked(2)
    assert step.seen == []
    assert len(slept) == 2
    (journey,) = bench.cells()
    assert (journey.cls, journey.n) == (HARNESS_ERROR, 2)
    (call,) = [
        c for r in bench.records if isinstance(r, Slice) for c in r.cells if c.kind == "call"
    ]
    assert (call.cls, call.n, call.name) == (HARNESS_ERROR, 2, "with of buy")
    details = {r.detail for r in bench.records if hasattr(r, "detail")}
    assert details == {"${a.x} has no value"}
