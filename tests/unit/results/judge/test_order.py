"""The order of verdicts: one table, on the page and in the code, and a test for each row."""

import re

import pytest
from msgspec.structs import replace

from mcp_perf import numbers
from mcp_perf.outcomes import FAILED
from mcp_perf.results.document.comparison import Regression
from mcp_perf.results.document.document import Report
from mcp_perf.results.document.part import Reason
from mcp_perf.results.journal.records import Health, Note, Outage, ResourceSample, Slice
from mcp_perf.results.judge.order import RANKS, VERDICTS, Rank, because, in_order
from mcp_perf.results.judge.verdict import Facts, SearchFacts, decide
from mcp_perf.results.report.build import build
from mcp_perf.results.tally.health import GeneratorHealth
from mcp_perf.results.tally.metrics import Totals
from mcp_perf.results.tally.tally import fold
from tests.support import ROOT
from tests.support import virtual_run as virtual
from tests.support.virtual_run import Round, journal
from tests.unit.results.judge.test_verdict import CLEAN, HOT, gate, health, totals

SLOW = Health(cpu_s=0.1, wall_s=1, lag=virtual.pairs([9_000_000] * 200))
LATE = {"cpu_s": 0.1, "wall_s": 1, "late_starts": 500, "starts": 1000, "cores": 2}
BROKEN = Round(ok=90, failed=10, cls="check_failed", sampled=(20, 10, 80))
PAUSED = {"stalled_s": 0.6, "longest_stall_s": 0.6, "paused_s": 0.6}
UNANSWERED = totals(Round(ok=50, failed=50, cls="timeout"))


def worse(verdict: str) -> Regression:
    """Give a metric against the baseline."""
    return Regression(
        metric="p50", arm="mcp", versus="", unit="ms", base=1, new=2, ratio=2, ci95=(1.9, 2.1),
        p_value=None, effect_needed=None, verdict=verdict, reason="worse",
    )  # fmt: skip


def outage(*, is_over: bool) -> Outage:
    """Give a time in which the target was away, and perhaps returned."""
    return Outage(
        node="w1", arm="mcp", from_s=3.0, to_s=5.2, is_over=is_over, failures=9,
        how="refused connections",
    )  # fmt: skip


def hot_target() -> Totals:
    """Give an arm whose busiest process used 80 % of a core, and another one 30 %."""
    found = totals(Round())
    readings = [
        ResourceSample(
            turn=0, at_s=at_s, arm="mcp", cpu_s=1.1 * at_s, rss_bytes=1, threads=1, fds=1,
            processes=2, by_process={"7": 5 + 0.8 * at_s, "8": 0.3 * at_s},
        )
        for at_s in (0.0, 10.0)
    ]  # fmt: skip
    for one in readings:
        found.usage.turns[0].add(one)
    return found


def with_the_target() -> GeneratorHealth:
    """Give the health of a generator whose cores the target used."""
    found = health(Health(**LATE))
    found.target_cpu_s[0] = 1.5
    return found


