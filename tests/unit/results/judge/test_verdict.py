"""The verdict: a broken measurement beats every gate, and nothing passes by absence."""

from itertools import product

import pytest

from mcp_perf.results.document.document import GateResult
from mcp_perf.results.journal.records import Health, Slice
from mcp_perf.results.judge.verdict import Decision, Facts, decide, littles_law
from mcp_perf.results.tally.health import GeneratorHealth, GeneratorLimits
from mcp_perf.results.tally.metrics import Totals
from mcp_perf.results.tally.tally import fold
from tests.support import virtual_run as virtual
from tests.support.virtual_run import Round, pairs, texts


def totals(*rounds: Round) -> Totals:
    """Give an arm's totals over these rounds."""
    return Totals(fold(virtual.journal({"mcp": rounds})).measured("mcp"))


def health(
    *slices: Health, limits: GeneratorLimits | None = None, arm: str = "mcp"
) -> GeneratorHealth:
    """Give the health of a generator with one process, second by second."""
    found = GeneratorHealth(limits or GeneratorLimits())
    for second, state in enumerate(slices):
        part = Slice(node="w1", turn=0, at_s=second, seconds=1, cells=[], health=state)
        found.add(part, arm)
    return found


def gate(verdict: str, text: str = "mcp.p95 < 200ms") -> GateResult:
    """Give a gate with this verdict."""
    reason = "" if verdict == "PASS" else f"because {verdict}"
    return GateResult(gate=text, measured=1.0, unit="ms", verdict=verdict, reason=reason)


COOL = Health(cpu_s=0.3, wall_s=1)
HOT = Health(cpu_s=0.95, wall_s=1)
CLEAN = {"arms": {"mcp": totals(Round())}, "health": health(COOL), "complete": True}


def decided(**changes) -> Decision:
    """Decide on a clean, finished run without gates, with these changes."""
    return decide(Facts(**{"gates": [], "ended": "finished", **CLEAN, **changes}))


SEVERITY = ["PASS", "INCONCLUSIVE", "FAIL", "INVALID"]
CODES = {"PASS": 0, "INCONCLUSIVE": 90, "INVALID": 91, "FAIL": 99}


@pytest.mark.parametrize(
    ("gates", "broken", "ended"),
    list(
        product(
            [[], ["PASS"], ["PASS", "INCONCLUSIVE"], ["FAIL"], ["INCONCLUSIVE", "FAIL"]],
            [False, True],
            ["finished", "signal", "stopped", "error", ""],
        )
    ),
)
def test_the_gravest_finding_decides(gates, broken, ended):
    """INVALID > FAIL > INCONCLUSIVE > PASS; a run cut off is at best INCONCLUSIVE; codes follow."""
    found = decided(
        gates=[gate(verdict) for verdict in gates],
        harness_errors=3 if broken else 0,
        ended=ended,
        complete=ended == "finished",
    )
    findings = [*gates, "INVALID" if broken else "PASS"]
    findings.append("PASS" if ended == "finished" else "INCONCLUSIVE")
    assert found.verdict == max(findings, key=SEVERITY.index)
    assert found.exit_code == {"signal": 105, "error": 107}.get(ended, CODES[found.verdict])
    assert found.reasons


@pytest.mark.parametrize(
    ("gates", "reason"),
    [
        ([], "There are no gates, and the run was clean: no call failed."),
        (["PASS"], "The gate held."),
        (["PASS", "PASS"], "Both gates held."),
    ],
)
def test_a_pass_says_what_it_rests_on(gates, reason):
    """PASS has a reason, too: what was judged, or that nothing was."""
    found = decided(gates=[gate(verdict) for verdict in gates])
    assert (found.verdict, found.exit_code, texts(found.reasons)) == ("PASS", 0, [reason])


def test_a_pass_without_gates_says_how_many_calls_could_have_failed():
    """If something went wrong, the run is not called clean."""
    ((code, text),) = [(r.code, r.text) for r in decided(clean=False, most_failed=0.02).reasons]
    assert code == "passed"
    assert text.startswith("There are no gates, and at most 2 % of the calls of each arm failed")


