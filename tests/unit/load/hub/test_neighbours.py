"""Processes of one machine that hand each other arrivals; here all of them are in one process."""

import contextlib
from pathlib import Path
from types import SimpleNamespace

import gevent
import pytest

from mcp_perf.load.hub.neighbours import Neighbours, meeting_point
from mcp_perf.load.prepare.relay import Task


@pytest.fixture
def three():
    """Let three processes meet; each writes down what it takes."""
    with meeting_point(3) as folder:
        made = [Neighbours(Path(folder), node, 3) for node in range(3)]
        taken = [[] for _ in made]
        for one, seen in zip(made, taken, strict=True):
            one.join(seen.append)
        yield made, taken
        for one in made:
            one.close()
    assert not Path(folder).exists()


def test_an_arrival_goes_to_the_next_process_with_a_free_user(three):
    """It goes round the ring, and never to two processes."""
    made, taken = three
    made[0].tell(free=True)
    made[2].tell(free=True)
    assert made[1].hand_over(7)
    assert made[2].hand_over(8)
    gevent.idle()
    assert taken == [[8], [], [7]]


def test_nobody_hands_over_if_nobody_else_has_a_free_user(three):
    """The process itself has none, even if it said so before."""
    made, taken = three
    made[0].tell(free=True)
    assert not made[0].hand_over(7)
    made[1].tell(free=True)
    made[1].tell(free=False)
    assert not made[0].hand_over(7)
    gevent.idle()
    assert taken == [[], [], []]


def test_a_process_that_leaves_takes_what_was_handed_over(three):
    """No arrival is lost at the end of a turn, and none comes in the next one."""
    made, taken = three
    made[1].tell(free=True)
    assert made[0].hand_over(7)
    made[1].leave()
    assert taken[1] == [7]
    assert not made[0].hand_over(8)
    made[1].join(taken[1].append)
    gevent.idle()
    assert taken[1] == [7]


def test_a_process_that_reads_nothing_is_handed_a_limited_number(three):
    """When its pipe is full, the arrival counts as dropped in the process of its plan."""
    made, taken = three
    made[1].tell(free=True)
    handed = 0
    while made[0].hand_over(handed):
        handed += 1
    made[1].leave()
    assert taken[1] == list(range(handed))


def test_a_worker_of_another_machine_keeps_its_part(tmp_path):
    """The folder does not exist there; in a closed load it does not exist at all."""
    given = SimpleNamespace(replay=None), {}, 4
    assert Task(*given, 0, 2, meeting=str(tmp_path / "elsewhere")).neighbours() is None
    assert Task(*given, 0, 2).neighbours() is None
    with (
        meeting_point(2) as folder,
        contextlib.closing(Task(*given, 1, 2, meeting=folder).neighbours()) as one,
    ):
        assert not one.hand_over(1)
