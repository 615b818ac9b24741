"""What the doctor makes of its measurements, each finding with what it means."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import stdev
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mcp_perf import numbers

MIXTURE: Final = "88%:50ms,10%:200ms,2%:1s"
_KNOWN_MS: Final = {"p50": 50.0, "p90": 200.0, "p99": 1000.0}
"""The percentiles of the mixture; each lies well within one of its parts."""
_MOST_ERROR: Final = 0.02
_COARSE_NS: Final = 10_000
_LATE_NS: Final = 1_000_000
_FEWEST_PER_S: Final = 1000.0
_FEWEST_USERS: Final = 100
_LARGEST_EFFECT: Final = 1.10
_MOST_LAG_MS: Final = 5.0
"""The default limit of a run."""
ReportJson = Mapping[str, Any]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    what: str
    found: str
    fine: bool
    meaning: str


def clock(resolution_ns: int) -> Finding:
    """Judge the resolution of the clock."""
    return Finding(
        "clock resolution",
        numbers.said(resolution_ns, "ns"),
        resolution_ns <= _COARSE_NS,
        "the precision of the time of a call",
    )


def timer(late_ns: Sequence[int]) -> Finding:
    """Judge how late the timer of open loads wakes; `late_ns` ascends."""
    p50, p99 = (late_ns[math.ceil(share * len(late_ns)) - 1] for share in (0.5, 0.99))
    return Finding(
        "timer lag",
        f"p50 {numbers.said(p50 / 1e6, 'ms')}, p99 {numbers.said(p99 / 1e6, 'ms')}",
        p99 <= _LATE_NS,
        "how late an idle load generator begins journeys",
    )


def known_delays(report: ReportJson) -> Finding:
    """Judge how wrong the percentiles of known delays are."""
    latency = report["arms"]["rest"]["latency_ms"]
    errors = {name: latency[name] / truth - 1 for name, truth in _KNOWN_MS.items()}
    changes = {name: numbers.plain(numbers.change(error)) for name, error in errors.items()}
    shown = ", ".join(map(" ".join, changes.items()))
    return Finding(
        "known delays (50, 200, 1000 ms)",
        shown + _held_up(report),
        all(abs(error) <= _MOST_ERROR for error in errors.values()),
        "the error of percentiles under a load with a rate; the limit is 2 %",
    )


def noise(report: ReportJson) -> list[Finding]:
    """Judge how much rounds of the same server differ, and which difference ten of them show."""
    rates = [
        math.log(turn["throughput_per_s"])
        for arm in report["arms"].values()
        for turn in arm["rounds"]
        if turn["phase"] == "round" and turn["throughput_per_s"]
    ]
    spread = math.exp(stdev(rates)) - 1 if len(rates) > 1 else math.inf
    effects = {
        one["metric"]: one["effect_needed"]
        for one in report["comparisons"]
        if one["metric"] in ("throughput", "p50", "p99") and one["effect_needed"]
    }
    shares = {name: numbers.said(effect - 1, "fraction") for name, effect in effects.items()}
    shown = ", ".join(map(" ".join, shares.items()))
    return [
        Finding(
            "noise from round to round",
            f"{numbers.said(spread, 'fraction')} (throughput){_held_up(report)}",
            spread <= _LARGEST_EFFECT - 1,
            "if it is large, close other programs or make rounds longer",
        ),
        Finding(
            "smallest difference that ten rounds show",
            shown or "none",
            bool(effects) and effects.get("throughput", math.inf) <= _LARGEST_EFFECT,
            "smaller differences need more rounds",
        ),
    ]


def highest_rate(report: ReportJson) -> Finding:
    """Judge the highest rate at which journeys began in time."""
    low, high = report["arms"]["rest"]["capacity"]["interval"]
    found = f"{numbers.said(low, '/s')}" if low is not None else "none"
    if low is not None and high is not None:
        found += f" (late at {numbers.said(high, '/s')})"
    return Finding(
        "highest rate of one process",
        found,
        low is not None and low >= _FEWEST_PER_S,
        "with a server on the same machine; --processes or workers add more",
    )


def in_sight(report: ReportJson) -> bool:
    """Tell whether a run's generator kept up with its users."""
    lag = report["generator"]["loop_lag_p99_ms"]
    return report["verdict"] != "INVALID" and lag is not None and lag <= _MOST_LAG_MS


def _held_up(report: ReportJson) -> str:
    """Name what held the generator up, if anything, in the words of a run's report."""
    causes = ", ".join(report.get("generator", {}).get("causes", ()))
    return f" ({causes})" if causes else ""


def concurrency(users: int, report: ReportJson) -> Finding:
    """Judge how many users at once one process kept up with."""
    fine = in_sight(report)
    lag = numbers.said(report["generator"]["loop_lag_p99_ms"], "ms")
    return Finding(
        "users at once in one process",
        f"{users} at {lag} lag (p99)" if fine else f"fewer than {users}{_held_up(report)}",
        fine and users >= _FEWEST_USERS,
        "each waiting 100 ms for answers; --processes or workers add more",
    )


def show(found: Sequence[Finding], console: Console) -> None:
    """Print the findings, and the verdict on the machine. Fits 80 columns."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for column in ("", "", "found"):
        table.add_column(column, overflow="fold")
    for finding in found:
        mark = Text("ok", "green") if finding.fine else Text("!!", "bold red")
        what = Text.assemble(finding.what, "\n", (finding.meaning, "dim"))
        table.add_row(mark, what, Text(finding.found))
    console.print(table)
    poor = [finding.what for finding in found if not finding.fine]
    verdict = "This machine can measure well."
    if poor:
        hint = "Close other programs, or use another machine."
        verdict = f"This machine cannot measure well: {', '.join(poor)}. {hint}"
    console.print()
    console.print(Text(verdict, "bold"))
