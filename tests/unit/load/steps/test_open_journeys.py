"""Journeys of an open load: which clock runs from the intended start, and which from the send."""

import itertools
from pathlib import Path
from types import SimpleNamespace

import pytest

from mcp_perf.client.reply import Reply
from mcp_perf.load.steps import journey as journeys_module
from mcp_perf.load.steps import step as _steps
from mcp_perf.load.steps.journey import CompiledJourney, Walk
from mcp_perf.load.steps.recorder import Recorder
from mcp_perf.load.steps.step import CallContext, CompiledStep, Interrupted, WaitStep
from mcp_perf.outcomes import HARNESS_ERROR, INTERRUPTED, OK, TIMEOUT
from mcp_perf.results.journal.records import Health, SampleRecord, Slice
from mcp_perf.scenario.values.generators import compile_generators

MS = 1_000_000


class World:
    """One user on one arm whose calls take 5 ms of a clock that only they move."""

    def __init__(self, monkeypatch, *steps, with_=None):
        self.ns = 1000 * MS
        fake = SimpleNamespace(perf_counter_ns=lambda: self.ns, time=lambda: 0.0)
        monkeypatch.setattr(_steps, "time", fake)
        monkeypatch.setattr(journeys_module, "time", fake)
        monkeypatch.setattr(_steps.gevent, "sleep", self.sleep)
        self.records = []
        self.recorder = Recorder("local", self.records.extend, lambda: self.ns)
        self.context = CallContext("mcp", None, self.recorder, lambda **_event: None)
        generators = compile_generators(with_ or {}, seed=1, env={}, base=Path())
        track = self.recorder.track("mcp", "journey", "buy")
        journey = CompiledJourney("buy", 1.0, generators, {"mcp": steps}, {"mcp": track})
        counter = itertools.count(1).__next__
        self.walk = Walk([journey], self.context, {}, user=0, seed=1, counter=counter)

    def sleep(self, seconds):
        """Let time pass."""
        self.ns += int(seconds * 1e9)

    def step(self, name="ask", outcome=OK, before_ms=0):
        """Return a step that sends after `before_ms` and gets its reply 5 ms later."""
        return Call(self, name, outcome, before_ms)

    def cells(self):
        """Return what was counted: kind and name -> class, latency and service in ms."""
        self.recorder.flush(Health(cpu_s=0, wall_s=1))
        return {
            (cell.kind, cell.name): (
                cell.cls,
                cell.total_ns / MS,
                cell.service_total_ns / MS if cell.service else None,
            )
            for record in self.records
            if isinstance(record, Slice)
            for cell in record.cells
        }


class Call(CompiledStep):
    """A step without a network."""

    def __init__(self, world, name, outcome, before_ms):
        super().__init__(track=world.recorder.track("mcp", "call", name), goes_on=True)
        self._world = world
        self._outcome = outcome
        self._before_ms = before_ms

    def call(self, _context):
        """Take 5 ms."""
        world = self._world
        world.ns += self._before_ms * MS
        reply = Reply(world.ns)
        world.ns += 5 * MS
        reply.end_ns = world.ns
        if self._outcome is Interrupted:
            raise Interrupted
        return reply, self._outcome


@pytest.fixture
def world(monkeypatch):
    """Return a world without steps; they are added by `walk`."""
    return lambda *steps, **options: World(monkeypatch, *steps, **options)


def walked(world, *make, late_ms=40):
    """Walk one journey that begins that much later than intended; return what was counted."""
    steps = [step(world) for step in make]
    world.walk._routes = [
        (name, generate, steps, track, starts)
        for name, generate, _, track, starts in world.walk._routes
    ]
    world.walk.journey(world.ns - late_ms * MS)
    return world.cells()


def test_the_first_call_and_the_journey_run_from_the_intended_start(world):
    """40 ms late and 5 ms of service are 45 ms for a user who came at the intended time."""
    cells = walked(world(), lambda w: w.step("ask"), lambda w: w.step("tell"))
    assert cells["call", "ask"] == (OK, 45, 5)
    assert cells["call", "tell"] == (OK, 5, 5)
    assert cells["journey", "buy"] == (OK, 50, 10)
    assert cells["start", "buy"] == (OK, 40, None)


def test_what_it_takes_to_build_a_call_counts_from_the_intended_start(world):
    """No time between the start of a journey and its first byte is lost."""
    cells = walked(world(), lambda w: w.step("ask", before_ms=3))
    assert cells["call", "ask"] == (OK, 48, 5)


def test_a_wait_is_no_latency(world):
    """After a pause, a call's clock starts when it is sent; the journey leaves the pause out."""
    cells = walked(world(), lambda _w: WaitStep(2.0), lambda w: w.step("ask"))
    assert cells["call", "ask"] == (OK, 5, 5)
    assert cells["journey", "buy"] == (OK, 45, 5)


def test_a_failed_first_call_has_the_whole_time_too(world):
    """The time of a timeout runs from the intended start."""
    cells = walked(world(), lambda w: w.step("ask", TIMEOUT))
    assert cells["call", "ask"] == (TIMEOUT, 45, 5)


def test_an_interrupted_first_call_is_counted_from_the_intended_start(world):
    """Cut off in the middle, it still has a latency and a class."""
    fresh = world()
    with pytest.raises(Interrupted):
        walked(fresh, lambda w: w.step("ask", Interrupted))
    cells = fresh.cells()
    assert cells["call", "ask"] == (INTERRUPTED, 45, 5)
    assert cells["journey", "buy"] == (INTERRUPTED, 45, 5)


def test_a_journey_that_cannot_be_made_is_counted_once(world):
    """A value that cannot be drawn is our fault, and the start counts like any other."""
    fresh = world(with_={"x": {"template": "${nowhere}"}})
    cells = walked(fresh, lambda w: w.step("ask"))
    assert cells["call", "with of buy"][0] == HARNESS_ERROR
    assert cells["journey", "buy"][0] == HARNESS_ERROR
    assert cells["start", "buy"] == (OK, 40, None)


def test_a_sample_kept_whole_has_both_times(world):
    """samples.csv shows latency and service of each call."""
    fresh = world()
    walked(fresh, lambda w: w.step("ask"))
    [sample] = [record for record in fresh.records if isinstance(record, SampleRecord)]
    assert (sample.latency_ns, sample.service_ns) == (45 * MS, 5 * MS)


def test_a_closed_load_has_no_intended_start(world):
    """Then latency and service are the same, and no start is counted."""
    fresh = world()
    fresh.walk._routes = [
        (*route[:2], [fresh.step("ask")], *route[3:]) for route in fresh.walk._routes
    ]
    fresh.walk.journey()
    cells = fresh.cells()
    assert cells == {("call", "ask"): (OK, 5, None), ("journey", "buy"): (OK, 5, None)}
