"""A page of the list of runs: a history with many runs, compared with a short one."""

import pytest

from mcp_perf.results.compare.stored import RunFilter, runs
from tests.support.many_runs import fill

pytestmark = pytest.mark.benchmark(group="history")
INFO = {"system": "history", "layer": "store"}
NUMBERS = {"few": 60, "many": 3_000}


def test_list(side_by_side, tmp_path):
    """The page is read by an index, however many runs there are."""
    stores = {name: f"sqlite:///{tmp_path}/{name}.sqlite" for name in NUMBERS}
    for name, number in NUMBERS.items():
        fill(stores[name], number)
    wanted = RunFilter(verdict="FAIL", text="twilio")
    sides = {name: lambda store=store: runs(store) for name, store in stores.items()}
    info = {side: {**INFO, "tool": side} for side in sides}
    returned = side_by_side(sides, round_s=0.1, info=info)
    assert {name: found.total for name, found in returned.items()} == NUMBERS
    assert runs(stores["many"], wanted, offset=2_990).total == NUMBERS["many"]
