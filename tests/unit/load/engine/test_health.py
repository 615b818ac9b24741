"""How the generator watches itself."""

import os
import signal
import subprocess
import sys
import time

import pytest

from mcp_perf.load.engine.health import Processors, Watch, busy_s, cores, waited_s

NOTHING = Processors(0.0, 0.0, 0.0)


class Machine:
    """A clock and processors that only the test moves."""

    def __init__(self):
        self.ns = 0
        self.now = NOTHING

    def clock(self):
        """Return the time."""
        return self.ns

    def processors(self, *, all_of_them=True):
        """Return what the processors did so far."""
        return self.now if all_of_them else Processors(self.now.own_s, self.now.waited_s, 0.0)


def test_take_returns_what_is_new_since_the_last_call():
    """CPU, waiting and the machine are differences; the next one begins at zero."""
    machine = Machine()
    watch = Watch(machine.clock, machine.processors)
    machine.ns, machine.now = 2_000_000_000, Processors(0.5, 0.25, 3.0)
    found = watch.take()
    assert (found.cpu_s, found.waited_s, found.machine_s, found.wall_s) == (0.5, 0.25, 3.0, 2.0)
    assert (found.cores, found.machine_cores) == (cores(), os.cpu_count())
    found = watch.take()
    assert (found.cpu_s, found.waited_s, found.machine_s, found.wall_s) == (0, 0, 0, 0)


def test_promise_18_only_long_waits_are_stalls():
    """A timer that is a few milliseconds late is lag; 50 ms are lost time."""
    watch = Watch()
    for late_ms in (0, 1, 49, 50, 200):
        watch.woke(late_ms * 1_000_000, NOTHING)
    found = watch.take()
    assert (found.stalled_s, found.longest_stall_s) == pytest.approx((0.25, 0.2))
    assert sum(found.lag[1::2]) == 5
    assert watch.take().stalled_s == 0


@pytest.mark.parametrize(
    ("used", "paused_s"),
    [
        (NOTHING, 2.0),  # stopped by a signal
        (Processors(1.9, 0.1, 0.0), 0.0),  # busy with something else
        (Processors(0.0, 1.5, 0.0), 0.5),  # others had the processor for most of it
        (Processors(3.0, 0.0, 0.0), 0.0),
    ],
)
def test_promise_18_a_stall_without_a_processor_is_a_pause(used, paused_s):
    """A process that neither ran nor waited to run was stopped."""
    watch = Watch()
    watch.woke(2_000_000_000, used)
    assert watch.take().paused_s == pytest.approx(paused_s)


STOPPED = """
import gevent
from mcp_perf.load.engine.health import Watch
watch = Watch()
watch.start()
gevent.sleep(0.2)
print("ready", flush=True)
gevent.sleep(0.5)
found = watch.take()
print(found.stalled_s, found.longest_stall_s, found.paused_s)
"""


@pytest.mark.process
def test_promise_18_a_process_that_is_stopped_sees_it():
    """After a SIGSTOP for most of a second, nearly all of it was a pause."""
    child = subprocess.Popen([sys.executable, "-c", STOPPED], stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "ready\n"
    child.send_signal(signal.SIGSTOP)
    time.sleep(1.0)
    child.send_signal(signal.SIGCONT)
    stalled_s, longest_s, paused_s = map(float, child.communicate(timeout=60)[0].split())
    assert stalled_s >= longest_s >= 0.8
    assert paused_s >= 0.7


def test_the_kernels_files_are_read_as_they_are(tmp_path):
    """Idle time and waiting for a disk are not busy; guest time is part of user time."""
    stat, schedstat = tmp_path / "stat", tmp_path / "schedstat"
    assert busy_s(stat) == waited_s(schedstat) == 0
    stat.write_text("cpu  100 5 50 9000 300 2 3 7 90 1\ncpu0 1 2 3\n")
    assert busy_s(stat) == (100 + 5 + 50 + 2 + 3 + 7) / os.sysconf("SC_CLK_TCK")
    schedstat.write_text("12345 678 9\n")
    assert waited_s(schedstat) == 678e-9
    schedstat.write_text("")
    assert waited_s(schedstat) == 0


def test_readings_of_this_machine_rise():
    """The difference between two readings is never negative."""
    before = Processors.now()
    sum(range(100_000))
    used = Processors.now().since(before)
    assert used.own_s > 0
    assert min(used.waited_s, used.busy_s) >= 0
    assert Processors.now(all_of_them=False).busy_s == 0
