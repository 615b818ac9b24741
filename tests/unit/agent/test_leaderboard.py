"""The leaderboard: means as they are published, and what they hide."""

from itertools import product

import pytest

from mcp_perf.agent.leaderboard import MEASURES, leaderboard, rounded
from mcp_perf.agent.records import TaskRecord
from mcp_perf.agent.tasks import MODES


def run(mode, task, number, **known):
    """Return a run whose numbers are all the same, except those that are given."""
    numbers = {
        "duration": 60_000,
        "api_calls": 8,
        "interactions": 1,
        "total_tokens": 2000,
        "cache_reads": 1000,
        "cache_writes": 100,
        "cost": 0.25,
        "success": True,
    }
    return TaskRecord(mode=mode, task_id=task, directory_id=number, **numbers | known)


def metrics(group):
    """Return a group's metrics by name."""
    return {one.metric: one for one in group.metrics}


def test_the_means_are_those_computed_by_hand():
    """They include failures; the change is computed from the means before rounding."""
    rows = [
        run("control", 1, 1, duration=62_545, api_calls=8, cost=0.1, success=True),
        run("control", 1, 2, duration=41_300, api_calls=9, cost=0.2, success=False),
        run("control", 1, 3, duration=50_000, api_calls=9, cost=0.2, success=True),
        run("mcp", 1, 1, duration=49_699, api_calls=6, cost=0.3, success=True),
        run("mcp", 1, 2, duration=20_000, api_calls=7, cost=0.3, success=True),
    ]
    [overall, task] = leaderboard(rows).groups
    assert (overall.title, task.title) == ("Overall", "Task 1")
    assert overall.rows == {"control": 3, "mcp": 2}
    found = {
        name: (one.control, one.mcp, one.change_percent) for name, one in metrics(overall).items()
    }
    assert found == {
        "Duration (s)": (51.28, 34.85, -32.04),  # 153845 / 3, 69699 / 2 ms
        "API calls": (8.67, 6.5, -25.0),
        "Interactions": (1.0, 1.0, 0.0),
        "Tokens": (2000.0, 2000.0, 0.0),
        "Cache reads": (1000.0, 1000.0, 0.0),
        "Cache writes": (100.0, 100.0, 0.0),
        "Cost ($)": (0.17, 0.3, 80.0),
        "Success rate (%)": (66.67, 100.0, 50.0),
    }
    assert metrics(task) == metrics(overall)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (8.125, 8.13),  # exactly in the middle
        (-8.125, -8.13),
        (2.675, 2.67),  # 2.67499999999999982236431605997495353221893310546875
        (1.005, 1.0),
        (1.015, 1.01),
        (0.285, 0.28),
        (62.545, 62.55),  # 62.5450000000000017053025658242404460906982421875
        (-0.004, 0.0),
        (1e15 + 0.125, 1e15 + 0.13),
        (None, None),
    ],
)
def test_numbers_are_rounded_half_up_on_their_exact_binary_value(value, expected):
    """The publishers of such means round like this; a zero has no sign."""
    assert repr(rounded(value)) == repr(expected)


def test_there_are_eight_metrics_in_their_order():
    """They are the published ones."""
    assert [one.title.partition(" (")[0] for one in MEASURES] == [
        *("Duration", "API calls", "Interactions", "Tokens"),
        *("Cache reads", "Cache writes", "Cost", "Success rate"),
    ]


def test_a_number_that_nobody_recorded_is_0_in_a_mean_and_told():
    """A mean is over all rows, and the statistics leave such a row out."""
    rows = [run("control", 1, i) for i in range(3)] + [run("mcp", 1, i) for i in range(3)]
    board = leaderboard([*rows, run("mcp", 1, 4, cost=None, success=None)], ["More."])
    found = metrics(board.groups[0])
    assert (found["Cost ($)"].mcp, found["Cost ($)"].spread["mcp"].n) == (0.19, 3)
    assert found["Success rate (%)"].mcp == 75.0
    assert leaderboard([run("control", 1, 1), run("mcp", 1, 1)]).remarks == []
    told = "Cost ($): 1 of 7 rows have no value; the means count them as 0"
    assert board.remarks == [told, "More."]


