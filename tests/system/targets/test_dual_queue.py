"""The dual-runtime system's task queue: the order and the outcomes of tasks; no loop, no clock."""

import itertools
import threading

import anyio
import pytest
import trio
import trio.testing

from mcp_targets.dual_runtime.errors import Conflict, NotFound, ToolFailure
from mcp_targets.dual_runtime.p2p.queue import work
from mcp_targets.dual_runtime.p2p.queue.task_queue import TaskQueue
from mcp_targets.dual_runtime.p2p.queue.task_runner import TaskRunner


@pytest.fixture
def queue():
    """Return a queue without workers; its tasks are called t1, t2, and so on."""
    numbers = itertools.count(1)
    return TaskQueue(lambda: 0.0, lambda: f"t{next(numbers)}")


def submit(queue, kind="echo", priority=5, requires=(), timeout_s=30.0, **payload):
    """Queue a task and return its id."""
    return queue.submit(kind, payload, priority, requires, timeout_s).task_id


def taken(queue):
    """Start everything that can be started; return the ids in order."""
    found = []
    while (entry := queue.take()) is not None:
        found.append(entry[0].task_id)
    return found


def bring(queue, task_id, state):
    """Bring a fresh task into a state."""
    if state == "cancelled":
        queue.cancel(task_id)
    elif state != "queued":
        queue.register("w", (), 1)
        task, start = queue.take()
        if state != "running":
            error = {"code": "X"} if state == "failed" else None
            queue.finish(task, start, "done", error)
    assert queue.get(task_id).state == state


@pytest.mark.parametrize(
    ("priorities", "order"),
    [
        ([5, 5, 5], ["t1", "t2", "t3"]),  # first come, first served
        ([0, 10, 5], ["t2", "t3", "t1"]),  # the higher goes first
        ([5, 9, 9, 5], ["t2", "t3", "t1", "t4"]),  # both together
    ],
)
def test_the_highest_priority_goes_first_and_among_equals_the_eldest(queue, priorities, order):
    """By priority, then by age."""
    for priority in priorities:
        submit(queue, priority=priority)
    queue.register("w", (), 10)
    assert taken(queue) == order


def test_a_changed_priority_keeps_the_place_among_equals(queue):
    """A task that is moved up is placed by its age."""
    for priority in (1, 7, 7):
        submit(queue, priority=priority)
    queue.set_priority("t1", 7)
    queue.register("w", (), 10)
    assert taken(queue) == ["t1", "t2", "t3"]


def test_a_task_waits_for_a_worker_that_can_do_it_and_others_pass(queue):
    """All capabilities are required; a task that nobody can do does not block others."""
    queue.register("plain", (), 1)
    queue.register("gpu", ("gpu",), 1)
    submit(queue, requires=("gpu", "big"))
    submit(queue, requires=("gpu",))
    submit(queue)
    assert taken(queue) == ["t2", "t3"]
    assert queue.get("t2").worker_id == "gpu"
    queue.register("both", ("gpu", "big", "more"), 1)
    assert taken(queue) == ["t1"]


def test_a_worker_does_no_more_than_it_has_slots(queue):
    """The next task starts when another has ended."""
    queue.register("w", (), 2)
    for _ in range(3):
        submit(queue)
    first = queue.take()
    assert taken(queue) == ["t2"]
    queue.finish(*first, "x", None)
    assert taken(queue) == ["t3"]


OPERATIONS = {
    "cancel": lambda queue: queue.cancel("t1"),
    "priority": lambda queue: queue.set_priority("t1", 1),
    "retry": lambda queue: queue.retry("t1"),
}


@pytest.mark.parametrize(
    ("state", "operation", "after"),
    [
        ("queued", "cancel", "cancelled"),
        ("running", "cancel", "cancelled"),
        ("completed", "cancel", None),
        ("failed", "cancel", None),
        ("cancelled", "cancel", None),
        ("queued", "priority", "queued"),
        ("running", "priority", None),
        ("completed", "priority", None),
        ("queued", "retry", None),
        ("running", "retry", None),
        ("completed", "retry", None),
        ("failed", "retry", "queued"),
        ("cancelled", "retry", "queued"),
    ],
)
def test_what_may_be_done_in_which_state(queue, state, operation, after):
    """Anything else is a conflict that changes nothing."""
    bring(queue, submit(queue), state)
    if after is None:
        with pytest.raises(Conflict, match=f"t1 is {state}"):
            OPERATIONS[operation](queue)
        assert queue.get("t1").state == state
    else:
        assert OPERATIONS[operation](queue).state == after


