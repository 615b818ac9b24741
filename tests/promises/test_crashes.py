"""Promises 19 and 21: what a lost worker or a crash destroys, and what remains."""

import random
import signal
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from mcp_perf.results.document.document import Report
from mcp_perf.results.journal.journal import JournalWriter, read
from mcp_perf.results.journal.records import Note, RunEnded, SampleRecord, Slice
from mcp_perf.results.render.files import html, markdown
from mcp_perf.results.report.build import build, load_report
from tests.support import virtual_run as virtual
from tests.support.virtual_run import Round, texts

KILLS = 20
EARLY = 4
AT_ONCE = 4
"""How many runs there are at a time, each with its own echo system."""
USERS = 4
DELAY_S = 0.02
MOST_PER_S = USERS / DELAY_S
"""The most calls that the users can make in a second, because each waits for its answer."""
LONGEST_S = 2.0
SLICES_S = 1.25
"""A second, plus the time that a busy machine may be late with writing."""
SCENARIO = """
name: killed
title: A run that is killed
arms: {mcp: {mcp: "BASE/mcp"}}
journeys: {one: {steps: [{call: echo, arguments: {message: hi}}]}}
load: {users: 4, rounds: 60, round: 3s, warmup: 500ms}
limits: {loop_lag_p99: 10s, lost_time: 100%, generator_cpu: 100%}
"""


@dataclass(frozen=True)
class Killed:
    """What a killed run left behind, and what its server counted."""

    after_s: float
    served: int
    report: Report
    rendered: str


def kill_one(
    after_s: float,
    begun: Callable[[Path], bool],
    base: str,
    folder: Path,
    argv: tuple[list[str], dict[str, str]],
) -> Path:
    """Start a run and kill it with SIGKILL some time after it has begun."""
    folder.mkdir()
    path = folder / "killed.yaml"
    path.write_text(SCENARIO.replace("BASE", base))
    out = folder / "run"
    command, environment = argv
    with (folder / "said").open("w") as said:
        run = subprocess.Popen(
            [*command, "run", str(path), "--out", str(out)],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
        )
    deadline = time.monotonic() + 120
    while not begun(out / "journal.jsonl"):
        assert run.poll() is None, (folder / "said").read_text()
        assert time.monotonic() < deadline, "the run does not begin"
        time.sleep(0.02)
    time.sleep(after_s)
    run.send_signal(signal.SIGKILL)
    assert run.wait() == -signal.SIGKILL, (folder / "said").read_text()
    return out


@pytest.fixture(scope="module")
def killed(start_echo, counters, command, environment, tmp_path_factory) -> list[Killed]:
    """Kill twenty runs at seeded random moments; read what is left of them.

    For four of them the moment counts from the journal's first line, which on a slow machine is
    before any call; for the others, from the first calls of a round in it.
    """
    folder = tmp_path_factory.mktemp("killed")
    rng = random.Random(21)
    moments = [rng.uniform(0, LONGEST_S) for _ in range(KILLS)]
    free = [start_echo("--delay", f"{DELAY_S * 1000:g}ms") for _ in range(AT_ONCE)]
    argv = command("mcp-perf"), environment

    def kill(number: int) -> Killed:
        base = free.pop()
        before = counters(base)["by_tool"].get("echo", 0)

        def begun(journal: Path) -> bool:
            records = list(read(journal)) if journal.exists() else []
            rounds = (isinstance(one, Slice) and one.turn > 0 and one.cells for one in records)
            return bool(records) and (number < EARLY or any(rounds))

        out = kill_one(moments[number], begun, base, folder / str(number), argv)
        served = counters(base)["by_tool"].get("echo", 0) - before
        free.append(base)
        report, _ = load_report(out)
        return Killed(
            moments[number], served, report, html.render(report) + markdown.render(report)
        )

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(kill, range(KILLS)))


@pytest.mark.load
def test_promise_21_every_killed_run_is_reported_as_incomplete(killed):
    """Each of twenty journals can be read, and no report presents the run as complete."""
    assert len(killed) == KILLS
    for one in killed:
        assert (one.report.complete, one.report.exit_code) == (False, 90)
        assert "crashed or was killed" in " ".join(texts(one.report.reasons))
        assert "(INCOMPLETE)" in one.rendered
        assert "Incomplete." in one.rendered
    assert sum(one.report.arms["mcp"].calls > 0 for one in killed) > KILLS / 2


