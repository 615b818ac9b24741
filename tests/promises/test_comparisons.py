"""Promises 13 and 15: a comparison claims only what its rounds show."""

import math
import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_perf import numbers
from mcp_perf.results.document.comparison import Comparison
from mcp_perf.results.document.document import Report
from mcp_perf.results.judge.gates import judge
from mcp_perf.results.render.files import html, markdown
from mcp_perf.results.report.build import build
from mcp_perf.results.stats.rounds import compare
from mcp_perf.scenario.model.gates import parse
from tests.support import virtual_run as virtual
from tests.support.virtual_run import Round, evidence, noisy

GATE = "mcp.journey_p50 <= 3x control"
NOTHING_DONE = Round(ok=0, failed=100)


def report_of(mcp: list, control: list, **changes) -> Report:
    """Give the report of a run with these rounds and one gate."""
    return build(virtual.journal({"control": control, "mcp": mcp}, gates=[GATE], **changes))


THIN_OR_BROKEN = {
    "one round": (noisy(20, 1), noisy(10, 1, seed=2), "1 round of each arm", "at least 6"),
    "five rounds": (noisy(20, 5), noisy(10, 5, seed=2), "5 rounds of each arm", "at least 6"),
    "all equal": ([Round(ms=20)] * 8, [Round(ms=10)] * 8, "same ratio", "do real work"),
    "a round without a value": (
        [*noisy(20, 7), NOTHING_DONE],
        noisy(10, 8, seed=2),
        "mcp has no journey_p50 in 1 of 8 rounds",
        "",
    ),
    "unequal": (
        noisy(20, 8),
        noisy(10, 7, seed=2),
        "mcp has 8 rounds and control 7",
        "same number",
    ),
    "a control that did nothing": (
        noisy(20, 8),
        [NOTHING_DONE] * 8,
        "No journey of control ended with every step ok",
        "",
    ),
    "no round of one arm": ([], noisy(10, 8), "No call of mcp", ""),
}


@pytest.mark.parametrize("name", THIN_OR_BROKEN)
def test_promise_13_thin_or_broken_data_decides_nothing(name):
    """A gate on it is INCONCLUSIVE, with the reason and the number of rounds needed."""
    mcp, control, why, needed = THIN_OR_BROKEN[name]
    report = report_of(mcp, control)
    (gate,) = report.gates
    assert (gate.verdict, gate.ci95) == ("INCONCLUSIVE", None)
    assert why in gate.reason
    assert needed in gate.reason
    assert report.verdict in {"INCONCLUSIVE", "FAIL"}  # FAIL: every call of an arm failed
    assert report.exit_code in {90, 99}
    compared = [one for one in report.comparisons if one.metric == "journey_p50"]
    assert all((one.ci95, one.p_value, one.effect_needed) == (None, None, None) for one in compared)
    assert all(one.warnings for one in compared)


@given(
    st.integers(0, 9),
    st.sampled_from([None, math.nan, math.inf, -math.inf, 0.0, 0]),
    st.booleans(),
)
def test_promise_13_one_broken_value_among_good_ones_is_enough(place, value, in_control):
    """If one round of either arm lacks a value, there is no ratio."""
    good, broken = [10.0 + n / 10 for n in range(10)], [10.0 - n / 10 for n in range(10)]
    broken[place] = value
    arms = (good, broken) if in_control else (broken, good)
    found = compare("mean", "mcp", "control", *arms)
    assert (found.ratio, found.ci95, found.p_value, found.effect_needed) == (None,) * 4
    assert ("control" if in_control else "mcp") in found.warnings[0]
    assert "1 of 10 rounds" in found.warnings[0]


def test_promise_13_the_rounds_that_are_asked_for_would_do():
    """With as many rounds as the reason asks for, the same difference is decided."""
    few, enough = (report_of(noisy(20, n), noisy(10, n, seed=2)) for n in (5, 6))
    assert (few.verdict, enough.verdict) == ("INCONCLUSIVE", "PASS")


@given(
    st.integers(0, 2**32),
    st.floats(0.5, 2.0),
    st.sampled_from(["<", "<=", ">", ">="]),
    st.floats(0.002, 0.2),
)
def test_promise_15_a_comparison_fails_only_when_the_whole_interval_does(seed, factor, op, noise):
    """PASS when the interval lies within the bound, FAIL when beyond, INCONCLUSIVE across it."""
    rng = random.Random(seed)
    arms = {
        name: noisy(10, 8, n=4, noise=noise, seed=rng.randrange(2**32))
        for name in ("mcp", "control")
    }
    result = judge(parse(f"mcp.mean {op} {factor:.3f}x control"), evidence(virtual.journal(arms)))
    low, high = result.ci95
    bound = float(f"{factor:.3f}")
    below, above = high < bound, low > bound
    within, beyond = (below, above) if op.startswith("<") else (above, below)
    assert result.verdict == ("PASS" if within else "FAIL" if beyond else "INCONCLUSIVE")
    assert (result.reason == "") is within


def holm_by_the_book(p_values: list[float]) -> list[float]:
    """Correct p-values by the definition: the maximum of (m - i + 1) p over all p not larger."""
    ranked = sorted(p_values)
    steps = [(len(ranked) - place) * p for place, p in enumerate(ranked)]
    return [min(1.0, max(steps[: ranked.index(p) + p_values.count(p)])) for p in p_values]


@settings(max_examples=30)
@given(st.integers(0, 2**32), st.floats(0.95, 1.05))
def test_promise_15_several_metrics_are_corrected_together(seed, effect):
    """A report's p-values are the metrics' separate ones, corrected as one family (Holm)."""
    rng = random.Random(seed)
    arms = {
        name: noisy(10 * ms, 10, n=30, seed=rng.randrange(2**32))
        for name, ms in (("control", 1), ("mcp", effect), ("old", 1))
    }
    records = virtual.journal(arms)
    shown, alone, corrected = evidence(records), [], []
    for one in build(records).comparisons:
        values, base = (
            [part.value(one.metric) for part in shown[arm].rounds.values()]
            for arm in (one.arm, one.versus)
        )
        p_value = compare(one.metric, one.arm, one.versus, values, base).p_value
        if p_value is not None:
            alone.append(p_value)
            corrected.append(one.p_value)
    assert len(alone) > 10
    assert corrected == pytest.approx(holm_by_the_book(alone))


def test_promise_15_an_effect_size_stands_beside_every_p():
    """Wherever a p is shown, so are the ratio and its interval, in the document and for readers."""
    report = report_of(noisy(10.2, 10), noisy(10, 10, seed=2))
    known = [one for one in report.comparisons if one.p_value is not None]
    assert len(known) >= 8
    assert all(None not in (one.ratio, one.ci95, one.effect_needed) for one in known)
    assert all(" | ".join(one_row(one)) in markdown.render(report) for one in known)
    cells = re.findall(r'<td class="n(?: wide)?">(?:<strong>)?([^<]*)', html.render(report))
    shown = one_row(known[0])
    assert shown in [cells[at : at + 3] for at in range(len(cells))]


def one_row(one: Comparison) -> list[str]:
    """Give the ratio, its interval and p as reports write them."""
    return [numbers.ratio(one.ratio), numbers.interval(one.ci95, "x"), numbers.p_value(one.p_value)]