CAUSES = {
    "worker_lost": {"workers_lost": ["w2"]},
    "target_stopped": {"outages": [outage(is_over=False)]},
    "target_unreachable": {"outages": [outage(is_over=True)]},
    "crossed_replies": {"crossed": {"mcp": 3}},
    "users_without_session": {"arms": {"mcp": totals(Round(users=60, without_session=40))}},
    "schema_broken": {"arms": {"mcp": totals(BROKEN)}, "most_failed": 1.0},
    "target_errors": {
        "gates": [gate("FAIL", "mcp.error_rate < 1%")],
        "failed_by_deeds": {"mcp.error_rate < 1%"},
    },
    "error_limit": {"arms": {"mcp": totals(Round(ok=90, failed=10))}},
    "all_failed": {"arms": {"mcp": totals(Round(ok=0, failed=10))}},
    "aborted": {"aborted": "98 % of the calls of mcp failed."},
    "harness_error": {"harness_errors": 3},
    "users_missing": {"short_rounds": ["round 1 of mcp had 1 of 8"]},
    "generator_paused": {"health": health(Health(cpu_s=0.1, wall_s=1, **PAUSED))},
    "generator_saturated": {"health": health(*[HOT] * 5)},
    "shares_cores": {"health": with_the_target()},
    "machine_busy": {"health": health(Health(**LATE, waited_s=0.3))},
    "unexplained_lag": {"health": health(SLOW)},
    "target_saturated": {"arms": {"mcp": hot_target()}, "target_cpu": 0.7},
    "gate_failed": {"gates": [gate("FAIL")]},
    "no_rate_held": {"search": SearchFacts(failed=["held no rate"])},
    "regression": {"regressions": [worse("FAIL")]},
    "unanswered": {"arms": {"mcp": UNANSWERED}},
    "users_without_journey": {"arms": {"mcp": totals(Round(users=60, without_journey=40))}},
    "arrivals_dropped": {"arms": {"mcp": totals(Round(planned=100, dropped=10))}},
    "gate_open": {"gates": [gate("INCONCLUSIVE")]},
    "search_open": {"search": SearchFacts(undecided=["unfinished"])},
    "baseline_open": {"regressions": [worse("INCONCLUSIVE")]},
    "sessions_lost": {"arms": {"mcp": totals(Round(lost=2))}},
    "healed": {"arms": {"mcp": totals(Round(mended=2))}},
    "no_calls": {"arms": {"mcp": totals(Round(ok=0))}},
    "idle_worker": {"idle_workers": ["w3"]},
    "generator_not_watched": {"health": health()},
    "cut_off": {"complete": False, "ended": "stopped"},
    "interrupted": {"arms": {"mcp": totals(Round(ok=90, other={"interrupted": 10}))}},
    "passed": {"gates": [gate("PASS")]},
    "capacity_found": {"search": SearchFacts(found=["mcp holds 80/s"])},
}
"""What causes each reason, and no other reason."""
EXPLAINS = ("target_unreachable",)
"""Codes that say why a run failed, and decide nothing."""


def decided(*codes: str):
    """Decide on a run with all these causes."""
    facts = {"gates": [], "ended": "finished", **CLEAN}
    for code in codes:
        for name, value in CAUSES[code].items():
            both = isinstance(value, list) and isinstance(facts.get(name), list)
            facts[name] = [*facts[name], *value] if both else value
    return decide(Facts(**facts))


@pytest.mark.parametrize(("cls", "code"), [("timeout", "unanswered"), ("rpc_error", "all_failed")])
def test_promise_28_an_arm_that_only_times_out_did_nothing_itself(cls, code):
    """A slow generator causes timeouts, too, so an arm with nothing else has the weaker reason."""
    found = decide(
        Facts(gates=[], **CLEAN | {"arms": {"mcp": totals(Round(ok=0, failed=9, cls=cls))}})
    )
    assert found.reasons[0].code == code


@pytest.mark.parametrize(
    ("gates", "says"),
    [
        ([], "No regression against the baseline."),
        ([gate("PASS")], "The gate held. No regression against the baseline."),
    ],
)
def test_a_pass_against_a_baseline_says_so(gates, says):
    """In addition to the gates, if there are any."""
    found = decide(Facts(gates=gates, regressions=[worse("PASS")], ended="finished", **CLEAN))
    assert [reason.text for reason in found.reasons] == [says]


@pytest.mark.parametrize(("verdict", "broken"), [("PASS", False), ("INCONCLUSIVE", True)])
def test_broken_schemas_are_a_reason_unless_a_gate_has_decided_on_errors(verdict, broken):
    """An open gate does not judge them."""
    gates = [gate(verdict, "mcp.error_rate < 60%")]
    found = decide(Facts(gates=gates, **CLEAN | {"arms": {"mcp": totals(BROKEN)}}))
    assert ("schema_broken" in [reason.code for reason in found.reasons]) == broken


def test_promise_28_each_code_has_a_cause():
    """Every code has a cause here, and every cause has a code."""
    assert list(CAUSES) == list(RANKS)


@pytest.mark.parametrize("code", [code for code in CAUSES if code not in EXPLAINS])
def test_promise_28_each_row_of_the_table_gives_its_verdict(code):
    """Alone, a reason gives the verdict and the exit code of its row."""
    found = decided(code)
    assert [reason.code for reason in found.reasons] == [code]
    assert (found.verdict, found.exit_code) == VERDICTS[RANKS[code]]


