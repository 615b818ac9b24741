"""Numbers of simulated runs, in the form that a comparison of runs takes."""

import math
import random
from collections.abc import Mapping, Sequence
from typing import Any

from mcp_perf.results.document.comparison import Regression
from mcp_perf.results.document.part import VerdictName
from mcp_perf.results.document.run_numbers import ArmRounds, RunIdentity, RunNumbers
from mcp_perf.results.judge.rule import gravest
from mcp_perf.results.tally.metrics import COMPARED

RATES = ("throughput", "calls_per_s")


def identity(**changes: Any) -> RunIdentity:
    """Give the identity of a run."""
    fields: dict[str, Any] = {
        "scenario": "echo",
        "workload": {"control": "c0", "mcp": "a0"},
        "load": {"users": 4, "round_s": 5.0},
        "machine": {"cpu": "fast", "cores": 2, "os": "Linux"},
        "versions": {"python": "3.11.7"},
    }
    return RunIdentity(**fields | changes)


def rounds(slowness: Sequence[float], **changes: Any) -> ArmRounds:
    """Give an arm whose i-th round is slower than 10 ms and 100 per second by the i-th factor."""
    series: dict[str, list[float | None]] = {
        metric: [100 / slow if metric in RATES else 10 * slow for slow in slowness]
        for metric in COMPARED
    }
    series["error_rate"] = [0.0] * len(slowness)
    fields: dict[str, Any] = {
        "values": {metric: sum(found) / len(found) for metric, found in series.items()},
        "rounds": series,
        "calls": 1000,
        "ended": 1000,
        "failed": 0,
        "planned": 1000,
        "dropped": 0,
        "journeys": 1000,
        "steps": ["tools/call echo"],
    }
    return ArmRounds(**fields | changes)


def noisy(rng: random.Random, slowness: float = 1.0, noise: float = 0.02, n: int = 10) -> ArmRounds:
    """Give an arm whose rounds vary."""
    return rounds([slowness * rng.lognormvariate(0, noise) for _ in range(n)])


def run(arms: Mapping[str, ArmRounds], run_id: str = "r", **changes: Any) -> RunNumbers:
    """Give a run of these arms."""
    fields: dict[str, Any] = {
        "run_id": run_id,
        "started": "2026-01-01T00:00:00Z",
        "verdict": "PASS",
        "complete": True,
        "identity": identity(),
        "arms": dict(arms),
    }
    return RunNumbers(**fields | changes)


def on_a_machine(
    rng: random.Random,
    arms: Sequence[str] = ("mcp",),
    *,
    between: float = 0.03,
    slower: float = 1.0,
    run_id: str = "r",
) -> RunNumbers:
    """Give a run on a machine that varies between runs; `slower` applies to the last arm."""
    state = math.exp(rng.gauss(0, between))
    return run(
        {arm: noisy(rng, state * (slower if arm == arms[-1] else 1.0)) for arm in arms}, run_id
    )


def verdict_of(rows: Sequence[Regression]) -> VerdictName:
    """Return the verdict on a comparison of runs: the gravest of its rows."""
    return gravest(row.verdict for row in rows)
