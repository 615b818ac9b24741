"""The upstreams' own counts around each turn, read from a real simulator."""

import socket
from types import SimpleNamespace

import httpx
import pytest

from mcp_perf.load.plan.schedule import Turn
from mcp_perf.load.watch.upstreams import Together, Upstreams
from mcp_targets.launcher.systems import Systems

TURN = Turn(3, "mcp", "round", 1, 5.0, 1)
ROUTE = "/peers/peer-1/status"


@pytest.fixture(scope="module")
def upstream(tmp_path_factory):
    """Start a system with simulated upstreams; return where they are counted."""
    with Systems(tmp_path_factory.mktemp("logs")) as systems:
        yield systems.face("dual_runtime/mcp").upstream


def sampler(**pages):
    """Return a reader of these pages by arm."""
    targets = {arm: SimpleNamespace(upstream=page) for arm, page in pages.items()}
    return Upstreams(targets, lambda: 7.0)


@pytest.mark.process
def test_a_turn_is_told_what_was_asked_in_it_alone(upstream):
    """Earlier requests do not count, nor does the reading itself."""
    reader = sampler(mcp=upstream)
    httpx.get(upstream + ROUTE)
    assert reader.begin(TURN) == []
    with httpx.Client() as client:
        client.get(upstream + ROUTE)
        client.get(upstream + ROUTE)
    [use] = reader.end(TURN)
    assert (use.turn, use.arm, use.at_s) == (3, "mcp", 7.0)
    assert (use.requests, use.connections, use.max_in_parallel) == (2, 1, 1)


def test_an_arm_without_simulated_upstreams_has_no_record():
    """It may be a remote server, or a system that asks nobody."""
    reader = sampler(mcp="")
    assert [*reader.begin(TURN), *reader.end(TURN)] == []


def test_a_simulator_that_has_died_costs_the_record_and_nothing_else():
    """The run itself says that a system's process died."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound, but not listening
        reader = sampler(mcp=f"http://127.0.0.1:{nobody.getsockname()[1]}")
        assert [*reader.begin(TURN), *reader.end(TURN)] == []


def test_what_is_measured_first_is_ended_last():
    """So the inner one sees only the turn."""
    log = []

    def part(name):
        return SimpleNamespace(
            begin=lambda _turn: log.append(f"begin {name}") or [name],
            end=lambda _turn: log.append(f"end {name}") or [name],
        )

    both = Together([part("outer"), part("inner")])
    assert both.begin(TURN) == ["outer", "inner"]
    assert both.end(TURN) == ["inner", "outer"]
    assert log == ["begin outer", "begin inner", "end inner", "end outer"]