BY_RANK = {rank: [code for code, of in RANKS.items() if of == rank] for rank in Rank}
PAIRS = [
    (grave, mild)
    for rank, codes in BY_RANK.items()
    for grave in codes
    for other, milder in BY_RANK.items()
    if other > rank
    for mild in milder
    if not CAUSES[grave].keys() & CAUSES[mild].keys() - {"gates"}
    and "search" not in (*CAUSES[grave], *CAUSES[mild])
    and mild not in ("passed", "users_missing")
    and not {grave, mild}.intersection(EXPLAINS)
    and not (grave == "aborted" and "health" in CAUSES[mild])  # see the early end below
    # The gate judges the timeouts, and the calls that were cut off, too.
    and (grave, mild) not in [("target_errors", "unanswered"), ("target_errors", "interrupted")]
]


@pytest.mark.parametrize(("grave", "mild"), PAIRS)
def test_promise_28_the_graver_row_decides(grave, mild):
    """With two reasons, the graver row gives the verdict, and its reason comes first."""
    found = decided(mild, grave)
    assert [reason.code for reason in found.reasons] == [grave, mild]
    assert (found.verdict, found.exit_code) == VERDICTS[RANKS[grave]]


@pytest.mark.parametrize(
    "code",
    [
        code
        for code, rank in RANKS.items()
        if rank < Rank.OPEN and not {"outages", "search"} & CAUSES[code].keys()
    ],
)
def test_promise_28_what_explains_a_failure_decides_nothing(code):
    """That a target was away comes first if the run fails, and is otherwise a note."""
    found = decided(code, "target_unreachable")
    assert (found.verdict, found.exit_code) == VERDICTS[RANKS[code]]
    failed = ["target_unreachable"] if found.verdict == "FAIL" else []
    assert [reason.code for reason in found.reasons] == [*failed, code]


def test_promise_28_the_page_has_the_table_of_the_code():
    """Rank by rank: the verdict, the exit code, and each code with its meaning."""
    page = (ROOT / "docs" / "explanation" / "measurement.md").read_text("utf-8")
    section = page.partition("\n## The verdict\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (\d) \| (\w+) \| (\d+) \| `(\w+)` \| .{10,} \|$", section, re.MULTILINE)
    expected = [
        (str(rank.value), VERDICTS[rank][0], str(VERDICTS[rank][1]), code)
        for code, rank in RANKS.items()
    ]
    assert rows == expected


def test_a_reason_without_a_row_is_our_mistake():
    """No reason has a code that the page does not list."""
    with pytest.raises(KeyError):
        because("bad_luck", "It rained.")


def test_reasons_of_one_code_keep_their_order():
    """Gates stay in the order in which they were written."""
    one, two = Reason(code="gate_failed", text="b"), Reason(code="gate_failed", text="a")
    lost = Reason(code="worker_lost", text="c")
    assert in_order([one, two, lost]) == [lost, one, two]
    assert lost.line == "c (worker_lost)"


def report(*rounds: Round, broken: bool = False, **changes) -> Report:
    """Give the report of a run of one arm; if `broken`, the generator broke a limit."""
    slow = HOT if broken else virtual.COOL
    rounds = tuple(Round(**{**vars(r), "busy_s": 6.0}) for r in rounds)
    records = journal({"mcp": rounds}, health=slow, **changes)
    return build([_longer(record) for record in records])


def _longer(record):
    """Spread the health of a slice over all its seconds."""
    if not hasattr(record, "health"):
        return record
    state = replace(record.health, cpu_s=record.health.cpu_s * 6, wall_s=6.0)
    return replace(record, health=state)


@pytest.mark.parametrize("cls", sorted(FAILED - {"timeout"}))
@pytest.mark.parametrize("gates", [[], ["mcp.error_rate < 1%"], ["mcp.success_rate > 99%"]])
def test_promise_28_errors_of_the_target_beat_a_broken_generator(cls, gates):
    """However busy the generator was, it did not make the server answer that way."""
    bad = Round(ok=500, failed=500, cls=cls)
    found = report(bad, broken=True, gates=gates)
    assert (found.verdict, found.exit_code) == ("FAIL", 99)
    assert found.reasons[0].code == ("target_errors" if gates else "error_limit")
    assert found.reasons[1].code == "generator_saturated"


