"""Sides are measured by turns; the clocks are arguments, and nothing waits."""

import gc

import pytest

from mcp_perf.pytest_plugin.turns import BLOCK_NS, SHORTEST_NS, measure


class Clock:
    """Time that passes only when a side says so; reading it takes no time."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        """Read it."""
        return self.now

    def side(self, ns: int):
        """Return a call that takes that long."""

        def call() -> None:
            self.now += ns

        return call


def test_the_order_is_mirrored_from_round_to_round():
    """The order is A B, B A, A B, so drift affects both sides equally."""
    clock = Clock()
    sides = {"a": clock.side(50_000), "b": clock.side(50_000)}
    measured = measure(sides, rounds=4, round_s=0.001, clock=clock, cpu=clock)
    assert [turn.side for turn in measured.turns] == list("abbaabba")
    assert [turn.round for turn in measured.turns] == [1, 1, 2, 2, 3, 3, 4, 4]


def test_each_turn_lasts_at_least_a_round_and_each_side_gets_as_many_calls_as_fit():
    """A call longer than the round is made once, and a shorter one until the time is over."""
    clock = Clock()
    sides = {"long": clock.side(3_000_000), "short": clock.side(300_000)}
    measured = measure(sides, rounds=2, round_s=0.001, clock=clock, cpu=clock)
    blocks = {turn.side: turn.blocks_ns for turn in measured.turns}
    assert blocks == {"long": [3_000_000], "short": [300_000] * 4}
    assert all(turn.wall_ns >= 1_000_000 for turn in measured.turns)
    assert measured.turns[1].at_ns == 3_000_000


@pytest.mark.parametrize(
    ("call_ns", "block"),
    [
        (SHORTEST_NS, 1),
        (SHORTEST_NS - 1, 16),  # the first power of two that takes BLOCK_NS
        (100, 1024),
    ],
)
def test_calls_too_short_for_the_clock_are_timed_in_blocks(call_ns, block):
    """Calls of 10 us or more are timed one by one, and shorter ones in blocks of about 100 us."""
    clock = Clock()
    sides = {"a": clock.side(call_ns), "b": clock.side(call_ns)}
    measured = measure(sides, rounds=1, round_s=0.0001, clock=clock, cpu=clock)
    assert measured.block == {"a": block, "b": block}
    assert block == 1 or block * call_ns >= BLOCK_NS
    assert set(measured.turns[0].blocks_ns) == {block * call_ns}


def test_garbage_collection_is_as_it_was_afterwards():
    """The measurement's changes are undone, even if a side raises."""

    def fails() -> None:
        raise ZeroDivisionError

    frozen = gc.get_freeze_count()
    with pytest.raises(ZeroDivisionError):
        measure({"a": fails, "b": fails}, rounds=1, round_s=0.001)
    assert gc.get_freeze_count() == frozen
