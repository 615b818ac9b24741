"""The grammar of gates, as a table: what is read, and what is refused with which words."""

import contextlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_perf.scenario.model.gates import METRICS, OPERATORS, Focus, Gate, GateError, parse

READ = [
    # text, arm, metric, op, value, unit
    ("mcp.p95 < 200ms", "mcp", "p95", "<", 200, "ms"),
    ("mcp.p99_9<=1.5s", "mcp", "p99_9", "<=", 1500, "ms"),
    ("mcp.mean < 800us", "mcp", "mean", "<", 0.8, "ms"),
    ("a-b_1.journey_p50 < 2m", "a-b_1", "journey_p50", "<", 120_000, "ms"),
    ("mcp.error_rate < 0.1%", "mcp", "error_rate", "<", 0.001, "fraction"),
    ("mcp.error_rate <= 0%", "mcp", "error_rate", "<=", 0, "fraction"),
    ("mcp.success_rate >= 100%", "mcp", "success_rate", ">=", 1, "fraction"),
    ("mcp.success_rate > 99.5 %", "mcp", "success_rate", ">", 0.995, "fraction"),
    ("mcp.throughput >= 500/s", "mcp", "throughput", ">=", 500, "/s"),
    ("mcp.calls_per_s > 1.5k/s", "mcp", "calls_per_s", ">", 1500, "/s"),
    ("mcp.calls >= 10k", "mcp", "calls", ">=", 10_000, "count"),
    ("mcp.journeys_done >= 2M", "mcp", "journeys_done", ">=", 2_000_000, "count"),
    ("  mcp.dropped <= 0 ", "mcp", "dropped", "<=", 0, "count"),
]


@pytest.mark.parametrize(("text", "arm", "metric", "op", "value", "unit"), READ)
def test_a_value_is_normalised_to_the_unit_of_the_report(text, arm, metric, op, value, unit):
    """Times become ms, percentages fractions, counts plain numbers; the text is kept."""
    gate = parse(text)
    assert gate == Gate(text.strip(), Focus(arm), metric, op, gate.value, unit)
    assert gate.value == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "allows"),
    [
        ("mcp.error_rate < 96%", True),
        ("mcp.error_rate < 95%", False),
        ("mcp.error_rate > 1%", True),
        ("mcp.rate_limited_rate >= 50%", True),
        ("mcp.rate_limited_rate < 1%", False),
        ("mcp.success_rate > 1%", True),
        ("mcp.success_rate > 10%", False),
        ("mcp.error_rate <= 2x control", False),
        ("mcp.p95 < 1s", False),
    ],
)
def test_a_gate_allows_failures_if_it_holds_with_them(text, allows):
    """Here 95 % of all calls fail: only gates on shares of calls can have such a bound."""
    assert parse(text).allows_failures(0.95) is allows


def test_percentages_are_exact():
    """0.1% is 0.001 and 99.5% is 0.995, not a neighbour of them."""
    assert parse("a.error_rate < 0.1%").value == 0.001
    assert parse("a.success_rate > 99.5%").value == 0.995


def test_a_comparison_has_a_factor_and_the_other_arm():
    """`3x control` sets factor and versus, and no value."""
    gate = parse("mcp.throughput >= 3x control")
    assert (gate.factor, gate.versus, gate.value, gate.unit) == (3, Focus("control"), None, "/s")
    assert parse("mcp.p95 <= 1.25x  old-one").versus == Focus("old-one")


OF_PARTS = [
    # text, focus, versus
    ("mcp.tool[search].p95 < 100ms", Focus("mcp", "tool", "search"), None),
    ("mcp . tool [ a/b.c-d ] . p95<1s", Focus("mcp", "tool", "a/b.c-d"), None),
    (
        "mcp.step[buy.tools/call pay].error_rate < 1%",
        Focus("mcp", "step", "buy.tools/call pay"),
        None,
    ),
    ("rest.step[buy.GET /a[0].json].p50 < 1s", Focus("rest", "step", "buy.GET /a[0].json"), None),
    ("mcp.journey[buy].throughput >= 5/s", Focus("mcp", "journey", "buy"), None),
    ("gateway.p95 - direct.p95 < 5ms", Focus("gateway"), Focus("direct")),
    ("a-b.mean - old-one.mean >= 0ms", Focus("a-b"), Focus("old-one")),
    ("a.tool[x].p95  -  a.tool[y].p95 < 5ms", Focus("a", "tool", "x"), Focus("a", "tool", "y")),
    ("a.tool[x].p95 <= 2x b", Focus("a", "tool", "x"), Focus("b", "tool", "x")),
    ("a.tool[x].p95 <= 2x b.step[j.s]", Focus("a", "tool", "x"), Focus("b", "step", "j.s")),
    (
        "a.journey[j].journey_p95 <= 2x a.journey[k]",
        Focus("a", "journey", "j"),
        Focus("a", "journey", "k"),
    ),
]