def test_reasons_come_the_gravest_first_and_name_their_gates():
    """Everything that counts against the run is listed, not only what decided."""
    found = decided(
        gates=[gate("INCONCLUSIVE", "a.p50 < 1s"), gate("FAIL", "b.p50 < 1s"), gate("PASS")],
        harness_errors=1,
    )
    assert [reason.split(":")[0].partition(" could not")[0] for reason in texts(found.reasons)] == [
        "1 call",
        "Gate b.p50 < 1s",
        "Gate a.p50 < 1s",
    ]
    assert found.reasons[1].text == "Gate b.p50 < 1s: because FAIL"


def test_a_lost_worker_makes_the_run_invalid_and_is_named():
    """Exit code 92, before every other cause of an INVALID run."""
    found = decided(workers_lost=["w2"], harness_errors=1)
    assert (found.verdict, found.exit_code) == ("INVALID", 92)
    assert "Worker lost: w2." in found.reasons[0].text


def test_harness_errors_name_the_first_of_them():
    """Our own fault never counts as the target's, and the reason says what to correct."""
    found = decided(harness_errors=4, harness_example="echo: 'text' is required")
    assert (found.verdict, found.exit_code) == ("INVALID", 91)
    assert found.reasons[0].text.startswith("4 calls")
    assert "The first: echo: 'text' is required" in found.reasons[0].text


def test_harness_errors_come_before_any_reason_about_the_generator():
    """Calls that are never sent repeat as fast as they can: a busy generator is a consequence."""
    found = decided(harness_errors=4, health=health(*[HOT] * 9))
    assert "harness_error" in found.reasons[0].text
    assert "used more than 90 % of a core" in found.reasons[1].text


@pytest.mark.parametrize(("seconds", "verdict"), [(4, "PASS"), (5, "INVALID")])
def test_five_seconds_of_a_full_core_are_saturation(seconds, verdict):
    """In a long round, four hot seconds in a row are a moment, but five make the run INVALID."""
    found = decided(health=health(*[HOT] * seconds, COOL))
    assert found.verdict == verdict
    if verdict == "INVALID":
        for part in (
            "The load generator used",
            "more than 90 % of a core",
            "for 5 s",
            "rounds of mcp",
            "--processes",
        ):
            assert part in found.reasons[0].text


def test_hot_seconds_with_pauses_are_not_saturation():
    """Only time in a row counts."""
    assert decided(health=health(HOT, HOT, COOL, HOT, HOT, HOT, COOL)).verdict == "PASS"


@pytest.mark.parametrize(
    ("lags", "verdict"),
    [
        ([1_000_000] * 98 + [9_000_000] * 2, "INVALID"),
        ([1_000_000] * 99 + [9_000_000], "PASS"),
        ([9_000_000] * 99, "PASS"),  # too few for a p99 to exist
    ],
)
def test_a_late_loop_is_named_with_its_limit(lags, verdict):
    """Timers that fire late mean that the generator, not the target, was slow."""
    found = decided(health=health(Health(cpu_s=0.1, wall_s=1, lag=pairs(lags))))
    assert found.verdict == verdict
    if verdict == "INVALID":
        for part in ("The load generator woke 9 ms late", "limit is 5 ms", "Use fewer users"):
            assert part in found.reasons[0].text


@pytest.mark.parametrize(("late", "verdict"), [(10, "PASS"), (11, "INVALID")])
def test_late_starts_above_the_limit_mean_the_plan_was_not_kept(late, verdict):
    """At the limit of 1 % the run is valid; above it, it is not."""
    state = Health(cpu_s=0.1, wall_s=1, late_starts=late, starts=1000)
    found = decided(health=health(state))
    assert found.verdict == verdict
    if verdict == "INVALID":
        for part in ("saw 1.1 % of the arrivals late", "limit is 1 %", "--processes"):
            assert part in found.reasons[0].text


def test_limits_are_those_of_the_scenario():
    """Each limit can be set; a stricter one finds what the default lets pass."""
    state = Health(cpu_s=0.5, wall_s=1, lag=pairs([2_000_000] * 100), late_starts=1, starts=1000)
    strict = GeneratorLimits(generator_cpu=0.4, loop_lag_p99_ms=1, late_starts=0.0005)
    assert decided(health=health(*[state] * 5)).verdict == "PASS"
    reasons = texts(decided(health=health(*[state] * 5, limits=strict)).reasons)
    assert len(reasons) == 3
    for limit, reason in zip(("40 %", "1 ms", "0.05 %"), reasons, strict=True):
        assert limit in reason


