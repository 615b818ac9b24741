"""Gates on one tool, step or journey, and on differences, are judged like gates on arms."""

import random
from collections.abc import Callable, Sequence

import pytest
from msgspec.structs import replace

from mcp_perf.results.document.document import Report
from mcp_perf.results.journal.records import Cell, Slice
from mcp_perf.results.report.build import build
from tests.support import virtual_run as virtual
from tests.support.virtual_run import Round, judged, noisy, texts

TOOLS = [f"tool-{number}" for number in range(10)]
Work = Callable[[str, random.Random], list[Cell]]
"""The work of an arm in one round."""


def calls(arm: str, tool: str, ms: float, n: int, journey: str = "look", **changes: object) -> Cell:
    """Give calls of one tool, recorded like a step without a name."""
    more = {"name": f"tools/call {tool}", "tool": tool, "journey": journey, **changes}
    return virtual.cell(arm, virtual.spread(ms, n), **more)


def journeys(arm: str, name: str, ms: float, n: int, cls: str = "ok") -> Cell:
    """Give whole journeys."""
    return virtual.cell(arm, virtual.spread(ms, n), kind="journey", name=name, cls=cls)


def report(
    gates: Sequence[str], rounds: int = 10, *, users: Sequence[int] = (1,), **works: Work
) -> Report:
    """Report a run in which each arm did some work in each round."""
    rng = random.Random(3)
    records = [virtual.started(list(works), gates=list(gates))]
    for index in range(rounds):
        for at, (arm, work) in enumerate(works.items()):
            level = Round(users=users[index % len(users)])
            turn = virtual.turn(len(works) * index + at, arm, index + 1, level)
            records += [
                replace(record, cells=work(arm, rng)) if isinstance(record, Slice) else record
                for record in turn
            ]
    return build([*records, virtual.RunEnded(at_s=2.0 * rounds * len(works), reason="finished")])


def verdicts(found: Report) -> dict[str, str]:
    """Give the verdict of each gate."""
    return {one.gate: one.verdict for one in found.gates}


def one_of_ten_is_slow(arm: str, rng: random.Random) -> list[Cell]:
    """Nine tools answer in 20 ms; one takes 300 ms, and is called in one of fifty calls."""
    noise = rng.lognormvariate(0, 0.02)
    slow = calls(arm, TOOLS[3], 300 * noise, 9)
    fast = [calls(arm, tool, 20 * noise, 50) for tool in TOOLS if tool != TOOLS[3]]
    return [slow, *fast, journeys(arm, "look", 22 * noise, 459)]


def test_one_slow_tool_of_ten_fails_its_gate_and_no_other():
    """The p95 of all calls hides it; its own gate finds it, and gates on other tools hold."""
    gates = [f"mcp.tool[{tool}].p95 < 100ms" for tool in TOOLS]
    found = report(["mcp.p95 < 100ms", *gates], mcp=one_of_ten_is_slow)
    failed = [gate for gate, verdict in verdicts(found).items() if verdict == "FAIL"]
    assert failed == [gates[3]]
    assert {v for gate, v in verdicts(found).items() if gate != gates[3]} == {"PASS"}
    assert (found.verdict, found.reasons[0].code) == ("FAIL", "gate_failed")
    assert "mcp.tool[tool-3].p95 is" in texts(found.reasons)[0]
    slow = next(one for one in found.gates if one.gate == gates[3])
    assert slow.measured == pytest.approx(330, rel=0.1)
    assert slow.unit == "ms"


def failures_in_one_journey(arm: str, _rng: random.Random) -> list[Cell]:
    """Both journeys charge with the same tool; one call in five fails, all while paying."""
    return [
        calls(arm, "search", 10, 900, "browse"),
        calls(arm, "charge", 10, 100, "browse"),
        calls(arm, "charge", 10, 8, "pay"),
        calls(arm, "charge", 10, 2, "pay", cls="tool_error"),
        journeys(arm, "browse", 20, 900),
        journeys(arm, "pay", 10, 8),
        journeys(arm, "pay", 10, 2, cls="tool_error"),
    ]


