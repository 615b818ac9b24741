"""The history of runs, in a real SQLite file and in a real PostgreSQL."""

import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from mcp_perf.agent.sessions import ApiCall, Completion, NewSession
from mcp_perf.agent.store import AgentStore, SessionOver, UnknownSession
from mcp_perf.results.compare.history import HistoryError, append, points
from tests.support import ROOT
from tests.support.earlier_runs import identity, rounds, run
from tests.support.waiting import until

SHAPE = [1.0, 1.1, 0.9, 1.05, 1.0, 0.95]
WRITERS = 4
WRITE = """
import sys
import time
from pathlib import Path
from mcp_perf.results.compare.history import append
from tests.support import earlier_runs as earlier
Path(f"{sys.argv[3]}/{sys.argv[2]}.ready").touch()
while not Path(sys.argv[3], "go").exists():
    time.sleep(0.001)
for index in range(3):
    arm = earlier.rounds([1.0, 1.1, 0.9])
    append(sys.argv[1], earlier.run({"mcp": arm}, f"{sys.argv[2]}-{index}"))
"""


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.database)])
def kind(request):
    """Name each kind of store."""
    return request.param


def a_run(run_id="r", **changes):
    """Give a run of one arm."""
    return run({"mcp": rounds(SHAPE)}, run_id, **changes)


def test_a_store_that_was_never_written_knows_nothing(store):
    """Reading it is not an error."""
    assert points(store) == []


def test_what_was_appended_is_read(store):
    """Values, intervals, verdict and identity of each metric, the oldest run first."""
    append(store, a_run("second", started="2026-02-01T00:00:00Z", verdict="FAIL"))
    append(store, a_run("first"))
    first, second = points(store, "echo", [("mcp", "p95")])
    assert (first.run_id, second.run_id) == ("first", "second")
    assert first.value == rounds(SHAPE).values["p95"]
    assert first.low < first.value < first.high
    assert (second.verdict, second.complete, second.identity) == ("FAIL", True, identity())
    assert first.group == second.group


def test_only_what_was_asked_for_is_read(store):
    """By scenario, arm and metric; any arm, if none is named."""
    append(store, run({"mcp": rounds(SHAPE), "control": rounds(SHAPE)}))
    append(store, a_run("other", identity=identity(scenario="other")))
    assert {point.scenario for point in points(store, "echo")} == {"echo"}
    assert {point.arm for point in points(store, "echo", [("", "p50")])} == {"mcp", "control"}
    assert [point.metric for point in points(store, "other", [("mcp", "mean")])] == ["mean"]
    assert points(store, "none") == []


@pytest.mark.parametrize(
    "changes",
    [
        {"load": {"users": 8}},
        {"machine": {"cpu": "slow", "cores": 2, "os": "Linux"}},
        {"workload": {"mcp": "a1"}},
    ],
)
def test_runs_that_cannot_be_compared_are_in_other_groups(changes, tmp_path):
    """Another load, machine or work of this arm is another group; another arm's work is not."""
    store = f"sqlite:///{tmp_path}/h.sqlite"
    append(store, a_run())
    append(store, a_run(identity=identity(**changes)))
    append(store, a_run(identity=identity(workload={"control": "c1", "mcp": "a0"})))
    one, other, same = points(store, metrics=[("mcp", "p50")])
    assert one.group == same.group != other.group


def test_the_rounds_of_a_search_are_no_trend(tmp_path):
    """Each was at another rate: the run is known, and none of its metrics."""
    store = f"sqlite:///{tmp_path}/h.sqlite"
    append(store, a_run(identity=identity(load={"shape": "breakpoint"})))
    assert points(store) == []
    rows = sqlite3.connect(tmp_path / "h.sqlite")
    assert rows.execute("SELECT run_id FROM mcp_perf_runs").fetchall() == [("r",)]
    rows.close()


@pytest.mark.process
def test_writers_at_the_same_time_lose_nothing(store, tmp_path):
    """Processes that end together, and meet an empty store, all get their runs in."""
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITE, store, str(number), str(tmp_path)],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(WRITERS)
    ]
    until(lambda: len(list(tmp_path.glob("*.ready"))) == WRITERS, "the writers are not ready")
    (tmp_path / "go").touch()
    said = [writer.communicate(timeout=300)[1] for writer in writers]
    assert [writer.returncode for writer in writers] == [0] * WRITERS, said
    found = points(store, metrics=[("mcp", "p50")])
    expected = {f"{number}-{index}" for number in range(WRITERS) for index in range(3)}
    assert {point.run_id for point in found} == expected
    assert len(found) == len(expected)


def test_a_run_that_cannot_be_stored_whole_is_not_stored(tmp_path):
    """If the store refuses the row of a metric, the run's row is rolled back, too."""
    path = tmp_path / "h.sqlite"
    append(f"sqlite:///{path}", a_run())
    connection = sqlite3.connect(path)
    connection.execute("DROP TABLE mcp_perf_metrics")
    connection.execute("CREATE TABLE mcp_perf_metrics (run INTEGER)")
    connection.commit()
    with pytest.raises(HistoryError):
        append(f"sqlite:///{path}", a_run("late"))
    assert connection.execute("SELECT count(*) FROM mcp_perf_runs").fetchone() == (1,)
    connection.close()


@pytest.mark.parametrize(
    ("store", "said"),
    [
        (
            "nonsense",
            "is not the URL of a database; write sqlite:///PATH or postgresql+psycopg://USER@HOST/NAME",
        ),
        ("sqlite:////proc/none/h.sqlite", "sqlite:////proc/none/h.sqlite cannot be used"),
        ("postgresql+psycopg://u:canary@127.0.0.1:1/x", "u:***@127.0.0.1:1/x cannot be used"),
        (
            "postgresql+nodriver://u:canary@127.0.0.1:1/x",
            "The address of the history is not the URL of a database;",
        ),
    ],
)
def test_a_store_that_cannot_be_used_is_named_without_its_password(store, said):
    """The message says which store and why, on one line, and reveals no secret."""
    with pytest.raises(HistoryError) as refused:
        append(store, a_run())
    assert said in str(refused.value)
    assert "canary" not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_sessions_of_agents_lose_no_change_in_each_kind_of_store(store):
    """Four writers at once, who know nothing of each other, add to one session."""
    kept = AgentStore(store)
    new = NewSession(mode="mcp", taskNumber=1, model="m\x00")
    session = kept.make(1, new).id
    call = ApiCall(endpoint="/", method="GET", success=True, tokensIn=10)

    def write(_):
        mine = AgentStore(store)
        for at_ms in range(10):
            mine.make(at_ms, call, session)

    with ThreadPoolExecutor(WRITERS) as writers:
        list(writers.map(write, range(WRITERS)))
    one, events = kept.session(session)
    assert (one.record.api_calls, one.record.tokens_in, len(events)) == (40, 400, 40)
    kept.make(2, Completion(success=True), session)
    with pytest.raises(SessionOver):
        kept.make(3, call, session)
    with pytest.raises(UnknownSession):
        kept.make(3, call, "nobody")
    kept.replace("/metrics", [one.record])
    kept.replace("/metrics", [one.record])
    assert [each.source for each in kept.sessions("mcp", 1, "m\\x00")] == ["", "/metrics"]
