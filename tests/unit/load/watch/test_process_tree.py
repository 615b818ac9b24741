"""Real processes, read while they come and go; each knows how much CPU time it used."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable

import psutil
import pytest

from mcp_perf.load.watch.process_tree import ProcessTree, parents
from mcp_perf.results.journal.records import ResourceSample
from mcp_perf.results.tally.usage import TurnUsage, Usage

pytestmark = pytest.mark.process

BURN = """
import sys, time
end = time.process_time() + float(sys.argv[1])
while time.process_time() < end:
    pass
"""
PARENT = f"""
import signal, subprocess, sys, time
BURN = {BURN!r}
if "ignore" in sys.argv:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for line in sys.stdin:
    what = line.split()
    if what[0] == "children":
        for _ in range(int(what[1])):
            subprocess.Popen([sys.executable, "-c", BURN, what[2]]).wait()
    elif what[0] == "stay":
        subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"])
    elif what[0] == "grow":
        kept = globals().setdefault("kept", [])
        kept.append(bytearray(b"x" * int(what[1])))
    elif what[0] == "churn":
        bytearray(b"x" * int(what[1]))
    print("done", flush=True)
"""


class Parent:
    """A process that follows the test's commands."""

    def __init__(self, *arguments: str) -> None:
        argv = [sys.executable, "-c", PARENT, *arguments]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(argv, stdin=pipe, stdout=pipe, text=True)

    def tell(self, what: str, meanwhile: Callable[[], object] = lambda: None) -> None:
        """Let it do something; call `meanwhile` repeatedly until that is done."""
        self.process.stdin.write(what + "\n")
        self.process.stdin.flush()
        done = threading.Event()
        threading.Thread(target=lambda: (self.process.stdout.readline(), done.set())).start()
        while not done.wait(0.01):
            meanwhile()

    def end(self) -> None:
        """End it, and everything that holds its input open."""
        for child in psutil.Process(self.process.pid).children():
            child.kill()
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


@pytest.fixture
def parent(request):
    """Give a parent that ends with the test."""
    started = Parent(*getattr(request, "param", ()))
    yield started
    started.end()


def test_each_process_is_known_by_what_it_needed(parent):
    """That is what it used and what it waited for: a process without a core is not idle."""
    tree = ProcessTree([parent.process.pid])
    before = tree.read()
    parent.tell("churn 100000000")
    after = tree.read()
    [pid] = after.by_process
    assert int(pid) == parent.process.pid
    assert after.by_process[pid] - before.by_process[pid] >= after.cpu_s - before.cpu_s > 0


@pytest.mark.parametrize("seen", [True, False], ids=["seen", "too short to be seen"])
def test_cpu_of_children_that_come_and_go_is_counted_once(parent, seen):
    """Four children burn 0.1 s each. All of it is counted once, and no reading goes back."""
    tree = ProcessTree([parent.process.pid])
    readings = [tree.read().cpu_s]

    def look() -> None:
        if seen:
            tree.refresh()
        readings.append(tree.read().cpu_s)

    parent.tell("children 4 0.1", look)
    look()
    times = psutil.Process(parent.process.pid).cpu_times()
    truth_s = times.user + times.system + times.children_user + times.children_system
    assert truth_s > 0.4
    # A living child's time is cut to steps of 10 ms; the rest is not lost when it ends.
    assert readings[-1] == pytest.approx(truth_s, abs=0.05)
    assert readings == sorted(readings)


@pytest.mark.parametrize("parent", [("ignore",)], indirect=True)
def test_cpu_of_children_that_nobody_waits_for_is_not_lost(parent):
    """Their time never shows in the parent, so the part that was seen stays counted."""
    tree = ProcessTree([parent.process.pid])
    before_s = tree.read().cpu_s
    parent.tell("children 3 0.15", lambda: (tree.refresh(), tree.read()))
    assert tree.read().cpu_s - before_s > 3 * 0.15 * 0.8


def test_children_are_found_and_their_memory_is_added(parent):
    """A child that stays counts from the next look: processes, memory, threads, descriptors."""
    tree = ProcessTree([parent.process.pid])
    alone = tree.read()
    parent.tell("stay")
    assert tree.read().processes == 1
    tree.refresh()
    both = tree.read()
    assert (alone.processes, both.processes) == (1, 2)
    assert both.rss_bytes > 1.5 * alone.rss_bytes
    assert both.threads == alone.threads + 1
    assert both.fds > alone.fds


@pytest.mark.skipif(not hasattr(os, "waitid"), reason="macOS has it from Python 3.13 on")
def test_a_tree_whose_processes_have_ended_has_no_reading():
    """Nor has a zombie, because a memory of zero would be a lie."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    tree = ProcessTree([child.pid])
    assert tree.read().processes == 1
    child.stdin.close()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    with pytest.raises(ProcessLookupError):
        tree.read()
    child.wait()
    with pytest.raises(ProcessLookupError):
        tree.read()


def test_the_load_generator_is_no_part_of_its_target():
    """Below a process that started both, neither this process nor its children are found."""
    me = psutil.Process()
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        tree = ProcessTree([me.ppid()])
        assert me.pid in parents()
        assert not {me.pid, child.pid} & tree.pids
    finally:
        child.communicate(b"\n")


def test_roots_may_change_while_they_are_added(monkeypatch):
    """Users start and stop servers while a thread reads what these use."""
    roots, process = {os.getpid(), os.getppid()}, psutil.Process

    def found(pid):
        roots.discard(pid)
        return process(pid)

    tree = ProcessTree(())
    monkeypatch.setattr(psutil, "Process", found)
    tree.add(roots)
    assert tree.pids == {os.getpid(), os.getppid()}


def test_a_root_that_does_not_exist_is_refused():
    """A wrong process id is reported at once."""
    with pytest.raises(psutil.NoSuchProcess):
        ProcessTree([2**22 + 1])


@pytest.mark.parametrize(("what", "leaks"), [("grow 1000000", True), ("churn 1000000", False)])
def test_a_server_that_leaks_is_told_from_one_that_does_not(parent, what, leaks):
    """With real memory and virtual rounds, 1 MB kept a round is growth, and 1 MB freed is not."""
    tree = ProcessTree([parent.process.pid])
    turns = []
    for number in range(10):
        usage = TurnUsage()
        for second in range(3):
            parent.tell(what)
            reading = tree.read()
            usage.add(
                ResourceSample(
                    turn=number,
                    at_s=600.0 * number + second,
                    arm="mcp",
                    cpu_s=reading.cpu_s,
                    rss_bytes=reading.rss_bytes,
                    threads=reading.threads,
                    fds=reading.fds,
                    processes=reading.processes,
                )
            )
        turns.append(usage)
    low, high = Usage(turns).growth.ci95
    assert (low > 0.5) if leaks else (low <= 0 <= high)