@pytest.mark.parametrize(("text", "focus", "versus"), OF_PARTS)
def test_a_gate_may_be_on_a_tool_a_step_or_a_journey_and_on_a_difference(text, focus, versus):
    """Brackets hold a name as it is; an arm after a factor means its same part."""
    gate = parse(text)
    assert (gate.focus, gate.versus) == (focus, versus)
    assert (gate.value is None) is (gate.factor is not None)
    assert not gate.allows_failures(0.95)


def test_a_focus_is_written_as_in_its_gate():
    """So reports use the words of the file for what a gate is about."""
    assert str(parse("mcp . tool[ pay ].p95 < 1s").focus) == "mcp.tool[pay]"
    assert str(parse("mcp.p95 < 1s").focus) == "mcp"


REFUSED = [
    # text, words of the message, words of the hint
    ("", ["not a gate"], ["mcp.p95 < 200ms"]),
    ("p95 < 200ms", ["not a gate"], ["mcp.p95 < 200ms"]),
    ("mcp.p95", ["not a gate"], ["mcp.p95 < 200ms"]),
    ("mcp.p95 200ms", ["not a gate"], ["mcp.p95 < 200ms"]),
    ("mcp.p95 < " + "1" * 1000 + "ms", ["not a gate"], ["mcp.p95"]),
    ("mcp.p59 < 200ms", ["unknown metric 'p59'"], ["p99"]),
    ("mcp.eror_rate < 1%", ["unknown metric 'eror_rate'"], ["error_rate"]),
    ("mcp.zzz < 1%", ["unknown metric 'zzz'"], ["write one of"]),
    ("mcp.p95 == 200ms", ["unknown operator '=='"], ["<, <=, > or >=", "mcp.p95 < 200ms"]),
    ("mcp.p95 =< 200ms", ["unknown operator '=<'"], ["<="]),
    ("mcp.p95 < 200", ["no unit"], ["us, ms, s or m", "mcp.p95 < 200ms"]),
    ("mcp.p95 < 200%", ["unknown unit '%'"], ["ms"]),
    ("mcp.error_rate < 1", ["no unit"], ["%", "mcp.error_rate < 0.1%"]),
    ("mcp.throughput > 500", ["no unit"], ["/s"]),
    ("mcp.calls > 5ms", ["unknown unit 'ms'"], ["no unit, k or M"]),
    ("mcp.p95 < fast", ["'fast' is not a value"], ["200ms", "1.5x ARM"]),
    ("mcp.p95 < nan", ["'nan' is not a value"], []),
    ("mcp.p95 < infms", ["not a value"], []),
    ("mcp.p95 < -5ms", ["'-5ms' is not a value"], []),
    ("mcp.p95 <- 5ms", ["unknown operator '<-'"], []),
    ("mcp.p95 < 1e3ms", ["not a value"], []),
    ("mcp.p95 < 2x", ["unknown unit 'x'"], []),
    ("mcp.p95 < 2x mcp", ["compares mcp with itself"], ["another arm"]),
    ("mcp.p95 < 0x control", ["compares with 0x"], ["above zero"]),
    ("mcp.error_rate < 150%", ["at most 100%"], ["0% to 100%"]),
    ("mcp.error_rate <= 100%", ["always holds"], ["<"]),
    ("mcp.success_rate > 100%", ["can never hold"], [">="]),
    ("mcp.p95 < 0ms", ["can never hold"], ["<="]),
    ("mcp.calls >= 0", ["always holds"], [">"]),
    ("mcp.tool.p95 < 1s", ["not a gate"], ["mcp.tool[NAME].p95 < 200ms"]),
    ("mcp.tool[echo.p95 < 1s", ["unknown metric 'tool'"], ["mcp.tool[NAME].p95 < 200ms"]),
    ("mcp.tols[echo].p95 < 1s", ["unknown part 'tols' of mcp"], ["did you mean 'tool'"]),
    ("mcp.step[pay].p95 < 1s", ["'pay'", "name its journey"], ["mcp.step[JOURNEY.LABEL]"]),
    ("mcp.tool[a].throughput > 1/s", ["throughput is not measured for a tool"], ["calls_per_s"]),
    (
        "mcp.tool[a].journey_p95 < 1s",
        ["journey_p95 is not measured for a tool"],
        ["mcp.journey_p95"],
    ),
    ("mcp.tool[a].rss < 1MB", ["rss is not measured for a tool"], ["gate on the arm"]),
    (
        "mcp.step[j.s].stray_rate < 1%",
        ["stray_rate is not measured for a step"],
        ["mcp.stray_rate"],
    ),
    (
        "mcp.journey[j].p95 < 1s",
        ["p95 is not measured for a journey"],
        ["journey_p95, the time of the journey"],
    ),
    ("a.tool[x].p95 < 2x b.journey[j]", ["p95 is not measured for a journey"], ["journey_p95"]),
    ("a.p95 - b.p99 < 1ms", ["subtracts p99 from p95"], ["- b.p95"]),
    ("a.p95 - a.p95 < 1ms", ["compares a with itself"], ["another arm"]),
    ("a.p95-b.p95 < 1ms", ["unknown operator '-'"], ["blank on each side of"]),
    ("a.p95 - b.p95 < 2x c", ["both a difference and a ratio"], ["one of them"]),
    (
        "a.drift - b.drift < 1%",
        ["drift cannot be compared as a ratio or difference"],
        ["write a plain bound:"],
    ),
    (
        "a.capacity - b.capacity < 5/s",
        [": a difference of capacities cannot be tested"],
        ["0.9x b"],
    ),
    ("a.error_rate - b.error_rate < 200%", ["at most 100%"], []),
    ("a.tool[x].p95 < 2x a.tool[x]", ["compares a.tool[x] with itself"], []),
]


