"""The report next to its numbers: the generator, lost and idle workers, the timeline, the notes."""

import pytest
from msgspec.structs import replace

from mcp_perf.results.document.document import Report
from mcp_perf.results.journal.records import SETUP, Health, Note, RunEnded, Slice, TurnEnded
from mcp_perf.results.report.build import build
from tests.support import virtual_run as virtual
from tests.support.virtual_run import Round, cell, texts


def built(arms, **changes) -> Report:
    """Build the report of a run of these rounds."""
    return build(virtual.journal(arms, **changes))


def test_the_generator_is_described_by_its_measured_rounds():
    """CPU of the busiest process, CPU per call of all of them, lag, late starts, processes."""
    health = Health(
        cpu_s=0.5, wall_s=1, lag=virtual.pairs([2_000_000] * 200), late_starts=1, starts=1000
    )
    report = built({"mcp": [Round(ok=1000)] * 2}, nodes=["w1", "w2"], health=health)
    generator = report.generator
    assert generator.cpu_percent == 50
    assert generator.cpu_us_per_call == pytest.approx(2.0e6 / 4000)
    assert generator.loop_lag_p99_ms == pytest.approx(2, rel=0.001)
    assert (generator.late_starts, generator.processes, generator.workers_lost) == (4, 2, [])


def test_results_that_were_checked_are_counted_among_those_that_could_be():
    """A call that timed out has no result to check against a schema."""
    timed_out = Round(ok=100, failed=50, cls="timeout", sampled=(20, 2, 80))
    said = (
        "20 of 100 results of mcp were checked against the outputSchema of their tools; 2 broke it."
    )
    assert said in built({"mcp": [timed_out]}).notes


def test_journeys_that_no_user_walked_are_named():
    """Users draw them by weight, so a short run may leave some out; a few are named."""
    others = [f"rare-{number}" for number in range(7)]
    named = "rare-0, rare-1, rare-2, rare-3, rare-4 and 2 more"
    why = "did not come up in a measured round"
    for journeys, said in (
        (["say"], []),
        (["say", *others], [f"7 journeys of mcp {why}: {named}."]),
        (["say", "rare"], [f"1 journey of mcp {why}: rare."]),
    ):
        report = built({"mcp": [Round()]}, journeys=journeys)
        assert [note for note in report.notes if "did not come up" in note] == said


@pytest.mark.parametrize("gate", ["mcp.availability > 99%", "mcp.error_rate < 50%"])
def test_how_long_an_arm_was_away_is_told_if_a_gate_is_about_it(gate):
    """With the time in a row: that is how long it took to recover."""
    records = virtual.journal({"mcp": [Round(busy_s=6.0)] * 2}, gates=[gate])
    turn = max(record.turn for record in records if isinstance(record, Slice))
    at = next(i for i, one in enumerate(records) if isinstance(one, Slice) and one.turn == turn)
    slots = [
        cell("mcp", [0.0], kind="slot", name=str(second), cls=cls)
        for second, cls in enumerate(["ok", "timeout", "ok", "timeout", "timeout", "ok"])
    ]
    records[at] = replace(records[at], cells=[*records[at].cells, *slots])
    said = "mcp was not available in 3 of 6 seconds, from "
    report = build(records)
    assert any(note.startswith(said) for note in report.notes) == ("availability" in gate)
    assert report.arms["mcp"].availability == 0.5


def test_a_lost_worker_is_named():
    """By its name if the note has it, else by the note's words: INVALID, exit code 92."""
    lost = [
        Note(at_s=1, code="worker_lost", text="worker w2 was lost", node="w2"),
        Note(at_s=1, code="worker_lost", text="another one was lost"),
    ]
    report = built({"mcp": [Round()]}, extra=lost)
    assert report.generator.workers_lost == ["w2", "another one was lost"]
    assert (report.verdict, report.exit_code) == ("INVALID", 92)


def test_a_worker_with_users_but_without_calls_is_never_a_pass():
    """One worker did nothing; one that only watched has no users and is left alone."""
    records = virtual.journal({"mcp": [Round()]})
    for node, users in (("w2", 3), ("watcher", 0)):
        end = TurnEnded(turn=0, node=node, users=users, busy_s=1, planned=0)
        records.insert(-1, end)
    report = build(records)
    assert report.verdict == "INCONCLUSIVE"
    assert texts(report.reasons) == [
        "Worker w2 had users, but none of its calls ended: see the messages of this worker."
    ]


def test_only_measured_rounds_tell_whether_a_worker_worked():
    """A worker that left after the warm-up is not idle; one that only worked there is."""
    warmup = virtual.turn(0, "mcp", 0, Round(ok=1), nodes=["w1", "w2"])
    turn = virtual.turn(1, "mcp", 1, Round(), nodes=["w1"])
    idle = TurnEnded(turn=1, node="w2", users=1, busy_s=1, planned=0)
    end = RunEnded(at_s=2, reason="finished")
    first = virtual.started(["mcp"])
    assert build([first, *warmup, *turn, end]).verdict == "PASS"
    assert "Worker w2" in build([first, *warmup, *turn, idle, end]).reasons[0].text


