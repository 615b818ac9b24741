"""What one tools/call costs the load generator and its rivals, each in a separate process.

CPU time is the operating system's figure for the process, for the same calls to the same server.
Only ratios between clients that were measured in turns are comparable: a busy machine slows all.
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

from tests.support import ROOT

RIVALS = Path(__file__).parent / "rivals"
LOCUST = [sys.executable, "-m", "locust", "--headless", "--only-summary"]
CALLS = """
name: hot-path
title: One constant tools/call, checked
arms: {mcp: {mcp: "http://127.0.0.1:1/mcp", protocol: 2026-07-28}}
journeys:
  echo:
    steps:
      - call: echo
        arguments: {message: hello}
        expect: {equals: {structuredContent.message: hello}}
load: {users: 16, rounds: 2, round: 1500ms, warmup: 500ms}
limits: {loop_lag_p99: 10s, lost_time: 100%, generator_cpu: 100%}
"""
SAVES = """
name: saves
title: One tools/call with generated arguments, a save and two expectations
arms: {mcp: {mcp: "http://127.0.0.1:1/mcp", protocol: 2026-07-28}}
journeys:
  echo:
    with: {text: {template: "hello ${seq}"}}
    steps:
      - call: echo
        arguments: {message: "${text}"}
        save: {said: structuredContent.message}
        expect: {equals: {structuredContent.message: "${text}", "content[0].type": text}}
load: {users: 16, rounds: 2, round: 1500ms, warmup: 500ms}
limits: {loop_lag_p99: 10s, lost_time: 100%, generator_cpu: 100%}
"""
PLAIN = """
name: plain-http
title: One GET, checked
arms: {rest: {http: "http://127.0.0.1:1"}}
journeys:
  echo:
    steps:
      - get: /echo
        query: {message: hello}
        expect: {equals: {message: hello}}
load: {users: 16, rounds: 2, round: 1500ms, warmup: 500ms}
limits: {loop_lag_p99: 10s, lost_time: 100%, generator_cpu: 100%}
"""
MANY_CALLS = """
name: memory
title: Many calls of one tool, each with different arguments
arms: {mcp: {mcp: "system:echo/mcp", protocol: 2026-07-28}}
journeys:
  echo:
    with: {text: {template: "hello ${seq}"}}
    steps:
      - call: echo
        arguments: {message: "${text}"}
        expect: {equals: {structuredContent.message: "${text}"}}