@pytest.mark.parametrize(("text", "said", "hinted"), REFUSED)
def test_what_is_no_gate_is_refused_with_words_that_help(text, said, hinted):
    """A bad gate says what is wrong and what to write, before any request is sent."""
    with pytest.raises(GateError) as caught:
        parse(text)
    assert all(words in caught.value.message for words in said), caught.value.message
    assert all(words in caught.value.hint for words in hinted), caught.value.hint


UNITS = {
    "time": "ms",
    "fraction": "%",
    "slots": "%",
    "rate": "/s",
    "count": "",
    "share": "%",
    "work": "ms",
    "bytes": "B",
    "growth": "%",
    "kib": "KiB",
    "drift": "%",
}


@pytest.mark.parametrize(
    ("written", "value", "unit"),
    [
        ("mcp.cpu < 250%", 2.5, "fraction"),  # two and a half cores
        ("mcp.cpu_per_journey <= 5ms", 5, "ms"),
        ("mcp.rss < 200MB", 200e6, "B"),
        ("mcp.rss < 200MiB", 200 * 2**20, "B"),
        ("mcp.bytes_per_journey < 4kB", 4000, "B"),
        ("mcp.rss_growth_per_hour < 1%", 0.01, "fraction/h"),
        ("mcp.rss_growth_per_hour < 0%", 0, "fraction/h"),  # it has to shrink
        ("mcp.rss_growth_per_hour < 500%", 5, "fraction/h"),
        ("mcp.fds < 100", 100, "count"),
        ("mcp.sessions >= 1000", 1000, "count"),
        ("mcp.session_kib < 64KiB", 64, "KiB"),
        ("mcp.session_kib < 1MiB", 1024, "KiB"),
        ("mcp.session_kib < 512B", 0.5, "KiB"),
        ("mcp.session_kib < 0KiB", 0, "KiB"),  # it may be negative
    ],
)
def test_what_the_target_used_has_units_of_its_own(written, value, unit):
    """CPU may exceed 100 %, memory is in decimal or binary units, growth may be negative."""
    gate = parse(written)
    assert gate.value == pytest.approx(value)
    assert gate.unit == unit


@pytest.mark.parametrize(
    ("metric", "bound"), [("rss_growth_per_hour", "1%"), ("session_kib", "64KiB"), ("drift", "10%")]
)
def test_a_slope_has_no_ratio(metric, bound):
    """What may be zero or less cannot have a factor; the hint shows a bound instead."""
    with pytest.raises(GateError) as error:
        parse(f"mcp.{metric} <= 2x control")
    assert "cannot be compared" in error.value.message
    assert f"mcp.{metric} < {bound}" in error.value.hint


def test_every_metric_of_the_table_can_stand_in_a_gate():
    """The grammar can read every metric that is declared."""
    for name, metric in METRICS.items():
        assert parse(f"a.{name} < 5{UNITS[metric.kind]}").metric == name


_ARMS = st.from_regex(r"[a-z][a-z0-9_-]{0,8}", fullmatch=True)


@given(
    arm=_ARMS,
    metric=st.sampled_from(sorted(METRICS)),
    op=st.sampled_from(OPERATORS),
    thousandths=st.integers(1, 99_999),
    blanks=st.tuples(*[st.sampled_from(["", " ", "  "])] * 2),
)
def test_any_well_formed_gate_is_read_back(arm, metric, op, thousandths, blanks):
    """Arm, metric, operator and value of a written gate come back, whatever the spacing."""
    number = thousandths / 1000
    unit = UNITS[METRICS[metric].kind]
    gate = parse(f"{arm}.{metric}{blanks[0]}{op}{blanks[1]}{number}{unit}")
    assert (gate.focus, gate.metric, gate.op) == (Focus(arm), metric, op)
    scale = 100 if unit == "%" else 1
    assert gate.value is not None
    assert math.isclose(gate.value * scale, number)


@given(st.text(max_size=300))
def test_no_text_breaks_the_parser(text):
    """Whatever is written, the answer is a gate or a GateError, and no other error."""
    with contextlib.suppress(GateError):
        assert parse(text).metric in METRICS
