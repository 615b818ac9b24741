"""Targets that stopped answering, and users who were not served, in the verdict."""

import pytest

from mcp_perf.results.journal.records import Note, Outage
from mcp_perf.results.judge.outages import mended, merged, returned, stopped, users_without
from mcp_perf.results.report.build import build
from mcp_perf.results.tally.metrics import Totals
from mcp_perf.results.tally.tally import fold
from tests.support.virtual_run import Round, journal, texts


def outage(from_s, to_s, *, is_over=True, node="w1", arm="mcp", failures=4):
    """Give the record of an outage."""
    return Outage(
        node=node,
        arm=arm,
        from_s=from_s,
        to_s=to_s,
        is_over=is_over,
        failures=failures,
        how="refused connections",
    )


def test_what_several_processes_saw_at_once_is_one_outage():
    """It begins with the first failed call and is over as soon as one process got an answer."""
    seen = [
        outage(3.0, 5.0, is_over=False),
        outage(3.1, 5.2, node="w2"),
        outage(5.2, 5.3, node="w3"),
        outage(9.0, 9.5),
        outage(4.0, 4.6, arm="rest"),
    ]
    found = [(one.arm, one.from_s, one.to_s, one.is_over, one.failures) for one in merged(seen)]
    assert found == [
        ("mcp", 3.0, 5.3, True, 12),
        ("rest", 4.0, 4.6, True, 4),
        ("mcp", 9.0, 9.5, True, 4),
    ]


def test_an_outage_says_when_it_was_and_how():
    """With the beginning and, if the target returned, the end."""
    how = "it refused connections (4 calls failed in a row)."
    (gone,) = stopped([outage(6.12, 9.0, is_over=False)], ())
    when = "mcp stopped answering at 6.12 s, and did not answer again"
    assert gone == ("mcp", "target_stopped", f"{when}: {how}")
    (back,) = returned([outage(3.04, 5.16)])
    when = "mcp was unreachable from 3.04 s to 5.16 s"
    assert back == ("mcp", "target_unreachable", f"{when}: {how}")
    assert list(stopped([outage(3.0, 5.0)], ())) == []
    assert list(returned([outage(3.0, 5.0, is_over=False)])) == []


def reasons(rounds, *extra, gates=()):
    """Give verdict, reasons and notes of a run of one arm."""
    report = build(journal({"mcp": rounds}, extra=extra, gates=list(gates)))
    return report.verdict, texts(report.reasons), report.notes


BAD = [Round(ok=50, failed=50, cls="transport_error")] * 3


def test_a_dead_target_is_the_first_reason():
    """It comes before the gates that failed because of it."""
    gate = ["mcp.error_rate < 1%"]
    verdict, why, _ = reasons(BAD, outage(6.1, 9.0, is_over=False), gates=gate)
    assert verdict == "FAIL"
    assert why[0].startswith("mcp stopped answering at 6.1 s")
    assert why[1].startswith("Gate mcp.error_rate < 1%")


def test_a_target_that_was_away_is_the_first_reason_of_a_run_that_fails():
    """If nothing failed, it is only a note."""
    away = outage(3.0, 5.2)
    _, why, notes = reasons(BAD, away, gates=["mcp.error_rate < 1%"])
    assert why[0].startswith("mcp was unreachable from 3 s to 5.2 s")
    verdict, why, notes = reasons(BAD, away, gates=["mcp.error_rate < 90%"])
    assert (verdict, len(why)) == ("PASS", 1)
    assert any(note.startswith("mcp was unreachable from 3 s to 5.2 s") for note in notes)


def test_a_gate_that_asks_for_failures_lets_a_target_stop():
    """Such a run is about stopping."""
    gone = outage(6.1, 9.0, is_over=False)
    assert reasons(BAD, gone, gates=["mcp.error_rate > 10%"])[0] == "PASS"
    assert reasons([Round()] * 3, gone)[0] == "FAIL"


def with_users(users, **without):
    """Give the journal of an arm whose three rounds had these users."""
    return journal({"mcp": [Round(users=users, **without)] * 3})


@pytest.mark.parametrize(
    ("users", "without", "fails"), [(60, 40, True), (100, 2, True), (100, 1, False), (0, 0, False)]
)
def test_promise_31_users_without_a_session_fail_the_run(users, without, fails):
    """More than 1 % do: 40 of 60 users made no call, although the error rate was only 0.26 %."""
    records = with_users(users, without_session=without)
    found = list(users_without({"mcp": Totals(fold(records).measured("mcp"))}, {}))
    assert [code for code, _ in found] == ["users_without_session"] * fails
    if without == 40:
        ((_, text),) = found
        assert text == (
            "40 of 60 users of mcp had no session in a round, and 66.7 % over all measured rounds; "
            "more than 1 % fail the run."
        )
        report = build(records)
        assert (report.verdict, report.reasons[0].text) == ("FAIL", text)


