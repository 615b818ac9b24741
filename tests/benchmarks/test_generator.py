"""What one tools/call costs the load generator and its rivals, in one run on one server.

The figures are ratios: a slow or busy machine slows all three alike. `make bench` shows them.
"""

import os
import statistics

import pytest

from mcp_targets.launcher.systems import Systems
from tests.benchmarks.clients import fast_http, ours, sdk

PAIRS = 3
CHEAPER_THAN_FAST_HTTP = 3.5
"""Measured on two cores, with other work on the machine: 4.2 to 4.7 times (28 to 31 us against 125
to 142). The system calls that all of them make cost more on a busy machine. Below this, our part
has grown."""
CHEAPER_THAN_SDK = 10
"""Measured: 34 to 49 times."""


@pytest.mark.load
def test_a_call_costs_a_fraction_of_what_it_costs_others(benchmark, tmp_path) -> None:
    """Our whole path, with everything on, costs a fraction of FastHttpUser without checks."""
    with Systems(tmp_path / "logs") as systems:
        url = systems.face("echo/mcp").url

        def race() -> tuple[list[float], list[float], float]:
            pairs = [(ours(url, tmp_path)[0], fast_http(url, tmp_path)) for _ in range(PAIRS)]
            mine, rival = zip(*pairs, strict=True)
            return list(mine), list(rival), sdk(url)

        mine, rival, official = benchmark.pedantic(race, rounds=1)
    ratio = statistics.median(b / a for a, b in zip(mine, rival, strict=True))
    figures = {
        "ours_us": round(statistics.median(mine), 1),
        "fast_http_user_us": round(statistics.median(rival), 1),
        "sdk_us": round(official, 1),
        "fast_http_user_over_ours": round(ratio, 2),
        "sdk_over_ours": round(official / statistics.median(mine), 1),
    }
    benchmark.extra_info.update(figures)
    print(f"\nCPU per tools/call: {figures}")
    assert ratio >= CHEAPER_THAN_FAST_HTTP, figures
    assert figures["sdk_over_ours"] >= CHEAPER_THAN_SDK, figures


@pytest.mark.load
def test_the_report_agrees_with_the_operating_system(tmp_path) -> None:
    """CPU per call times calls stays within the process's total by the operating system."""
    with Systems(tmp_path / "logs") as systems:
        before = os.times()
        per_call_us, report = ours(systems.face("echo/mcp").url, tmp_path)
        after = os.times()
    # Only for the child that was waited for: the system under test ends later.
    process_s = (after.children_user - before.children_user) + (
        after.children_system - before.children_system
    )
    arm = report["arms"]["mcp"]
    measured_s = per_call_us * arm["calls"] / 1e6
    wall_s = sum(turn["seconds"] for turn in arm["rounds"] if turn["phase"] == "round")
    assert measured_s <= process_s
    assert measured_s <= wall_s * 1.05
    # Start, warm-up and report cost something, but most of the work is the load.
    assert measured_s >= 0.4 * (process_s - 2.5)