def test_the_only_process_is_not_called_an_idle_worker():
    """Without any call the arm is what was not measured; the process is not named on top."""
    reasons = texts(built({"mcp": [Round(ok=0)]}).reasons)
    assert reasons == ["No call of mcp ended in a measured round, so nothing is known about it."]


def test_the_timeline_has_a_point_for_every_second():
    """Warm-up included, in the order of time."""
    warmup = virtual.turn(0, "mcp", 0, Round(ok=5), at_s=0)
    turns = virtual.turn(1, "mcp", 1, Round(ok=8, failed=2), at_s=3)
    records = [*warmup, *turns, RunEnded(at_s=2, reason="finished")]
    timeline = build([virtual.started(["mcp"]), *records]).timeline
    assert [(p.at_s, p.phase, p.calls_per_s, p.errors_per_s) for p in timeline] == [
        (0, "warmup", 5, 0),
        (3, "round", 10, 2),
    ]


def test_notes_tell_what_a_reader_must_know():
    """What the run wrote down, once, and what only the tallies show."""
    setup = Slice(
        node="w1",
        turn=SETUP,
        at_s=0,
        seconds=1,
        cells=[cell("mcp", [1.0] * 3, cls="timeout"), cell("mcp", [1.0] * 4)],
        health=virtual.COOL,
    )
    stray = Slice(node="w1", turn=99, at_s=0, seconds=1, cells=[], health=virtual.COOL)
    noted = [
        Note(at_s=1, code="session_lost", text="a session was lost", arm="mcp", count=2),
        Note(at_s=2, code="session_lost", text="a session was lost", arm="mcp"),
        Note(at_s=3, code="system_died", text="the system died", arm="mcp"),
    ]
    hour = cell("mcp", [4_000_000.0] * 2)
    recovered = cell("mcp", [20.0], kind="recovery")
    warmup = virtual.turn(50, "mcp", 0, Round(failed=7))
    late = Slice(node="w1", turn=0, at_s=0, seconds=1, cells=[hour, recovered], health=virtual.COOL)
    report = built({"mcp": [Round()]}, extra=[setup, stray, *noted, late, *warmup])
    assert report.notes == [
        "a session was lost (2 times)",
        "the system died",
        "2 calls of mcp took longer than an hour; percentiles count it as an hour.",
        "7 calls of mcp failed in the warm-up, which does not count.",
        "3 calls of mcp failed outside of rounds, such as opening a session.",
        "1 slices of the journal belong to no turn and were left out.",
    ]
    arm = report.arms["mcp"]
    assert (arm.sessions_lost, arm.setup_calls, arm.warmup_calls) == (3, 7, 107)
    assert arm.recovery_ms.max == pytest.approx(20)


@pytest.mark.parametrize(
    ("load", "end", "noted"),
    [
        ({"model": "closed"}, "finished", True),
        ({"model": "closed", "think_s": [0, 0]}, "finished", True),
        ({"model": "closed", "think_s": [0, 2]}, "finished", False),
        ({"model": "open"}, "finished", False),
        ({"model": "closed"}, "signal", False),
    ],
)
def test_promise_23_littles_law_is_checked_where_it_holds(load, end, noted):
    """Closed load without think time, in a run that was not cut off."""
    half_idle = Round(ms=10, ok=50, busy_s=1.0, users=1)
    notes = built({"mcp": [half_idle]}, load=load, end=end).notes
    assert any("Little's law" in note for note in notes) is noted


def test_a_round_without_all_its_users_makes_the_run_invalid():
    """Whatever kept them away: the load was not the one that was asked for."""
    records = virtual.journal({"mcp": [Round(users=8) for _ in range(6)]})
    [short] = [r for r in records if isinstance(r, TurnEnded) and r.turn == 3]
    records[records.index(short)] = replace(short, users=1)
    report = build(records)
    assert (report.verdict, report.exit_code) == ("INVALID", 91)
    assert report.reasons[0].text.startswith(
        "Not all users took part in every round (1 short): round 4 of mcp had 1 of 8."
    )
    assert build(virtual.journal({"mcp": [Round(users=8) for _ in range(6)]})).verdict != "INVALID"


def strays(turn, **kinds):
    """Give what came for no call in a turn."""
    cells = [cell("mcp", [0.0] * n, kind="stray", name=name) for name, n in kinds.items()]
    return Slice(node="w1", turn=turn, at_s=0, seconds=1, cells=cells, health=virtual.COOL)


