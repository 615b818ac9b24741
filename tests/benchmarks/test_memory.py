"""Memory of the load generator: it depends on steps, classes and rounds, not on calls.

pytest tests/benchmarks/test_memory.py -s                         about 200 000 calls
MILLION=1 pytest tests/benchmarks/test_memory.py -s               a million calls and more
"""

import contextlib
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parent.parent.parent
SCENARIO = """
name: memory
title: Many calls of one tool, each with arguments of its own
arms: {mcp: {mcp: "system:echo/mcp", protocol: 2026-07-28}}
journeys:
  echo:
    with: {text: {template: "hello ${seq}"}}
    steps:
      - call: echo
        arguments: {message: "${text}"}
        expect: {equals: {structuredContent.message: "${text}"}}
load: {users: 16, rounds: 10, round: SECONDSs, warmup: 3s}
limits: {loop_lag_p99: 10s}
"""
MILLION = "MILLION" in os.environ
BYTES_PER_CALL = 24
"""A list of all latencies alone would grow by 40 bytes a call: an int and its place."""
REPORT_S = 3.0
ROUND_S = 1.5
ENOUGH = 50_000
"""Calls: of fewer, what Python takes from the system at once would be much."""


def watch(process: psutil.Popen, journal: Path) -> list[tuple[int, int]]:
    """Return (turns that had begun, resident bytes) until the process ends."""
    seen = []
    while process.poll() is None:
        with contextlib.suppress(psutil.NoSuchProcess):
            begun = journal.read_text().count('"type":"turn"') if journal.exists() else 0
            seen.append((begun, process.memory_info().rss))
        time.sleep(0.1)
    return seen


@dataclass(frozen=True)
class Seen:
    """What a run left behind, and its memory in the rounds between the first and the last."""

    out: Path
    made: int
    calls: int
    middle: list[int]


def measure(folder: Path, round_s: float) -> Seen:
    """Run with rounds of this length."""
    folder.mkdir()
    path, out = folder / "memory.yaml", folder / "run"
    path.write_text(SCENARIO.replace("SECONDS", f"{round_s:.1f}"))
    command = [sys.executable, "-m", "locust", "-f", str(ROOT / "locustfiles"), "--headless"]
    command += ["--only-summary", "--scenario", str(path), "--out", str(out)]
    log = (folder / "log").open("w")
    with log, psutil.Popen(command + ["-t", "90s"] * MILLION, stdout=log, stderr=log) as process:
        seen = watch(process, out / "journal.jsonl")
    # 91: with one user class and a fast server the generator may well be the bottleneck here.
    assert process.returncode in (0, 91), (folder / "log").read_text()[-2000:]
    arm = json.loads((out / "report.json").read_text())["arms"]["mcp"]
    turns = [turn["phase"] for turn in arm["rounds"]]
    rounds = [turn["calls"] for turn in arm["rounds"] if turn["phase"] == "round"]
    # Ends are left out: sessions open at the start, and the report is written at the end.
    first = turns.index("round") + 2
    middle = [rss for begun, rss in seen if first <= begun < len(turns)]
    return Seen(out, arm["calls"], sum(rounds[2:-1]), middle)


@pytest.mark.load
def test_memory_does_not_grow_with_the_number_of_calls(tmp_path) -> None:
    """From the first rounds to the last, hundreds of thousands of calls leave next to nothing."""
    run = measure(tmp_path / "short", ROUND_S)
    if run.calls < ENOUGH:  # on a machine that is slow, or busy
        run = measure(tmp_path / "long", ROUND_S * ENOUGH / run.calls)
    growth = max(run.middle[-5:]) - min(run.middle[:5])
    print(f"\n{run.made} calls, {max(run.middle) / 1e6:.0f} MB; over {run.calls} ", end="")
    print(f"calls {growth / 1e3:.0f} kB more: {growth / run.calls:.2f} bytes a call")
    assert growth <= BYTES_PER_CALL * run.calls
    before = os.times()
    subprocess.run(
        [sys.executable, "-m", "mcp_perf", "report", str(run.out)],
        check=True,
        capture_output=True,
    )
    after = os.times()
    # Of the processor's time: of the clock's a busy machine takes more.
    seconds = sum(after[2:4]) - sum(before[2:4])
    print(f"the report of it: {seconds:.2f} s of a processor, start of Python included")
    assert seconds < REPORT_S * 3
