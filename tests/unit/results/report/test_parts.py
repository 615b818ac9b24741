"""Arms compared step by step: the same names, in paired rounds."""

import random

import pytest

from mcp_perf.results.report.build import build
from tests.support import virtual_run as virtual
from tests.support.virtual_run import Round, noisy


def test_steps_and_journeys_of_one_name_are_compared_in_their_medians():
    """The others are compared with the first arm; it has no comparison."""
    arms = {"direct": noisy(20, 8, seed=1), "gateway": noisy(25, 8, seed=2)}
    found = build(virtual.journal(arms)).arms
    for parts, metric in (("steps", "p50"), ("journeys", "journey_p50")):
        [one] = getattr(found["gateway"], parts).values()
        assert (one.compared.metric, one.compared.versus) == (metric, "direct")
        assert one.compared.ratio == pytest.approx(1.25, rel=0.05)
        low, high = one.compared.ci95
        assert 1 < low < one.compared.ratio < high
        assert [other.compared for other in getattr(found["direct"], parts).values()] == [None]


def test_what_only_one_arm_has_is_not_compared():
    """A request and a tool have different names."""
    records = virtual.journal({"control": noisy(20, 8), "mcp": noisy(25, 8, seed=2)})
    renamed = [
        virtual.replace(
            record,
            cells=[
                virtual.replace(cell, name="GET /a")
                if (cell.arm, cell.kind) == ("control", "call")
                else cell
                for cell in record.cells
            ],
        )
        if isinstance(record, virtual.Slice)
        else record
        for record in records
    ]
    found = build(renamed).arms["mcp"]
    assert [one.compared for one in found.steps.values()] == [None]
    assert [one.compared.versus for one in found.journeys.values()] == ["control"]


def test_a_step_that_fails_has_no_ratio_and_few_rounds_no_interval():
    """Failed calls rank above all others; thin evidence says how much is needed."""
    failing = {"control": noisy(20, 8), "mcp": [Round(ok=40, failed=60)] * 8}
    [one] = build(virtual.journal(failing)).arms["mcp"].steps.values()
    assert (one.compared.ratio, one.compared.ci95) == (None, None)
    few = {"control": noisy(20, 3), "mcp": noisy(25, 3, seed=2)}
    [one] = build(virtual.journal(few)).arms["mcp"].steps.values()
    assert one.compared.ci95 is None
    assert "at least 6" in one.compared.warnings[0]


def test_promise_15_the_comparisons_of_steps_are_corrected_as_a_family():
    """Of forty steps that are alike, hardly a run calls one different."""
    rng = random.Random(5)
    called = 0
    for _ in range(20):
        records = []
        for record in virtual.journal({"a": [Round()] * 8, "b": [Round()] * 8}):
            if isinstance(record, virtual.Slice):
                arm = record.cells[0].arm
                cells = [
                    virtual.cell(arm, [10 * rng.lognormvariate(0, 0.02)], name=f"step {step}")
                    for step in range(40)
                ]
                record = virtual.replace(record, cells=cells)  # noqa: PLW2901
            records.append(record)
        steps = build(records).arms["b"].steps.values()
        called += any(one.compared.p_value < 0.05 for one in steps)
    assert called <= 3
