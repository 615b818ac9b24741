"""A run that ends early because nearly every call of an arm fails."""

import pytest

from mcp_perf.load.engine.early_end import EarlyEnd, bound_of
from mcp_perf.results.journal.records import Health, Slice, TurnStarted
from mcp_perf.scenario.loader import load_text
from mcp_perf.scenario.model.syntax import Abort
from tests.support.virtual_run import cell

IDLE = Health(cpu_s=0, wall_s=1)


class Run:
    """The records of a run, second by second."""

    def __init__(self, failures=0.95, for_s=10.0):
        self.ended = []
        self.early = EarlyEnd(Abort(failures, for_s), self.ended.append)
        self.turn = -1

    def begin(self, arm="mcp", phase="round"):
        """Begin a turn."""
        self.turn += 1
        self.arm = arm
        started = TurnStarted(
            turn=self.turn, arm=arm, phase=phase, round=1, at_s=0.0, planned_s=5.0
        )
        self.early.watch([started])

    def second(self, ok=0, failed=0, node="w1", cls="timeout", draining=False):
        """Record a second."""
        counts = {"ok": ok, cls: failed}
        cells = [cell(self.arm, [1.0] * n, cls=cls) for cls, n in counts.items() if n]
        part = Slice(
            node=node,
            turn=self.turn,
            at_s=0,
            seconds=1.0,
            cells=cells,
            health=IDLE,
            draining=draining,
        )
        self.early.watch([part])


def test_ten_seconds_of_failures_end_the_run():
    """Only the arm's own measured time counts. The run ends once, with the reason."""
    run = Run()
    for _ in range(4):
        run.begin()
        for _ in range(5):
            run.second(ok=1, failed=99)
        run.begin("rest")
        for _ in range(5):
            run.second(ok=100)
        assert len(run.ended) == (run.turn >= 3)
    (why,) = run.ended
    assert why.startswith("99 % of the calls of mcp failed in the last 10 s of its rounds")
    assert "abort: off" in why


def test_only_the_last_seconds_count():
    """An arm that was fine before still ends the run."""
    run = Run()
    run.begin()
    for _ in range(60):
        run.second(ok=1000)
    for _ in range(9):
        run.second(failed=10)
    assert run.ended == []
    run.second(failed=10)
    assert len(run.ended) == 1


@pytest.mark.parametrize(("ok", "failed"), [(6, 94), (100, 0), (0, 0)])
def test_fewer_failures_do_not_end_it(ok, failed):
    """Silence does not, either, because it says nothing."""
    run = Run()
    run.begin()
    for _ in range(30):
        run.second(ok=ok, failed=failed)
    assert run.ended == []


def test_the_time_of_the_drain_does_not_count():
    """In a drain of half a minute, only calls that are never answered end."""
    run = Run()
    for _ in range(4):
        run.begin()
        for _ in range(5):
            run.second(ok=24)
        for _ in range(30):
            run.second(failed=1, draining=True)
    assert run.ended == []


def test_what_fails_in_the_drain_counts():
    """If no call is answered, all of them end in the drain."""
    run = Run()
    for rounds in range(2):
        assert run.ended == [], rounds
        run.begin()
        for _ in range(5):
            run.second()
        for _ in range(30):
            run.second(failed=1, draining=True)
    assert len(run.ended) == 1


def test_one_call_that_fails_does_not_end_a_run():
    """A single user who waits ten seconds for an answer has made one call in that time."""
    run = Run()
    run.begin()
    for second in range(30):
        run.second(failed=second % 10 == 9)
    assert run.ended == []


def test_the_warm_up_does_not_count():
    """No failure in it counts."""
    run = Run()
    run.begin(phase="warmup")
    for _ in range(30):
        run.second(failed=10)
    assert run.ended == []


def test_processes_work_side_by_side():
    """Two processes have two slices for each second."""
    run = Run()
    run.begin()
    for second in range(10):
        assert (second, run.ended) == (second, [])
        run.second(failed=10)
        run.second(failed=10, node="w2")
    assert len(run.ended) == 1


SCENARIO = """
name: plain
arms: {mcp: {mcp: "http://127.0.0.1:1/mcp"}}
journeys: {one: {steps: [{call: work}]}}
load: LOAD
gates: GATES
"""


@pytest.mark.parametrize(
    ("load", "gates", "expected"),
    [
        ("{users: 1}", "[mcp.error_rate < 1%]", Abort(0.95, 10.0)),
        ("{users: 1}", "[mcp.error_rate > 1%]", None),
        ("{users: 1}", "[mcp.error_rate < 99%]", None),
        ("{users: 1}", "[mcp.success_rate < 10%]", None),
        ("{users: 1}", "[mcp.success_rate > 10%]", Abort(0.95, 10.0)),
        ("{users: 1}", "[mcp.rate_limited_rate > 50%]", None),
        ("{users: 1}", "[mcp.rate_limited_rate < 5%]", Abort(0.95, 10.0)),
        ("{users: 1}", "[mcp.p95 < 1s]", Abort(0.95, 10.0)),
        ("{shape: breakpoint}", "[]", None),
        ("{users: 1, abort: off}", "[]", None),
        ("{users: 1, abort: false}", "[]", None),
        ('{users: 1, abort: "off"}', "[]", None),
        ("{users: 1, abort: {failures: 50%, for: 3s}}", "[]", Abort(0.5, 3.0)),
        ("{shape: breakpoint, abort: {failures: 50%, for: 3s}}", "[]", Abort(0.5, 3.0)),
        ("{users: 1, abort: {failures: 95%, for: 10s}}", "[mcp.error_rate > 1%]", Abort(0.95, 10)),
    ],
)
def test_when_a_run_ends_early(load, gates, expected, tmp_path):
    """It does by default, but not if failures are wanted; the file has the last word."""
    text = SCENARIO.replace("LOAD", load).replace("GATES", gates)
    assert bound_of(load_text(text, "plain.yaml", tmp_path).scenario) == expected


def test_it_can_be_turned_off_from_the_command_line(tmp_path):
    """The command line turns it off as the file does."""
    text = SCENARIO.replace("LOAD", "{users: 1}").replace("GATES", "[]")
    loaded = load_text(text, "plain.yaml", tmp_path, ["load.abort=off"])
    assert bound_of(loaded.scenario) is None