def test_a_cancelled_task_stays_cancelled_when_its_work_ends_later(queue):
    """After a retry, the old start does not end the new one either."""
    queue.register("w", (), 1)
    submit(queue)
    task, start = queue.take()
    queue.cancel("t1")
    assert queue.finish(task, start, "late", None) is False
    assert (task.state, task.result) == ("cancelled", None)
    queue.retry("t1")
    again = queue.take()
    assert queue.finish(task, start, "late", None) is False
    assert queue.finish(*again, "new", None) is True
    assert (task.state, task.result) == ("completed", "new")


def test_a_paused_queue_starts_nothing_and_ends_what_runs(queue):
    """Resuming continues from there."""
    queue.register("w", (), 2)
    submit(queue)
    running = queue.take()
    queue.pause(paused=True)
    submit(queue)
    assert queue.take() is None
    assert queue.finish(*running, "x", None) is True
    queue.pause(paused=False)
    assert taken(queue) == ["t2"]


def test_clearing_needs_to_be_confirmed_and_spares_what_runs(queue):
    """Only queued tasks are cancelled."""
    queue.register("w", (), 1)
    for _ in range(3):
        submit(queue)
    queue.take()
    with pytest.raises(ToolFailure, match="nothing was cleared"):
        queue.clear(confirm=False)
    assert queue.clear(confirm=True) == 2
    assert queue.stats()["tasks"] == {
        "queued": 0,
        "running": 1,
        "completed": 0,
        "failed": 0,
        "cancelled": 2,
    }


def test_the_tasks_of_a_worker_that_leaves_are_queued_again_and_stopped(queue):
    """Another worker does them, and the work of the first start is stopped."""
    stopped = []
    queue.stop = lambda *key: stopped.append(key)
    queue.register("w", (), 2)
    for _ in range(2):
        submit(queue)
    taken(queue)
    assert queue.unregister("w") == ["t1", "t2"]
    assert stopped == [("t1", 1), ("t2", 1)]
    queue.register("v", (), 2)
    assert taken(queue) == ["t1", "t2"]


def test_unknown_names_are_said_to_be_unknown(queue):
    """For tasks and for workers; no worker is registered twice."""
    for wrong in (lambda: queue.get("t9"), lambda: queue.unregister("w")):
        with pytest.raises(NotFound):
            wrong()
    queue.register("w", (), 1)
    with pytest.raises(Conflict, match="registered already"):
        queue.register("w", (), 1)


def test_a_hundred_concurrent_registrations_lose_none(queue):
    """From a hundred threads at once."""
    start = threading.Barrier(100)

    def register(number):
        start.wait()
        queue.register(f"w{number}", (), 1)

    threads = [threading.Thread(target=register, args=(number,)) for number in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert queue.stats()["workers"] == 100


def run_tasks(queue, scenario):
    """Run `scenario` together with a task runner, in virtual time."""

    async def main():
        async with anyio.create_task_group() as group:
            group.start_soon(TaskRunner(queue).run, group)
            await scenario()
            group.cancel_scope.cancel()

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


def test_a_cancelled_task_stops_its_work_at_once(queue, monkeypatch):
    """Its slot is free for the next task, without waiting for the time limit."""
    stopped = []

    async def slow(_):
        try:
            await trio.sleep_forever()
        finally:
            stopped.append(trio.current_time())

    monkeypatch.setitem(work.KINDS, "sleep", slow)

    async def scenario():
        queue.register("w", (), 1)
        submit(queue, "sleep")
        submit(queue, "echo", value=7)
        began = trio.current_time()
        await trio.sleep(1)
        assert queue.get("t1").state == "running"
        queue.cancel("t1")
        await queue.get("t2").done.wait()
        assert queue.get("t2").result == 7
        await trio.sleep(100)
        assert stopped == [pytest.approx(began + 1)]
        assert queue.get("t1").state == "cancelled"

    run_tasks(queue, scenario)


@pytest.mark.parametrize(
    ("kind", "payload", "timeout_s", "state", "code"),
    [
        ("echo", {"value": 1}, 30, "completed", None),
        ("sum", {"numbers": [1, 2]}, 30, "completed", None),
        ("sum", {"numbers": ["1"]}, 30, "failed", "BAD_PAYLOAD"),
        ("sleep", {"ms": -1}, 30, "failed", "BAD_PAYLOAD"),
        ("sleep", {"ms": 2000}, 1, "failed", "TIMED_OUT"),
        ("fail", {}, 30, "failed", "TASK_FAILED"),
    ],
)
def test_how_a_task_ends(queue, kind, payload, timeout_s, state, code):
    """A failure has its code."""

    async def scenario():
        queue.register("w", (), 1)
        task = queue.submit(kind, payload, 5, (), timeout_s)
        await task.done.wait()
        assert (task.state, task.error and task.error["code"]) == (state, code)

    run_tasks(queue, scenario)
