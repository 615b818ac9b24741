import pytest

from mcp_perf import numbers
from mcp_perf.results.render.words import load_words

CLOSED = {"model": "closed", "shape": "constant", "users": 20, "rounds": 6, "round_s": 5.0}
OPEN = {"model": "open", "shape": "constant", "rate_per_s": 400.0, "rounds": 20, "round_s": 4.0}


@pytest.mark.parametrize(
    ("load", "said"),
    [
        (CLOSED, "20 users, closed, 6 rounds of 5 s"),
        (CLOSED | {"users": 1, "rounds": 1}, "1 user, closed, 1 round of 5 s"),
        (CLOSED | {"shape": "ramp"}, "up to 20 users (ramp), closed, 6 rounds of 5 s"),
        (
            CLOSED | {"round_s": 0.7000000000000001, "think_s": [1.0, 3.0]},
            "20 users, closed, 6 rounds of 0.7 s, think time 1 s to 3 s",
        ),
        (CLOSED | {"think_s": [0.02, 0.02]}, "20 users, closed, 6 rounds of 5 s, think time 20 ms"),
        (
            CLOSED | {"round_s": 600.0, "think_s": [0, 0]},
            "20 users, closed, 6 rounds of 10 min 00 s",
        ),
        (OPEN, "400/s, open, 20 rounds of 4 s"),
        (OPEN | {"arrivals": "poisson"}, "400/s, open, 20 rounds of 4 s, poisson arrivals"),
        (OPEN | {"shape": "step"}, "up to 400/s (step), open, 20 rounds of 4 s"),
        (
            OPEN | {"shape": "breakpoint"},
            "search for the capacity up to 400/s, open, trials of 4 s or longer",
        ),
        ({}, ""),
    ],
)
def test_a_load_is_said_in_words(load, said):
    """The amount, the model and the time."""
    assert load_words.describe(load).replace(numbers.THIN, " ") == said
