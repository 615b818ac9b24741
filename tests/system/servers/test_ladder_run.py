"""The shipped ladder, shortened: five ways to one function, and the cost that each adds."""

from itertools import pairwise

import pytest

from tests.support.commands import CALM

pytestmark = pytest.mark.load
SHORT = (
    *("--set", "load.rounds=6", "--set", "load.round=200ms", "--set", "load.warmup=200ms"),
    *CALM,
)


def test_the_transport_ladder_ends_with_the_cost_of_each_layer(run_cli, report, tmp_path):
    """All rungs answer in the same version without a failure; four steps have an interval."""
    out = tmp_path / "run"
    ended = run_cli("run", "transport-ladder", *SHORT, "--out", out)
    assert ended.code in (0, 90), ended.output  # 90: too few calls on a slow machine
    document = report(out)
    arms = document["arms"]
    assert [arm["classes"]["ok"] for arm in arms.values()] == [
        arm["calls"] for arm in arms.values()
    ]
    assert [arm["protocol"] for arm in arms.values()] == ["", *["2025-11-25"] * 4]
    names = list(arms)
    steps = document["layers"]
    assert [(step["from"], step["to"]) for step in steps] == [*pairwise(names)]
    assert all(step["ci95"] and not step["warnings"] for step in steps)
    # A whole protocol costs more than a function call; such short rounds may not show it.
    assert sum(steps[0]["ci95"]) > 0
    # One really answers with JSON, and the other with events.
    received = [arms[name]["bytes_in"] / arms[name]["calls"] for name in ("http-json", "http-sse")]
    assert received[0] != received[1]
    assert (out / "report.html").read_text("utf-8").count('class="rung"') == 5
