"""Prices: lists with dates, and the published formula."""

import pytest

from mcp_perf.agent.prices import cost, price_list, with_cost
from mcp_perf.agent.records import TaskRecord

USED = {"tokens_in": 91, "tokens_out": 2303, "cache_writes": 25000, "cache_reads": 350000}
MARCH_2025 = 1743100000000


def record(**known):
    """Return a record with some tokens."""
    return TaskRecord(task_id=1, directory_id="a", mode="mcp", total_tokens=2394, **USED, **known)


def test_the_cost_is_what_its_formula_says():
    """(in * 3 + out * 15 + cacheWrites * 3.75 + cacheReads * 0.30) / 1e6, in dollars."""
    prices = price_list("claude-3.7-sonnet", MARCH_2025)
    expected = (91 * 3 + 2303 * 15 + 25000 * 3.75 + 350000 * 0.30) / 1e6
    assert cost(record(), prices) == expected == 0.233568


@pytest.mark.parametrize(
    ("model", "at_ms", "dollars"),
    [
        ("Claude 3.7 Sonnet", MARCH_2025, 3.0),
        ("anthropic/claude-3-5-haiku-20241022", MARCH_2025, 0.8),
        ("claude-haiku-4-5", MARCH_2025, 1.0),
        ("claude-3-opus", None, 15.0),
        ("somebody-else", MARCH_2025, None),
        ("", None, None),
    ],
)
def test_a_model_has_the_newest_list_of_its_day_or_else_the_oldest(model, at_ms, dollars):
    """If it has no list, there is no cost."""
    found = price_list(model, at_ms)
    assert (found and found["in"]) == dollars


def test_a_recorded_cost_stays_and_without_tokens_there_is_none():
    """A recorded cost is what was paid."""
    assert with_cost(record(model="sonnet", cost=0.1)).cost == 0.1
    assert with_cost(record(model="sonnet")).cost == 0.233568
    empty = TaskRecord(task_id=1, directory_id="a", mode="mcp", model="sonnet")
    assert with_cost(empty).cost is None
