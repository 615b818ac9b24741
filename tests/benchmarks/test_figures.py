"""`make bench` shows its measurements as tables."""

from tests.benchmarks.figures import Figure, columns, ratio, table


def test_figures_stand_in_columns_with_their_spread():
    """Each has its median, minimum, maximum and count; a ratio has its interval."""
    pair = ratio("b", "a", [2.0, 2.1, 1.9, 2.0, 2.05, 1.95], [1.0, 1.0, 1.0, 1.0, 1.0, 1.0])
    assert table([Figure("a thing", "ms", [1941.5, 1.0, 2000.25]), pair]).split("\n") == [
        "figure                     median   from least to most   n",
        "-------------------------  -------  -------------------  -",
        "a thing                    1942 ms  1 to 2000            3",
        "CPU per tools/call: b / a  2 x      1.89 to 2.11 (95 %)  6",
    ]


def test_a_rival_that_is_not_there_says_so_in_its_row():
    """The other clients are measured all the same."""
    rows = [("ours", "9000", "25", "1.00 x"), ("theirs", "theirs is not installed", "", "")]
    assert columns(("client", "calls/s", "us", "vs ours"), rows).split("\n") == [
        "client  calls/s                  us  vs ours",
        "------  -----------------------  --  -------",
        "ours    9000                     25  1.00 x",
        "theirs  theirs is not installed",
    ]