def test_failures_of_one_journey_fail_its_gates_and_no_other():
    """0.2 % of all calls fail, but a fifth of the calls that matter."""
    held = [
        "mcp.error_rate < 1%",
        "mcp.journey[browse].error_rate < 1%",
        "mcp.journey[browse].success_rate > 99%",
        "mcp.journey[browse].throughput >= 800/s",
        "mcp.step[browse.tools/call charge].error_rate < 1%",
        "mcp.tool[search].error_rate < 1%",
        "mcp.tool[charge].error_rate < 5%",
        "mcp.journey[pay].calls >= 100",
        "mcp.journey[pay].throughput >= 5/s",
    ]
    broken = [
        "mcp.journey[pay].success_rate > 99%",
        "mcp.journey[pay].error_rate < 1%",
        "mcp.step[pay.tools/call charge].error_rate < 1%",
        "mcp.step[pay.tools/call charge].p95 < 1s",
        "mcp.journey[pay].journey_p95 < 1s",
        "mcp.journey[pay].throughput >= 10/s",
    ]
    found = report([*held, *broken], mcp=failures_in_one_journey)
    assert verdicts(found) == dict.fromkeys(held, "PASS") | dict.fromkeys(broken, "FAIL")
    assert (found.verdict, found.reasons[0].code) == ("FAIL", "target_errors")


def test_promise_17_a_tool_that_was_never_called_passes_no_gate():
    """The server, and even the scenario, may know it, but nothing was measured."""
    gates = [
        "mcp.tool[ghost].p95 < 1s",
        "mcp.tool[ghost].error_rate < 1%",
        "mcp.tool[ghost].calls < 5",
    ]
    found = report(gates, mcp=one_of_ten_is_slow)
    assert set(verdicts(found).values()) == {"INCONCLUSIVE"}
    assert "No call of mcp.tool[ghost] ended in a measured round" in found.gates[0].reason


def test_promise_13_a_tool_with_few_calls_decides_nothing():
    """The same times decide with many calls and not with few, by rounds or by ranks."""

    def rare(arm: str, rng: random.Random) -> list[Cell]:
        often = calls(arm, "often", 20 * rng.lognormvariate(0, 0.02), 100)
        return [often, calls(arm, "rare", 20, 1)] if rng.random() < 0.3 else [often]

    gates = ["mcp.tool[often].p95 < 25ms", "mcp.tool[rare].p95 < 25ms", "mcp.tool[rare].p50 < 21ms"]
    found = report([*gates, "mcp.tool[rare].error_rate < 1%"], rounds=12, mcp=rare)
    assert [one.verdict for one in found.gates] == ["PASS", *["INCONCLUSIVE"] * 3]
    assert "needs at least 20" in found.gates[1].reason


def test_a_tool_that_some_rounds_lack_is_judged_by_all_of_its_calls():
    """Three rounds in four call it forty times: its percentile is known by rank."""

    def sometimes(arm: str, rng: random.Random) -> list[Cell]:
        noise = rng.lognormvariate(0, 0.02)
        often = calls(arm, "often", 20 * noise, 100)
        return [often, calls(arm, "some", 20 * noise, 40)] if rng.random() < 0.75 else [often]

    gates = ["mcp.tool[some].p95 < 50ms", "mcp.tool[some].p95 < 15ms", "mcp.tool[some].mean < 50ms"]
    found = report(gates, rounds=16, mcp=sometimes)
    assert [one.verdict for one in found.gates] == ["PASS", "FAIL", "INCONCLUSIVE"]
    assert "has no value in" in found.gates[2].reason


def test_a_gate_on_a_tool_is_judged_at_every_level():
    """A tool that is slow only at 20 users is slow, and the reason names the level."""
    level = iter(range(100))

    def slower(arm: str, rng: random.Random) -> list[Cell]:
        ms = (20 if next(level) % 2 == 0 else 200) * rng.lognormvariate(0, 0.02)
        return [calls(arm, "search", ms, 100)]

    found = report(["mcp.tool[search].p95 < 100ms"], rounds=12, users=(10, 20), mcp=slower)
    assert found.gates[0].verdict == "FAIL"
    assert found.gates[0].reason.startswith("At 20 users (1 of 2 levels): mcp.tool[search].p95 is")


