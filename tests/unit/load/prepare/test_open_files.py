"""Open files: how many a scenario needs. Too low a limit is reported before anything runs."""

import resource
from pathlib import Path

import pytest

from mcp_perf.load.prepare.open_files import needed, require
from mcp_perf.load.prepare.prepare import lines_of
from mcp_perf.load.targets.refusal import Refusal
from mcp_perf.scenario.loader import load_text

SCENARIO = """\
name: demo
title: A demo
arms:
  a: ARM
journeys:
  first:STEPS
"""
CALL = " {steps: [{call: echo}]}"
BURST = " {steps: [{parallel: [{call: a}, {call: b}, {call: c}]}]}"
ASKED = " {answers: {roots: ['file:///a']}, steps: [{call: echo}]}"
ASKED_AT_ONCE = " {answers: {roots: ['file:///a']}, steps: [{parallel: [{call: a}, {call: b}]}]}"
CANCELS = " {steps: [{call: echo, cancel_after: 1s}]}"
LISTENS = " {steps: [{listen: tools}, {listen: prompts}, {subscribe: 'echo://a'}, {call: echo}]}"


def demo(arm, steps=CALL):
    """Load a scenario of one arm."""
    text = SCENARIO.replace("ARM", arm).replace("STEPS", steps)
    return load_text(text, "demo.yaml", Path(), environ={})


def of_run(users, arm, steps=CALL):
    """Return what a run with a scenario of one arm needs files for."""
    loaded = demo(arm, steps)
    return loaded, users, lines_of(loaded, {})


@pytest.fixture
def limits(monkeypatch):
    """Pretend limits of this process; return them as they are set."""
    now = [1024, 4096]
    monkeypatch.setattr(resource, "getrlimit", lambda _which: tuple(now))
    monkeypatch.setattr(resource, "setrlimit", lambda _which, pair: now.__setitem__(slice(2), pair))
    return now


@pytest.mark.parametrize(
    ("arm", "steps", "each"),
    [
        ("{http: 'http://127.0.0.1:1'}", " {steps: [{get: /a}]}", 1),
        ("{mcp: 'http://127.0.0.1:1'}", CALL, 1),
        ("{mcp: 'http://127.0.0.1:1', stream: true}", CALL, 2),
        ("{mcp: 'http://127.0.0.1:1'}", ASKED, 3),
        ("{mcp: 'http://127.0.0.1:1', stream: true}", BURST, 4),
        ("{mcp: 'http://127.0.0.1:1', stream: true}", ASKED, 3),
        ("{mcp: 'http://127.0.0.1:1'}", ASKED_AT_ONCE, 6),
        ("{mcp: 'http://127.0.0.1:1', protocol: 2026-07-28}", ASKED, 1),
        ("{mcp: 'http://127.0.0.1:1', protocol: 2025-11-25}", CANCELS, 2),
        ("{mcp: 'http://127.0.0.1:1', protocol: 2026-07-28}", CANCELS, 1),
        ("{mcp: 'http://127.0.0.1:1', protocol: 2025-11-25}", LISTENS, 2),
        ("{mcp: 'http://127.0.0.1:1', protocol: 2026-07-28}", LISTENS, 4),
        ("{mcp: 'http://127.0.0.1:1'}", LISTENS, 4),
        ("{mcp: {sse: 'http://127.0.0.1:1'}}", CALL, 2),
        ("{mcp: {stdio: [server]}}", CALL, 3),
        ("{mcp: 'system:echo/stdio'}", CALL, 3),
        ("{mcp: {python: 'a:b'}}", CALL, 0),
    ],
)
def test_a_user_needs_as_many_files_as_it_has_connections(arm, steps, each):
    """Calls at once, streams, answers and cancellations take some, depending on the era."""
    thousand = needed(*of_run(1001, arm, steps)) - needed(*of_run(1, arm, steps))
    assert thousand == 1000 * each


def test_an_arm_that_is_pointed_elsewhere_needs_what_that_takes():
    """The target in its file does not count."""
    loaded = demo("{mcp: 'http://127.0.0.1:1'}")
    pointed = {"a": "stdio:server"}
    assert needed(loaded, 1001, pointed) - needed(loaded, 1, pointed) == 3000


def test_a_limit_that_is_high_enough_is_left_alone(limits):
    """A small run changes nothing."""
    require(*of_run(100, "{mcp: 'http://127.0.0.1:1'}"))
    assert limits == [1024, 4096]


def test_a_limit_that_is_too_low_is_raised(limits):
    """It is raised as far as the machine lets a process raise it."""
    require(*of_run(1000, "{mcp: 'http://127.0.0.1:1', stream: true}"))
    assert limits == [4096, 4096]


def test_an_unlimited_machine_is_asked_for_what_is_needed(limits):
    """Asking for an unlimited number would be refused if the machine has a hidden limit."""
    limits[1] = resource.RLIM_INFINITY
    run = of_run(5000, "{mcp: 'http://127.0.0.1:1', stream: true}")
    require(*run)
    assert limits[0] == needed(*run)


@pytest.mark.parametrize("refuse", [False, True])
def test_what_the_machine_forbids_is_refused_with_what_to_do(limits, monkeypatch, refuse):
    """The message has the number that is needed and the one that is allowed. Nothing is sent."""
    if refuse:

        def forbid(*_given):
            raise ValueError("not allowed")

        limits[1] = resource.RLIM_INFINITY
        monkeypatch.setattr(resource, "setrlimit", forbid)
    with pytest.raises(Refusal, match="5000 users need about 10256 open files") as refused:
        require(*of_run(5000, "{mcp: 'http://127.0.0.1:1', stream: true}"))
    assert refused.value.exit_code == 104
    assert ("1024" if refuse else "4096") in str(refused.value)
    assert "--processes" in str(refused.value)
    assert limits[0] == 1024