def test_promise_31_users_without_a_journey_fail_the_run():
    """They should have begun a journey, and never did."""
    records = with_users(20, without_journey=1)
    ((code, text),) = users_without({"mcp": Totals(fold(records).measured("mcp"))}, {})
    assert code == "users_without_journey"
    assert text.startswith("1 of 20 users of mcp made no journey in a round, and 5 % over all")


def test_a_run_that_was_ended_early_fails_and_says_why():
    """The note that says why is a reason, in addition to the missing rounds."""
    why = "98 % of the calls of mcp failed in the last 10 s of its rounds, and so on."
    records = journal({"mcp": BAD}, end="aborted", extra=[Note(at_s=1, code="aborted", text=why)])
    report = build(records)
    assert (report.verdict, report.exit_code) == ("FAIL", 99)
    assert why in texts(report.reasons)
    assert report.reasons[-1].text.startswith("The run was ended early")


def lost(at_s, count=1, kind="forgot"):
    """Give the note of sessions that were lost."""
    return Note(at_s=at_s, code="session_lost", text="lost", arm="mcp", count=count, kind=kind)


def test_promise_30_lost_sessions_leave_a_run_undecided_above_the_limit():
    """The reason says how they were lost; a gate that allows them, and holds, replaces it."""
    notes = [lost(at_s) for at_s in range(9)]
    verdict, told, _ = reasons([Round(ok=100, lost=9, users=4)] * 2, *notes)
    assert verdict == "INCONCLUSIVE"
    share = "18 of 200 calls of mcp lost their session; the limit is 1 % (limits: healed)."
    why = "9 sessions were lost one by one: the server evicts them"
    assert [text.partition(",")[0] for text in told] == [f"{share} {why}"]
    for gate in ("mcp.session_loss_rate < 20%", "mcp.healed_rate < 20%"):
        assert reasons([Round(ok=100, lost=9)] * 2, *notes, gates=[gate])[0] == "PASS"
    assert reasons([Round(ok=1000, lost=9)] * 2, *notes)[0] == "PASS"


def test_promise_30_a_gate_on_lost_sessions_fails_by_the_target_s_own_deeds():
    """The server lost them, however busy the load generator was."""
    report = build(journal({"mcp": [Round(lost=9)]}, gates=["mcp.session_loss_rate < 1%"]))
    assert [reason.code for reason in report.reasons] == ["target_errors", "sessions_lost"]
    assert report.arms["mcp"].session_loss_rate == 0.09


def test_promise_30_what_else_was_mended_counts_as_well():
    """Resumed streams count, and tools that were listed again."""
    totals = Totals(fold(journal({"mcp": [Round(mended=2)]})).measured("mcp"))
    (found,) = mended("mcp", totals, {}, 0.01)
    assert found[0] == "healed"
    assert "2 of 100 calls of mcp had to be repaired (healed)" in found[1]


@pytest.mark.parametrize(
    ("notes", "kind"),
    [
        ([lost(3.0, 4)], {"restarted": 4}),
        ([lost(3.0, 2), lost(4.0, 2), lost(20.0, 4)], {"restarted": 8}),
        ([lost(3.0, 1)], {"forgot": 1}),
        ([lost(1.0 * at_s, 2) for at_s in range(9)], {"evicted": 18}),
        ([lost(3.0, 4), lost(3.0, 4, "elsewhere")], {"forgot": 4, "elsewhere": 4}),
        ([lost(3.0, 8), lost(3.0, 1, "elsewhere")], {"evicted": 9}),
        ([lost(3.0, 2, "evicted"), lost(3.0, 1, "restarted")], {"evicted": 2, "restarted": 1}),
        ([lost(3.0, 4, "")], {"restarted": 4}),
    ],
)
def test_lost_sessions_are_told_apart_by_when_they_were_lost(notes, kind):
    """All at once, again and again, or a few; what the server says and old journals count, too."""
    report = build(journal({"mcp": [Round(users=4)] * 3}, extra=notes))
    assert report.arms["mcp"].sessions_lost_by == kind
    assert report.arms["mcp"].sessions_lost == sum(kind.values())


def test_promise_31_a_full_server_explains_users_without_a_session():
    """The reason says that the server has as many sessions as it allows."""
    full = Note(at_s=1.0, code="setup_failed", text="503", arm="mcp", count=7, kind="refused")
    report = build(journal({"mcp": [Round(users=20, without_session=10)]}, extra=[full, full]))
    assert "10 of 20 users of mcp had no session" in report.reasons[0].text
    assert "as many sessions as it" in report.reasons[0].text
    assert report.arms["mcp"].sessions_lost_by == {"refused": 14}
    assert report.arms["mcp"].sessions_lost == 0
    assert "503 (14 times)" in report.notes