@pytest.mark.load
def test_promise_21_a_kill_loses_at_most_a_second(killed):
    """The server answered at most a second's calls, and those in flight, beyond the journal."""
    losses = []
    for one in killed:
        arm = one.report.arms["mcp"]
        kept = arm.calls + arm.warmup_calls
        assert kept <= one.served, one.after_s
        losses.append(one.served - kept)
    print(f"lost of {sum(one.served for one in killed)} calls, run by run: {sorted(losses)}")
    assert max(losses) <= MOST_PER_S * SLICES_S + USERS
    assert max(losses) > USERS  # otherwise no kill came in the middle of anything


def whole_journal(tmp_path: Path) -> bytes:
    """Write a journal with a record of every kind; return its bytes."""
    sample = SampleRecord(
        turn=0,
        at_s=1.5,
        arm="mcp",
        journey="say",
        step="tools/call echo",
        cls="tool_error",
        latency_ns=5,
        service_ns=4,
        bytes_in=3,
        bytes_out=2,
        detail="n\u00f6 \u2615",
    )
    note = Note(at_s=1.0, code="session_lost", text="x", arm="mcp")
    arms = {"control": [Round(ok=9)], "mcp": [Round(ok=9, failed=1)]}
    writer = JournalWriter(tmp_path / "whole.jsonl")
    for record in virtual.journal(arms, extra=[sample, note], limits={"errors": 0.5}):
        writer.write(record)
    writer.close()
    return writer.path.read_bytes()


def test_promise_21_a_journal_torn_at_any_byte_is_read_up_to_there(tmp_path):
    """Cut after any byte, it returns all records before the torn one as written."""
    content = whole_journal(tmp_path)
    records = list(read(tmp_path / "whole.jsonl"))
    torn = tmp_path / "torn.jsonl"
    ends = [0]
    for line in content.splitlines(keepends=True):
        ends.append(ends[-1] + len(line))
    for cut in range(len(content) + 1):
        torn.write_bytes(content[:cut])
        whole = sum(cut >= end for end in ends[1:])
        # A last line that lacks only its newline is complete, too.
        whole += cut + 1 in ends[1:]
        assert list(read(torn)) == records[:whole], cut


def test_promise_21_a_torn_journal_makes_an_incomplete_report(tmp_path):
    """Whatever its last record was, the report has the calls before it, and is never PASS."""
    whole_journal(tmp_path)
    records = list(read(tmp_path / "whole.jsonl"))
    assert isinstance(records[-1], RunEnded)
    assert build(records).complete
    for kept in range(1, len(records)):
        report = build(records[:kept])
        assert (report.complete, report.verdict) == (False, "INCONCLUSIVE")
        slices = [record for record in records[:kept] if isinstance(record, Slice)]
        calls = sum(cell.n for part in slices for cell in part.cells if cell.kind == "call")
        assert sum(arm.calls for arm in report.arms.values()) == calls


def lost_in_the_middle(turn: Callable, nodes: list[str]) -> list:
    """Give a run of one arm in six rounds; in the third, all workers but one are lost."""
    records = [virtual.started(["mcp"])]
    for number in range(6):
        present = nodes if number < 3 else nodes[:1]
        found = turn(number, "mcp", number + 1, Round(ok=100), present)
        records += [
            r for r in found if number != 2 or getattr(r, "busy_s", 0) == 0 or r.node == "w1"
        ]
    lost = [
        Note(at_s=5, code="worker_lost", text=f"worker {n} was lost", node=n) for n in nodes[1:]
    ]
    return [*records, *lost, RunEnded(at_s=12, reason="finished")]


def test_promise_19_a_lost_worker_makes_the_run_invalid_and_is_named():
    """92, whatever the gates say; the reason and the generator's section name the worker."""
    records = lost_in_the_middle(virtual.turn, ["w1", "w2", "w3"])
    records[0] = virtual.started(["mcp"], gates=["mcp.p50 < 1s", "mcp.p50 > 1s"])
    report = build(records)
    assert (report.verdict, report.exit_code) == ("INVALID", 92)
    assert [reason.text[:16] for reason in report.reasons[:2]] == [
        "Worker lost: w2.",
        "Worker lost: w3.",
    ]
    assert report.generator.workers_lost == ["w2", "w3"]


def test_promise_19_the_part_of_a_lost_worker_is_not_extrapolated():
    """Only recorded calls count; rounds without the worker have only the other worker's rate."""
    arm = build(lost_in_the_middle(virtual.turn, ["w1", "w2"])).arms["mcp"]
    assert arm.calls == 3 * 200 + 3 * 100
    assert [turn.calls for turn in arm.rounds] == [200] * 3 + [100] * 3
    rates = [turn.throughput_per_s for turn in arm.rounds]
    assert rates == pytest.approx([200] * 3 + [100] * 3)