def test_a_gate_on_one_tool_does_not_judge_the_failures_of_an_arm():
    """A gate that lets one tool fail says nothing about the others: the arm's limit holds."""
    broken = [calls("mcp", "bad", 10, 50, cls="tool_error"), calls("mcp", "good", 10, 500)]
    found = report(["mcp.tool[good].error_rate < 5%"], mcp=lambda *_: broken)
    assert found.gates[0].verdict == "PASS"
    assert (found.verdict, found.reasons[0].code) == ("FAIL", "error_limit")


def taking(more_ms: float) -> Work:
    """Give the work of an arm that adds `more` ms to each call."""

    def work(arm: str, rng: random.Random) -> list[Cell]:
        return [calls(arm, "search", 20 * rng.lognormvariate(0, 0.01) + more_ms, 100)]

    return work


@pytest.mark.parametrize(
    ("gate", "verdict"),
    [
        ("gateway.p95 - direct.p95 < 5ms", "PASS"),
        ("gateway.p95 - direct.p95 < 1ms", "FAIL"),
        ("gateway.p95 - direct.p95 > 1ms", "PASS"),
        ("direct.p95 - gateway.p95 < 0ms", "PASS"),
        ("gateway.p50 - direct.p50 < 3ms", "INCONCLUSIVE"),
        ("gateway.tool[search].p95 - direct.tool[search].p95 < 5ms", "PASS"),
        ("gateway.tool[search].p95 <= 1.5x direct", "PASS"),
        ("gateway.tool[search].p95 <= 1.01x direct", "FAIL"),
        ("gateway.calls - direct.calls <= 0", "PASS"),
        ("gateway.calls - direct.calls > 1", "FAIL"),
    ],
)
def test_a_difference_is_judged_by_its_whole_interval(gate, verdict):
    """A gateway adds 3 ms: decided only if the interval lies on one side."""
    found = report([gate], gateway=taking(3), direct=taking(0)).gates[0]
    assert found.verdict == verdict
    assert (found.reason == "") is (verdict == "PASS")
    if ".calls" not in gate:
        low, high = found.ci95
        assert low < found.measured < high
        assert found.unit == ("x" if "x direct" in gate else "ms")


def test_promise_13_a_difference_of_few_rounds_or_without_noise_decides_nothing():
    """Five rounds, or rounds that are all alike, do not show how sure it is."""
    gate = "mcp.p95 - control.p95 < 50ms"
    few = judged(gate, mcp=noisy(25, 5, seed=1), control=noisy(20, 5, seed=2))
    assert (few.verdict, few.ci95) == ("INCONCLUSIVE", None)
    assert few.measured == pytest.approx(5, rel=0.5)
    assert "make at least 6" in few.reason
    alike = judged(gate, mcp=[Round(ms=25)] * 8, control=[Round(ms=20)] * 8)
    assert alike.verdict == "INCONCLUSIVE"
    assert "Every round gave the same difference" in alike.reason
    uneven = judged(gate, mcp=noisy(25, 8), control=noisy(20, 7, seed=2))
    assert "8 rounds and control 7" in uneven.reason
    thin = judged(gate, mcp=noisy(25, 8, n=10), control=noisy(20, 8, n=10))
    assert "in each" in thin.reason