def test_one_outlier_moves_a_mean_and_no_test():
    """It is named, and so is the change without it."""
    calm = [50_000, 52_000, 48_000, 51_000, 49_000, 50_500]
    rows = [run("control", 1, i, duration=ms) for i, ms in enumerate(calm)]
    rows += [run("mcp", 1, i, duration=ms) for i, ms in enumerate([*calm[:5], 600_000])]
    board = leaderboard(rows)
    one = metrics(board.groups[0])["Duration (s)"]
    assert one.change_percent == 182.86
    assert one.outliers == ["mcp task 1 5"]
    assert one.without_outliers_percent == -0.17
    assert one.p_value == 1.0
    low, high = one.change_ci95
    assert low < 0
    assert high > 180
    assert board.sentence == (
        "No evidence overall. The mean of Duration (s) depends on mcp task "
        "1 5: the change is +182.86 %, and -0.17 % without."
    )


def test_an_outlier_that_moves_nothing_is_only_named():
    """Both modes have one, and the change is the same without them."""
    calm = [50_000, 52_000, 48_000, 51_000, 49_000, 600_000]
    rows = [run(mode, 1, i, duration=ms) for mode in MODES for i, ms in enumerate(calm)]
    board = leaderboard(rows)
    assert metrics(board.groups[0])["Duration (s)"].outliers == [
        *("control task 1 5", "mcp task 1 5"),
    ]
    assert board.sentence == "No evidence overall."


def test_only_the_task_that_differs_is_said_to():
    """Overall, the others hide it; p-values are corrected for their number."""
    rows = [
        run(mode, task, i, api_calls=10 * (i + 1) + 400 * (task == 2 and mode == "mcp"))
        for mode, task, i in product(("control", "mcp"), (1, 2, 3), range(8))
    ]
    board = leaderboard(rows)
    names = {group.title: metrics(group)["API calls"].p_value for group in board.groups}
    assert names["Task 2"] < 0.01
    assert names["Task 1"] == names["Task 3"] == 1.0
    assert names["Overall"] > 0.05
    assert board.sentence == "No evidence overall; only task 2 (API calls) differs."


def test_what_differs_overall_is_named():
    """One sentence names several metrics."""
    rows = [
        run(mode, task, i, api_calls=10 + i - 9 * (mode == "mcp"), cost=i + 9 * (mode == "mcp"))
        for mode, task, i in product(("control", "mcp"), (1, 2), range(8))
    ]
    sentence = leaderboard(rows).sentence
    assert sentence == (
        "Overall, API calls and Cost ($) differ; only task 1 (API calls and Cost ($)) and "
        "task 2 (API calls and Cost ($)) differ."
    )


def test_without_both_modes_nothing_is_compared():
    """The means of one mode are shown, and the other's are missing."""
    board = leaderboard([run("mcp", 10, 1), run("mcp", 2, 2, duration=None)])
    one = metrics(board.groups[0])["API calls"]
    assert (one.control, one.mcp, one.change_percent, one.p_value) == (None, 8.0, None, None)
    assert [group.title for group in board.groups] == ["Overall", "Task 2", "Task 10"]
    assert board.sentence == "Nothing to compare: there must be runs of both modes."
    assert leaderboard([]).groups[0].rows == {"control": 0, "mcp": 0}


def test_models_are_never_compared_with_each_other():
    """If one model did the tasks without MCP and another one with it, no test has a result."""
    rows = [run("control", 1, i, model="m") for i in range(6)]
    rows += [run("mcp", 1, i, model="n", duration=1) for i in range(6)]
    board = leaderboard(rows)
    one = metrics(board.groups[0])["Duration (s)"]
    assert (one.change_percent, one.p_value) == (-100.0, None)
    assert board.sentence == "No evidence overall."
    assert [group.title for group in board.groups[2:]] == ["Model m", "Model n"]


def test_a_change_from_zero_is_no_number():
    """Nothing can be divided by it."""
    rows = [run(mode, 1, i, cost=0) for mode in ("control", "mcp") for i in range(6)]
    one = metrics(leaderboard(rows).groups[0])["Cost ($)"]
    assert (one.control, one.change_percent, one.change_ci95) == (0.0, None, None)
