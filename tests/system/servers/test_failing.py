"""Runs against a server that fails in known ways, and with a stopped generator."""

import os
import signal
import subprocess
import time

import pytest

pytestmark = pytest.mark.load

CASE = """
name: failing
arms: {mcp: {mcp: "URL", protocol: 2025-11-25, timeout: 2s}}
journeys: {one: {steps: [{call: work}]}}
load: LOAD
# The generator shares two cores with the server, and others.
limits: {loop_lag_p99: 10s, lost_time: 100%, generator_cpu: 100%, late_starts: 100%}
"""
CLOSED = "{users: 6, rounds: 2, round: 1s, warmup: 0s, think: 40ms}"
OPEN = "{rate: 100/s, max_in_flight: 4, rounds: 2, round: 1s, warmup: 0s}"


@pytest.fixture
def begin(tmp_path, command, environment, until):
    """Start a run; return the process and its folder once the round with this number has begun."""
    started = []

    def run(server, *settings, begun=1, load=CLOSED):
        path, out = tmp_path / "case.yaml", tmp_path / "run"
        path.write_text(CASE.replace("URL", server.url).replace("LOAD", load))
        argv = [*command("mcp-perf"), "run", str(path), "--out", str(out), "--format", "json"]
        argv += [part for setting in settings for part in ("--set", setting)]
        with (tmp_path / "said").open("w") as said:
            process = subprocess.Popen(
                argv, env=environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said
            )
        started.append(process)
        journal = out / "journal.jsonl"

        def measuring() -> bool:
            assert process.poll() is None, (tmp_path / "said").read_text()
            return journal.exists() and journal.read_text("utf-8").count('"type":"turn"') >= begun

        until(measuring, "the round did not begin", 120)
        return process, out

    yield run
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def run_on(begin, report):
    """Run to the end; return the report."""

    def run(server, *settings):
        process, out = begin(server, *settings)
        process.wait(120)
        return report(out)

    return run


@pytest.mark.parametrize(
    "settings",
    [
        ("load.round=1s",),
        ("load.round=300ms", "load.rounds=3", "load.think=0s"),
        ("load.round=3s", "load.think=200ms"),  # calls reach their timeouts within the round
        ("limits.drain=500ms",),  # none of them gets its full timeout
    ],
    ids=" ".join,
)
def test_promise_09_unanswered_calls_are_those_that_the_server_did_not_answer(
    settings, start, run_on
):
    """With rounds, timeouts and think times of any length, if one call in twenty is unanswered."""
    server = start("failing_app.py", "hang=20")
    document = run_on(server, *settings)
    told, arm = server.get("/told"), document["arms"]["mcp"]
    assert arm["calls"] == told["tools/call"]
    assert arm["classes"]["timeout"] == told["unanswered"] > 0
    assert arm["classes"]["interrupted"] == 0
    assert arm["setup"]["notifications/cancelled"]["count"] == told["notifications/cancelled"]
    assert told["notifications/cancelled"] == told["unanswered"]
    # One session, which is not in the report, was opened to list the tools.
    assert arm["setup"]["DELETE session"]["count"] == told["deleted"] - 1 == 6


def test_promise_31_users_who_never_get_a_session_fail_the_run(start, run_on):
    """Four of six wait for a session; the others make so many calls that it barely shows."""
    server = start("failing_app.py", "sessions=3")
    document = run_on(server, "load.think=1ms")
    assert document["verdict"] == "FAIL"
    assert document["reasons"][0]["text"].startswith("4 of 6 users of mcp had no session")
    assert document["arms"]["mcp"]["error_rate"] < 0.1


def test_users_do_as_retry_after_says(start, run_on):
    """A server that accepts twenty calls a second, and says when to come back, is not hammered."""
    server = start("failing_app.py", "limit=20")
    settings = ("load.rounds=1", "load.round=4s", "load.think=1ms")
    document = run_on(server, *settings)
    limited = server.get("/told")["limited"]
    assert limited <= 6 * 6  # each user once a second, and not thousands of times
    assert any("Retry-After" in note for note in document["notes"])


def test_a_server_that_dies_is_the_first_reason(start, begin, report):
    """The reason has the moment at which it stopped answering."""
    server = start("failing_app.py")
    process, out = begin(server, "load.round=2s", begun=2)
    server.stop()
    process.wait(120)
    document = report(out)
    assert document["verdict"] == "FAIL"
    assert document["reasons"][0]["text"].startswith("mcp stopped answering at ")
    moment = float(document["reasons"][0]["text"].split(" at ")[1].split(" s")[0])
    [second] = [turn for turn in document["arms"]["mcp"]["rounds"] if turn["round"] == 2]
    assert second["at_s"] - 0.1 <= moment <= second["at_s"] + 2.5


def test_a_server_that_comes_back_was_away_from_then_to_then(start, begin, report):
    """Users go on as soon as it answers, and the report says how long it was away."""
    server = start("failing_app.py")
    process, out = begin(server, "load.rounds=1", "load.round=12s")
    server.stop()
    time.sleep(1)  # it is away at least this long
    server.start()
    process.wait(120)
    document = report(out)
    [note] = [note for note in document["notes"] if "unreachable" in note]
    assert note.startswith("mcp was unreachable from ")
    assert float(note.split(" to ")[1].split(" s")[0]) < document["duration_s"] - 1


@pytest.mark.parametrize("load", [CLOSED, OPEN], ids=["closed", "open"])
def test_promise_18_a_generator_that_is_stopped_is_not_the_servers_fault(
    load, start, begin, report
):
    """SIGSTOP for a second and a half, in a closed and in an open load: INVALID with the reason."""
    server = start("failing_app.py")
    limits = ("limits.lost_time=1%", "limits.late_starts=1%", "load.round=4s", "load.rounds=1")
    process, out = begin(server, *limits, load=load)
    time.sleep(0.5)
    os.kill(process.pid, signal.SIGSTOP)
    time.sleep(1.5)  # the pause is the event under test, not a wait for one
    os.kill(process.pid, signal.SIGCONT)
    assert process.wait(120) == 91
    document = report(out)
    assert document["verdict"] == "INVALID"
    text = " ".join(reason["text"] for reason in document["reasons"])
    assert "in stalls" in text
    assert "it stopped without using the processor" in text