@pytest.mark.parametrize(
    ("gate", "failed", "base_failed", "verdict"),
    [
        ("mcp.error_rate - control.error_rate < 2%", 0, 0, "PASS"),
        ("mcp.error_rate - control.error_rate < 0.01%", 0, 0, "INCONCLUSIVE"),
        ("mcp.error_rate - control.error_rate < 5%", 10, 9, "PASS"),
        ("mcp.error_rate - control.error_rate < 2%", 10, 0, "FAIL"),
        ("control.error_rate - mcp.error_rate > 2%", 0, 10, "PASS"),
        ("mcp.success_rate - control.success_rate >= 2%", 0, 10, "PASS"),
    ],
)
def test_a_difference_of_shares_is_judged_by_the_counts_of_both(gate, failed, base_failed, verdict):
    """Without failures in either arm they differ by little, but need not be equal."""
    arms = {"mcp": failed, "control": base_failed}
    rounds = {arm: [Round(ok=100 - n, failed=n)] * 10 for arm, n in arms.items()}
    result = judged(gate, **rounds)
    assert result.verdict == verdict
    low, high = result.ci95
    assert low <= result.measured <= high


def test_a_difference_of_shares_holds_with_calls_that_were_cut_off():
    """All calls cut off in one arm may have failed, and none in the other."""
    gate = "mcp.error_rate - control.error_rate < 2%"
    cut = [Round(ok=100, other={"interrupted": 4})] * 10
    result = judged(gate, mcp=cut, control=[Round(ok=100)] * 10)
    assert result.verdict == "INCONCLUSIVE"
    assert "40 calls were cut off" in result.reason
    assert (
        judged("mcp.error_rate - control.error_rate < 9%", mcp=cut, control=cut).verdict == "PASS"
    )


def test_promise_27_failures_never_improve_a_difference():
    """They rank last in the judged arm, and never make the other arm look slower."""
    ok, broken = noisy(20, 8, seed=1), [Round(ms=20, ok=40, failed=60)] * 8
    gate = "mcp.p50 - control.p50 < 50ms"
    assert judged(gate, mcp=broken, control=ok).verdict == "FAIL"
    result = judged(gate, mcp=ok, control=broken)
    assert (result.verdict, "." in result.reason) == ("INCONCLUSIVE", True)
    some = [Round(ms=one.ms, ok=97, failed=3) for one in noisy(100, 8, seed=2)]
    slower = noisy(104, 8, seed=1)
    assert (
        judged("mcp.p50 - control.p50 < 8ms", mcp=slower, control=noisy(100, 8, seed=2)).verdict
        == "PASS"
    )
    held = judged("mcp.mean - control.mean < 8ms", mcp=slower, control=some)
    assert (held.verdict, "failed calls would have taken" in held.reason) == ("INCONCLUSIVE", True)


def test_a_difference_of_what_is_not_there_is_open():
    """An arm without notifications has no time to the first one."""
    result = judged(
        "mcp.first_event_p50 - control.first_event_p50 < 5ms", mcp=noisy(2, 8), control=noisy(2, 8)
    )
    assert (result.verdict, result.measured) == ("INCONCLUSIVE", None)
    assert "could not be measured" in result.reason


def test_dropped_arrivals_leave_a_difference_open():
    """Nobody knows their times."""
    dropped = [
        Round(ms=one.ms, ok=100, planned=110, dropped=10, rate=100.0)
        for one in noisy(20, 8, seed=4)
    ]
    result = judged("mcp.p50 - control.p50 < 50ms", mcp=dropped, control=noisy(20, 8, seed=2))
    assert result.verdict == "INCONCLUSIVE"
    assert "planned journeys of mcp were not started (dropped)" in result.reason


def test_an_open_load_gives_a_journey_the_time_of_its_whole_turn():
    """So the rates of its journeys add up to the rate of the arm."""

    def open_work(arm: str, rng: random.Random) -> list[Cell]:
        noise = rng.lognormvariate(0, 0.02)
        return [
            *(calls(arm, "a", 20 * noise, n, name) for name, n in (("one", 30), ("two", 70))),
            *(journeys(arm, name, 20 * noise, n) for name, n in (("one", 30), ("two", 70))),
        ]

    gates = [f"mcp.{focus}throughput > 1/s" for focus in ("", "journey[one].", "journey[two].")]
    whole, one, two = (gate.measured for gate in report(gates, mcp=open_work).gates)
    assert one + two == pytest.approx(whole)
    assert one == pytest.approx(0.3 * whole)