def test_promise_29_strays_are_a_rate_over_the_rounds_and_told_over_the_run():
    """They are not calls, not even in set-up; the first of each kind is shown."""
    said = Note(at_s=1, code="no_message", text='{"level":30}', arm="mcp")
    more = [strays(SETUP, no_message=2), strays(0, no_message=120, late_reply=30), said]
    report = built({"mcp": [Round(ok=100)]}, extra=more, gates=["mcp.stray_rate <= 0%"])
    arm = report.arms["mcp"]
    assert (arm.strays, arm.stray_rate) == ({"no_message": 120, "late_reply": 30}, 1.5)
    assert (arm.calls, arm.setup_calls, arm.setup) == (100, 0, {})
    pieces = "122 lines or events that are not JSON-RPC messages came from mcp (no_message)"
    assert report.notes[:2] == [
        "Stray: 30 answers to requests that were given up came from mcp (late_reply)",
        f'Stray: {pieces}, such as {{"level":30}}',
    ]
    assert (report.gates[0].verdict, report.gates[0].measured) == ("FAIL", 1.5)
    assert report.reasons[0].code == "gate_failed"
    assert "clean" in built({"mcp": [Round(ok=100)]}).reasons[0].text
    found = built({"mcp": [Round(ok=100)]}, extra=[strays(SETUP, no_message=1)])
    assert (found.verdict, "clean" in found.reasons[0].text) == ("PASS", False)


def test_a_remark_that_each_process_makes_is_shown_once():
    """Others say how often they were made."""
    made = [Note(at_s=1, code=code, text=code) for code in ("remark", "other") for _ in "12"]
    assert built({"mcp": [Round()]}, extra=made).notes == ["remark", "other (2 times)"]


def test_streams_that_the_server_ends_have_an_account():
    """How often, how long they lived, and by what they were refused; nothing if all live on."""

    def streams(turn, **times):
        cells = [cell("mcp", ms, kind="stream", name=name) for name, ms in times.items()]
        return Slice(node="w1", turn=turn, at_s=0, seconds=1, cells=cells, health=virtual.COOL)

    opened = streams(SETUP, opened=[0.0] * 4)
    assert built({"mcp": [Round()]}, extra=[opened]).notes == []
    more = streams(0, opened=[0.0] * 2, lived=[2000.0] * 3, gap=[1000.0, 3000.0])
    report = built({"mcp": [Round()]}, extra=[opened, more, streams(0, **{"HTTP 409": [0.0] * 5})])
    assert report.arms["mcp"].setup_calls == 0
    own = "The load generator itself made the requests (GET) for them."
    [note] = report.notes
    assert note.replace("\N{NARROW NO-BREAK SPACE}", " ") == (
        "Streams of mcp were opened 6 times; the server ended 3, which lived 2 000 ms (median); "
        f"2 were opened again, at most 3 000 ms later; refused: 5 by HTTP 409. {own}"
    )
    refused = streams(0, **{"HTTP 409": [0.0]})
    text = "Streams of mcp were opened 0 times; refused: 1 by HTTP 409."
    assert built({"mcp": [Round()]}, extra=[refused]).notes == [f"{text} {own}"]
    first, *records = virtual.journal({"mcp": [Round()]}, extra=[refused])
    by_steps = replace(first, arms={"mcp": {"protocol": "2026-07-28"}})
    assert build([by_steps, *records]).notes == [text]


def test_streams_that_no_process_knows_hint_at_affinity():
    """Every stream got 404 though calls were ok: it may have reached another process."""
    cells = [cell("mcp", [0.0], kind="stream", name="HTTP 404")]
    refused = Slice(node="w1", turn=SETUP, at_s=0, seconds=1, cells=cells, health=virtual.COOL)
    [note] = built({"mcp": [Round()]}, extra=[refused]).notes
    assert "refused: 1 by HTTP 404 (the stream may reach another process" in note


@pytest.mark.parametrize("gates", [[], ["mcp.error_rate < 50%"]])
@pytest.mark.parametrize("turn", [SETUP, 0])
def test_promise_29_one_answer_to_another_user_fails_the_run(gates, turn):
    """At any time of it, with every call ok, and whatever its gates are about."""
    report = built({"mcp": [Round(ok=100)]}, extra=[strays(turn, crossed_reply=3)], gates=gates)
    assert (report.verdict, report.exit_code) == ("FAIL", 99)
    assert report.reasons[0].code == "crossed_replies"
    assert report.reasons[0].text.startswith("3 answers of mcp reached another user")


def test_refusals_for_the_rate_are_shown_with_the_rate_that_was_admitted():
    """In the rounds, and outside of them: the report names a limit that is met."""
    setup = Slice(
        node="w1",
        turn=SETUP,
        at_s=0,
        seconds=1,
        cells=[cell("mcp", [1.0] * 3, cls="rate_limited", name="initialize")],
        health=virtual.COOL,
    )
    report = built({"mcp": [Round(ok=75, failed=25, cls="rate_limited")]}, extra=[setup])
    arm = report.arms["mcp"]
    assert (arm.rate_limited_rate, arm.error_rate) == (0.25, 0.25)
    assert (arm.calls_per_s, arm.admitted_per_s) == (100, 75)
    assert arm.setup["initialize"].classes["rate_limited"] == 3
    often = "refused because they came too often (rate_limited)"
    assert report.notes[:2] == [
        f"25 of 100 calls of mcp were {often}. It admitted 75/s.",
        "mcp refused 3 requests outside of rounds for coming too often (rate_limited).",
    ]
