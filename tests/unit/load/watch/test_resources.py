"""The sampler, with targets whose use is scripted: when it reads, and what it writes."""

import pytest

from mcp_perf.load.plan.schedule import Turn
from mcp_perf.load.watch import sampler
from mcp_perf.load.watch.process_tree import Reading
from mcp_perf.load.watch.prometheus import NoMetrics
from mcp_perf.load.watch.sampler import Sampler
from mcp_perf.load.watch.sources import Source, StartedProcesses
from mcp_perf.results.journal.records import SETUP, Note, ResourceSample
from tests.support import greenlets

TURN = Turn(3, "mcp", "round", 1, 5.0, 1)


class Target:
    """A target that has used one more second of CPU at each reading."""

    blocks = True

    def __init__(self, fails_from=99, error=None):
        self.reads = 0
        self.log = []
        self._fails_from = fails_from
        self._error = error or ProcessLookupError("its processes have ended.")

    def refresh(self):
        """Be looked at for new processes."""
        self.log.append("refresh")

    def read(self):
        """Be read."""
        self.reads += 1
        self.log.append("read")
        if self.reads >= self._fails_from:
            raise self._error
        return Reading(cpu_s=float(self.reads), rss_bytes=100, threads=1, fds=2, processes=1)


class Bench:
    """A sampler, what it wrote on its own, and what it did off the hub."""

    def __init__(self, target, clock=lambda: 7.0):
        self.written = []
        self.off_hub = []
        source = Source("somewhere", target)
        self.sampler = Sampler(
            {"mcp": source, "far": Source(why_not="Far away.")},
            self.written.extend,
            clock,
            self._off_hub,
        )

    def _off_hub(self, act):
        self.off_hub.append(act.__name__)
        return act()

    def pass_time(self, until):
        """Let the sampler run until something is true."""
        greenlets.until(until)


@pytest.fixture
def fast(monkeypatch):
    """Make a second pass immediately."""
    monkeypatch.setattr(sampler, "PERIOD_S", 0.0)


def test_a_turn_is_read_exactly_at_its_start_and_its_end():
    """Both readings go to the conductor, each after a search for new processes."""
    target = Target()
    bench = Bench(target)
    [first] = bench.sampler.begin(TURN)
    [last] = bench.sampler.end(TURN)
    assert first == ResourceSample(
        turn=3, at_s=7.0, arm="mcp", cpu_s=1.0, rss_bytes=100, threads=1, fds=2, processes=1
    )
    assert last.cpu_s == 2.0
    assert target.log == ["refresh", "read"] * 2
    assert bench.written == []


def test_outside_of_turns_all_targets_are_looked_at():
    """Before and after the sessions, readings belong to no turn; those that fail are left out."""
    bench = Bench(Target(2))
    [sample] = bench.sampler.look()
    assert (sample.turn, sample.arm, sample.rss_bytes) == (SETUP, "mcp", 100)
    assert bench.sampler.look() == []
    assert bench.written == []


def test_a_server_that_nobody_has_started_takes_no_memory():
    """Before there are users, there is no stdio server, so its memory is known to be zero."""
    [sample] = Bench(StartedProcesses(set())).sampler.look()
    assert (sample.rss_bytes, sample.cpu_s) == (0, None)


@pytest.mark.usefixtures("fast")
def test_between_them_it_is_read_every_period():
    """A turn's readings go to the journal as they come, and end with the turn."""
    target = Target()
    bench = Bench(target)
    bench.sampler.begin(TURN)
    bench.pass_time(lambda: len(bench.written) >= 3)
    watching = bench.sampler._greenlet
    bench.sampler.end(TURN)
    assert watching.dead
    readings = [sample.cpu_s for sample in bench.written]
    assert readings == [2.0 + i for i in range(len(readings))]
    assert target.reads == len(readings) + 2


@pytest.mark.usefixtures("fast")
def test_within_a_long_turn_new_processes_are_looked_for():
    """The run's clock decides when; it is done off the hub, because it is slow."""
    ticks = iter(range(10**6))
    bench = Bench(Target(), clock=lambda: float(next(ticks)))
    bench.sampler.begin(TURN)
    bench.pass_time(lambda: bench.off_hub.count("refresh") >= 3)
    bench.sampler.end(TURN)
    assert bench.off_hub.count("refresh") < len(bench.written)


def test_a_slow_reading_is_done_off_the_hub_the_next_time(monkeypatch):
    """A large tree keeps the users waiting at most once."""
    monkeypatch.setattr(sampler, "SLOW_S", -1.0)
    bench = Bench(Target())
    bench.sampler.begin(TURN)
    assert bench.off_hub == ["refresh"]
    bench.sampler.end(TURN)
    assert bench.off_hub == ["refresh", "refresh", "read"]


def test_a_page_is_never_fetched_off_the_hub(monkeypatch):
    """Its socket belongs to the hub, which goes on while it waits."""
    monkeypatch.setattr(sampler, "SLOW_S", -1.0)
    target = Target()
    target.blocks = False
    bench = Bench(target)
    bench.sampler.begin(TURN)
    bench.sampler.end(TURN)
    assert bench.off_hub == []
    assert target.reads == 2


@pytest.mark.parametrize("error", [ProcessLookupError("its end."), NoMetrics("http://x: no.")])
def test_a_target_that_can_not_be_read_any_more_is_noted_once(error):
    """Its readings are unknown, never zero, and the run goes on."""
    bench = Bench(Target(2, error))
    bench.sampler.begin(TURN)
    [last, note] = bench.sampler.end(TURN)
    assert (last.cpu_s, last.rss_bytes, last.fds) == (None, None, None)
    assert isinstance(note, Note)
    assert (note.code, note.arm) == ("resources_lost", "mcp")
    assert str(error) in note.text
    assert [type(record) for record in bench.sampler.begin(TURN)] == [ResourceSample]
    bench.sampler.end(TURN)


def test_an_arm_without_a_source_is_left_alone():
    """A target that cannot be seen is not read, and nothing is written about it."""
    bench = Bench(Target())
    far = Turn(4, "far", "round", 1, 5.0, 1)
    assert bench.sampler.begin(far) == []
    assert bench.sampler.end(far) == []