load: {users: 16, rounds: 10, round: SECONDSs, warmup: 3s}
limits: {loop_lag_p99: 10s, lost_time: 100%, generator_cpu: 100%}
"""
ROUND_S = 1.0
ENOUGH = 50_000
"""The fewest calls: with less, the memory that Python takes in one step would matter."""


def ours(url: str, folder: Path, scenario: str = CALLS, arm: str = "mcp") -> tuple[float, dict]:
    """Run our whole path inside Locust; return CPU µs per call and the report."""
    (folder / "hot.yaml").write_text(scenario)
    out = folder / f"run-{len(list(folder.iterdir()))}"
    command = [*LOCUST, "-f", str(ROOT / "locustfiles"), "--scenario", str(folder / "hot.yaml")]
    subprocess.run(
        [*command, "--target", f"{arm}={url}", "--out", str(out)],
        check=True,
        capture_output=True,
        timeout=120,
    )
    report = json.loads((out / "report.json").read_text())
    return report["generator"]["cpu_us_per_call"], report


def profile(url: str, folder: Path, scenario: str = CALLS) -> dict[str, float]:
    """Run our whole path, sampled; return CPU µs per call of each layer."""
    (folder / "hot.yaml").write_text(scenario)
    samples, out = folder / "samples.json", folder / "sampled"
    command = [sys.executable, "-m", "tests.benchmarks.sampled", *LOCUST[3:]]
    command += ["-f", str(ROOT / "locustfiles"), "--scenario", str(folder / "hot.yaml")]
    subprocess.run(
        [*command, "--target", f"mcp={url}", "--set", "load.rounds=20", "--out", str(out)],
        check=True,
        capture_output=True,
        timeout=300,
        cwd=ROOT,
        env={**os.environ, "SAMPLES": str(samples)},
    )
    counts = json.loads(samples.read_text())
    per_call_us = json.loads((out / "report.json").read_text())["generator"]["cpu_us_per_call"]
    whole = sum(counts.values())
    return {
        name: per_call_us * count / whole
        for name, count in sorted(counts.items(), key=lambda pair: -pair[1])
    }


def fast_http(url: str, folder: Path) -> float:
    """Run FastHttpUser with the same bytes; return CPU µs per call."""
    result = folder / "rival.json"
    subprocess.run(
        [*LOCUST, "-f", str(RIVALS / "http_users.py"), "-u", "16", "-r", "16", "-t", "3s"],
        check=True,
        capture_output=True,
        timeout=120,
        env={**os.environ, "RIVAL_URL": url, "RIVAL_RESULT": str(result), "RIVAL_USER": "Fast"},
    )
    return _cost(result.read_text())


def sdk(url: str) -> float:
    """Run the official SDK's client; return CPU µs per call."""
    command = [sys.executable, str(RIVALS / "sdk_client.py"), url, "2"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    return _cost(done.stdout)


def _cost(result: str) -> float:
    measured = json.loads(result)
    return measured["cpu_s"] / measured["calls"] * 1e6


@dataclass(frozen=True)
class Growth:
    """Memory of a load generator over many calls, without the first and last rounds."""

    out: Path
    """The folder of the run."""
    calls: int
    """All calls that were made."""
    counted: int
    """The calls between the two readings."""
    grown_bytes: float
    most_bytes: int


def growth(folder: Path, run_time: str = "") -> Growth:
    """Run our whole path for some seconds, or until there are enough calls; watch its memory."""
    found = _grown(folder / "short", ROUND_S, run_time)
    if found.counted < ENOUGH:  # on a machine that is slow, or busy
        found = _grown(folder / "long", ROUND_S * ENOUGH / found.counted, run_time)
    return found


def _grown(folder: Path, round_s: float, run_time: str) -> Growth:
    folder.mkdir()
    path, out = folder / "memory.yaml", folder / "run"
    path.write_text(MANY_CALLS.replace("SECONDS", f"{round_s:.1f}"))
    command = [*LOCUST, "-f", str(ROOT / "locustfiles"), "--scenario", str(path)]
    command += ["--out", str(out), *(["-t", run_time] if run_time else [])]
    log = (folder / "log").open("w")
    with log, psutil.Popen(command, stdout=log, stderr=log) as process:
        seen = _watch(process, out / "journal.jsonl")
    # 91: with one user class and a fast server the generator may well be the bottleneck here.
    assert process.returncode in (0, 91), (folder / "log").read_text()[-2000:]
    arm = json.loads((out / "report.json").read_text())["arms"]["mcp"]
    turns = [turn["phase"] for turn in arm["rounds"]]
    rounds = [turn["calls"] for turn in arm["rounds"] if turn["phase"] == "round"]
    # Ends are left out: sessions open at the start, and the report is written at the end.
    first = turns.index("round") + 2
    middle = [rss for begun, rss in seen if first <= begun < len(turns)]
    grown = max(middle[-5:]) - min(middle[:5])
    return Growth(out, arm["calls"], sum(rounds[2:-1]), grown, max(middle))


def _watch(process: psutil.Popen, journal: Path) -> list[tuple[int, int]]:
    """Return (turns that had begun, resident bytes) until the process ends."""
    seen = []
    while process.poll() is None:
        with contextlib.suppress(psutil.NoSuchProcess):
            begun = journal.read_text().count('"type":"turn"') if journal.exists() else 0
            seen.append((begun, process.memory_info().rss))
        time.sleep(0.1)
    return seen