@pytest.mark.parametrize("gates", [[], ["mcp.error_rate < 1%"], ["mcp.success_rate > 99%"]])
def test_promise_28_timeouts_under_a_broken_generator_belong_to_nobody(gates):
    """A slow generator causes them, too: INVALID. With a sound generator they are the target's."""
    bad = Round(ok=500, failed=500, cls="timeout")
    found = report(bad, broken=True, gates=gates)
    assert (found.verdict, found.exit_code) == ("INVALID", 91)
    sound = report(bad, gates=gates)
    assert (sound.verdict, sound.exit_code) == ("FAIL", 99)
    assert sound.reasons[0].code == ("gate_failed" if gates else "unanswered")


@pytest.mark.parametrize("gates", [[], ["mcp.error_rate < 1%"]])
@pytest.mark.parametrize(
    ("hung", "verdict"), [({0}, "INVALID"), ({0, 2, 3, 4, 5}, "FAIL"), ({2, 3, 4, 5}, "FAIL")]
)
def test_promise_28_timeouts_of_other_rounds_than_the_broken_ones_are_the_targets(
    hung, verdict, gates
):
    """The load generator stopped in the first round only, so it caused no later timeouts."""
    rounds = [Round(ok=500, failed=500 * (n in hung), cls="timeout") for n in range(6)]
    records = journal({"mcp": rounds}, gates=gates)
    found = build([_paused(record) if getattr(record, "turn", 1) == 0 else record
                   for record in records])  # fmt: skip
    assert found.verdict == verdict
    codes = [reason.code for reason in found.reasons]
    assert "generator_paused" in codes
    if verdict == "FAIL":
        assert codes[0] == ("target_errors" if gates else "error_limit")


def _paused(record):
    """Make the load generator stop for 0.6 s in a slice."""
    if not hasattr(record, "health"):
        return record
    return replace(record, health=replace(record.health, **PAUSED))


@pytest.mark.parametrize(
    ("how", "broken", "verdict", "code"),
    [
        ("refused connections", True, "FAIL", "target_stopped"),
        ("gave no answer", True, "INVALID", "unanswered"),
        ("gave no answer", False, "FAIL", "target_stopped"),
    ],
)
def test_promise_28_silence_under_a_broken_generator_belongs_to_nobody(how, broken, verdict, code):
    """Silence may be the generator's fault, but only the target refuses connections."""
    gone = replace(outage(is_over=False), how=how)
    found = report(Round(), broken=broken, extra=[gone])
    assert found.verdict == verdict
    assert code in [reason.code for reason in found.reasons]


@pytest.mark.parametrize(
    ("cls", "broken", "verdict"),
    [("timeout", True, "INVALID"), ("timeout", False, "FAIL"), ("http_error", True, "FAIL")],
)
def test_promise_28_an_early_end_is_as_grave_as_its_cause(cls, broken, verdict):
    """A generator that causes timeouts ends its own run."""
    note = Note(at_s=1, code="aborted", text="98 % of the calls of mcp failed.")
    found = report(Round(ok=2, failed=98, cls=cls), broken=broken, extra=[note], end="aborted")
    assert found.verdict == verdict
    assert ("aborted" in [reason.code for reason in found.reasons]) is (verdict == "FAIL")


def test_promise_28_timeouts_do_not_hide_errors():
    """Half of the answered calls failed; the unanswered ones are nobody's."""
    bad = Round(ok=50, failed=50, cls="http_error", other={"timeout": 900})
    assert report(bad, broken=True).verdict == "FAIL"
    few = Round(ok=500, failed=1, cls="http_error", other={"timeout": 900})
    assert report(few, broken=True).verdict == "INVALID"


def test_promise_28_a_lost_worker_beats_all():
    """Its results are missing, and with them perhaps errors."""
    lost = Note(at_s=1, code="worker_lost", text="gone", node="w2")
    found = report(Round(ok=0, failed=100), extra=[lost])
    assert (found.verdict, found.exit_code) == ("INVALID", 92)
    assert [reason.code for reason in found.reasons] == ["worker_lost", "all_failed"]