def test_an_arm_whose_every_call_failed_fails_the_run():
    """100 % tool errors are never a PASS, whatever the gates on the fast failures say."""
    arms = {"mcp": totals(Round(ok=0, failed=50), Round(ok=0, failed=2, cls="timeout"))}
    found = decided(arms=arms, gates=[gate("PASS")])
    assert (found.verdict, found.exit_code) == ("FAIL", 99)
    assert texts(found.reasons) == [
        "Every call of mcp failed: 52 of 52, most of them by tool_error."
    ]


@pytest.mark.parametrize("text", ["mcp.error_rate > 99%", " mcp . success_rate < 5%"])
def test_an_arm_that_is_meant_to_fail_may(text):
    """A gate that asks for the failures, and holds, judges them."""
    arms = {"mcp": totals(Round(ok=0, failed=50))}
    assert decided(arms=arms, gates=[gate("PASS", text)]).verdict == "PASS"
    assert decided(arms=arms, gates=[gate("INCONCLUSIVE", text)]).verdict == "FAIL"


@pytest.mark.parametrize("what", [Round(ok=0), Round(ok=0, other={"interrupted": 9})])
def test_promise_17_an_arm_without_an_ended_call_is_never_a_pass(what):
    """An arm that was not measured is named; gates may still fail the run."""
    arms = {"control": totals(Round()), "mcp": totals(what)}
    found = decided(arms=arms, gates=[gate("PASS")])
    assert found.verdict == "INCONCLUSIVE"
    assert texts(found.reasons) == [
        "No call of mcp ended in a measured round, so nothing is known about it."
    ]
    assert decided(arms=arms, gates=[gate("FAIL")]).verdict == "FAIL"


def test_promise_17_a_worker_that_made_no_call_is_never_a_pass():
    """It had users, but nobody knows what they did."""
    found = decided(idle_workers=["w3"])
    assert found.verdict == "INCONCLUSIVE"
    assert "Worker w3 had users" in found.reasons[0].text


def test_a_generator_that_was_not_watched_is_never_a_pass():
    """Without records of its health, the generator may have been the bottleneck."""
    found = decided(health=health())
    assert found.verdict == "INCONCLUSIVE"
    assert (
        "The load generator's CPU was not measured, so it may have been the bottleneck."
        in found.reasons[0].text
    )


@pytest.mark.parametrize(
    ("ended", "says"),
    [
        ("", "crashed or was killed"),
        ("finished", "Some rounds are incomplete"),
        ("signal", "stopped by a signal"),
        ("stopped", "stopped in the web UI"),
        (
            "error",
            "The run was broken off by a fault in mcp-perf: see run.log in the folder of the run.",
        ),
    ],
)
def test_a_run_that_was_cut_off_says_how(ended, says):
    """The reason names what ended it."""
    assert says in decided(ended=ended, complete=False).reasons[0].text


@pytest.mark.parametrize(
    ("users", "holds"), [(10, True), (9.6, True), (10.4, True), (9.4, False), (10.6, False)]
)
def test_promise_23_littles_law_is_checked_within_five_percent(users, holds):
    """1000 journeys of 10 ms in a second are ten users' time; otherwise the run says so."""
    arm = totals(Round(ms=10, ok=round(100 * users), busy_s=1.0, users=10))
    note = littles_law("mcp", arm)
    assert (note is None) is holds
    if note is not None:
        assert "mcp had 10 users" in note


def test_littles_law_says_nothing_without_users():
    """If the number of users is not known, there is nothing to check."""
    assert littles_law("mcp", Totals([])) is None


def test_one_process_of_several_is_named():
    """With several generator processes, the reason names the bottleneck."""
    found = health(*[HOT] * 5)
    found.add(Slice(node="w2", turn=0, at_s=0, seconds=1, cells=[], health=COOL), "mcp")
    assert decided(health=found).reasons[0].text.startswith("The load generator w1 used")