@pytest.mark.parametrize(
    ("ok", "failed", "limits", "verdict"),
    [
        (50, 50, {}, "FAIL"),
        (989, 11, {}, "FAIL"),
        (990, 10, {}, "PASS"),
        (50, 50, {"errors": 0.5}, "PASS"),
        (999, 1, {"errors": 0.0}, "FAIL"),
    ],
)
@pytest.mark.parametrize("gates", [[], ["mcp.calls > 5"]])
def test_promise_34_more_than_one_per_cent_of_failures_fail_a_run(
    ok, failed, limits, verdict, gates
):
    """Without a gate on failures the limit judges them; by default it is 1 %."""
    found = report(Round(ok=ok, failed=failed, cls="http_error"), limits=limits, gates=gates)
    assert found.verdict == verdict
    if verdict == "FAIL":
        assert found.reasons[0].code == "error_limit"
        counted = numbers.out_of(failed, ok + failed, "call").removesuffix(" calls")
        assert f"{counted}, most of them by http_error" in found.reasons[0].text


def test_promise_34_a_gate_on_failures_replaces_the_limit():
    """A gate that says how many calls may fail decides."""
    found = report(Round(ok=50, failed=50), gates=["mcp.error_rate < 70%"])
    assert (found.verdict, found.reasons[0].code) == ("PASS", "passed")


@pytest.mark.parametrize(
    ("what", "clean"),
    [
        ({}, True),
        ({"failed": 1}, False),
        ({"other": {"interrupted": 1}}, False),
        ({"planned": 1000, "dropped": 1}, False),
    ],
)
def test_promise_34_only_clean_runs_are_called_clean(what, clean):
    """One failure in a thousand passes, but the run was not clean."""
    found = report(Round(ok=999, **what))
    assert found.verdict == "PASS"
    assert ("clean" in found.reasons[0].text) is clean


def test_promise_34_a_failure_in_set_up_is_not_clean_either():
    """A session that was lost and opened again passes, and is reported."""
    note = Note(at_s=1, code="session_lost", text="lost", arm="mcp")
    found = report(Round(ok=999), extra=[note])
    assert "clean" not in found.reasons[0].text
    shared = Note(at_s=1, code="resources_shared", text="both arms are served by one process")
    assert "clean" in report(Round(ok=999), extra=[shared]).reasons[0].text


@pytest.mark.parametrize(("cut", "verdict"), [(3, "PASS"), (30, "INCONCLUSIVE")])
def test_promise_09_calls_cut_off_may_be_more_than_a_gate_can_bear(cut, verdict):
    """Nobody knows how they would have ended; a gate that depends on them is undecided."""
    found = report(Round(ok=1000, other={"interrupted": cut}), gates=["mcp.error_rate < 1%"])
    assert found.gates[0].verdict == verdict
    if verdict != "PASS":
        assert "30 calls were cut off, besides 1000" in found.gates[0].reason


@pytest.mark.parametrize(("cut", "verdict"), [(10, "PASS"), (11, "INCONCLUSIVE")])
@pytest.mark.parametrize("gates", [[], ["mcp.calls > 5"]])
def test_promise_34_calls_cut_off_may_be_more_than_the_limit_can_bear(cut, verdict, gates):
    """Without a gate on failures, the limit on errors must hold even if all of them had failed."""
    found = report(Round(ok=1000 - cut, other={"interrupted": cut}), gates=gates)
    assert found.verdict == verdict
    assert (found.reasons[0].code == "interrupted") is (verdict != "PASS")


def test_promise_17_a_run_in_which_no_journey_ended_does_not_pass():
    """Its calls were ok, but nobody knows about the steps that were never reached.

    A search that found a capacity does not know about them, either.
    """
    cut = virtual.cell("mcp", [900.0] * 100, kind="journey", name="say", cls="interrupted")
    records = [
        replace(one, cells=[*(cell for cell in one.cells if cell.kind == "call"), cut])
        if isinstance(one, Slice)
        else one
        for one in virtual.journal({"mcp": [Round()]})
    ]
    found = build(records)
    assert (found.verdict, [one.code for one in found.reasons]) == ("INCONCLUSIVE", ["interrupted"])
    assert found.reasons[0].text.startswith("No journey of mcp ended")
    arms = {"mcp": Totals(fold(records).measured("mcp"))}
    searched = decide(
        Facts(
            **CLEAN | {"gates": [], "arms": arms, "search": SearchFacts(found=["mcp holds 80/s"])}
        )
    )
    assert [one.code for one in searched.reasons] == ["interrupted", "capacity_found"]
