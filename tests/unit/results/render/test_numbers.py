import math
import re

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from mcp_perf import numbers
from mcp_perf.numbers import NONE
from mcp_perf.results.document.document import GateResult
from mcp_perf.results.render.words import gate_numbers


def spaced(text):
    """Write narrow spaces as plain ones, to keep the tables below readable."""
    return text.replace(numbers.THIN, " ")


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0, "0"),
        (0.0421, "0.0421"),
        (0.001, "0.00100"),
        (61.24, "61.2"),
        (9.996, "10.0"),  # rounds up to one more digit, and keeps three
        (999.6, "1 000"),
        (1530.4, "1 530"),
        (15_347, "15 347"),  # whole digits are never rounded away
        (3_600_000, "3 600 000"),
        (-61.24, "-61.2"),
        (1e-9, "0.00000000100"),  # never an exponent
        (None, NONE),
        (math.nan, NONE),
        (math.inf, NONE),
    ],
)
def test_three_significant_digits(value, written):
    """A number has three significant digits, and all digits before the point."""
    assert spaced(numbers.significant(value)) == written


@pytest.mark.parametrize(
    ("fraction", "written"),
    [
        (0, "0 %"),
        (0.005, "0.5 %"),
        (0.000012, "0.0012 %"),  # not 0 %
        (0.1234, "12.3 %"),
        (0.9997, "99.97 %"),  # not 100 %
        (0.999996, "99.9996 %"),
        (1, "100 %"),
        (2.5, "250 %"),
        (None, NONE),
        (math.nan, NONE),
    ],
)
def test_a_percentage_never_hides_a_difference_from_none_or_all(fraction, written):
    """One failure in a million is not 0 %, and one success less is not 100 %."""
    assert spaced(numbers.percent(fraction)) == written


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0, "0 s"),
        (12.41, "12.4 s"),
        (125, "2 min 05 s"),
        (7_200, "2 h 00 min"),
        (90_061, "25 h 01 min"),
        (None, NONE),
    ],
)
def test_lengths_of_time(value, written):
    """A length of time is written as people say it."""
    assert spaced(numbers.seconds(value)) == written


@pytest.mark.parametrize(
    ("value", "written"),
    [(0, "0 B"), (812, "812 B"), (999.7, "1.00 kB"), (1_234_567, "1.23 MB"), (5e15, "5 000 TB")],
)
def test_bytes(value, written):
    """Bytes are written in decimal units."""
    assert spaced(numbers.byte_size(value)) == written


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (3.4, "3.40\u00d7"),
        (1.004, "1.004\u00d7"),
        (0.5, "0.500\u00d7"),
        (0.1234, "8.10\u00d7 less"),
        (0.0766, "13.1\u00d7 less"),
        (0, "0\u00d7"),
        (12, "12.0\u00d7"),
        (None, NONE),
    ],
)
def test_ratios_are_finer_near_one(value, written):
    """A ratio near 1 shows the third decimal; one below a half says how much less it is."""
    assert numbers.ratio(value) == written


@pytest.mark.parametrize(
    ("value", "written"),
    [(0.0001, "< 0.001"), (0.04, "0.040"), (1, "1.000"), (None, NONE), (math.nan, NONE)],
)
def test_p_values(value, written):
    """A p-value below a thousandth is written as that bound."""
    assert spaced(numbers.p_value(value)) == written


@pytest.mark.parametrize(
    ("value", "unit", "written"),
    [
        (61.237, "ms", "61.24 ms"),
        (0.001004, "fraction", "0.1004 %"),  # against a bound of 0.1 % the fourth digit decides
        (2.13, "x", "2.13\u00d7"),
        (120.04, "/s", "120.0/s"),
        (1_234, "count", "1 234"),
        (1.5, "", "1.500"),
        (1.5, "GB", "1.500 GB"),
        (None, "ms", NONE),
        (None, "fraction", NONE),
        (None, "x", NONE),
        (None, "count", NONE),
        (None, "", NONE),
    ],
)
def test_what_a_gate_measured(value, unit, written):
    """What a gate measured has four digits and the unit of the gate."""
    assert spaced(numbers.measured(value, unit)) == written


def test_the_units_of_gates_are_all_known():
    """No unit of the gate grammar falls through to the form for unknown ones."""
    from mcp_perf.scenario.model.gates import parse

    gates = ("mcp.p95 < 2s", "mcp.error_rate < 1%", "mcp.calls >= 5", "mcp.throughput > 3/s")
    units = {parse(gate).unit for gate in gates}
    assert units == {"ms", "fraction", "count", "/s"}


@pytest.mark.parametrize(
    ("bounds", "written"),
    [
        ((0.5, 2), "0.500\u00d7 to 2.00\u00d7"),
        ((0.07, 0.08), "12.5\u00d7 to 14.3\u00d7 less"),
        ((0.352, 0.674), "1.48\u00d7 to 2.84\u00d7 less"),  # as the ratio, which is 0.487
        ((0.4, 0.9), "0.400\u00d7 to 0.900\u00d7"),
        ((0.1, 1.2), "0.100\u00d7 to 1.20\u00d7"),  # it may be more
        (None, NONE),
        ((1.0, math.inf), NONE),
    ],
)
def test_intervals(bounds, written):
    """An interval has both ends, or is a dash if one is missing."""
    assert numbers.interval(bounds, "x") == written


@pytest.mark.parametrize("write", [numbers.ms, numbers.rate, numbers.count, numbers.byte_size])
def test_what_was_not_measured_is_a_dash(write):
    """None, NaN and infinity are a dash in every unit, never a zero."""
    assert {write(value) for value in (None, math.nan, math.inf)} == {NONE}
    assert write(0) != NONE


def read(text):
    """Read a written number back, in the unit in which it was written."""
    return float(re.sub(r"[^\d.]", "", text))


sizes = st.floats(min_value=1e-6, max_value=1e9)
UNITS = ["ms", "fraction", "/s", "x", "KiB", "fraction/h", ""]


@pytest.mark.parametrize("unit", UNITS)
@given(value=sizes, near=st.sampled_from([1, 1 + 1e-5, 1 - 1e-5, 1 + 1e-12, 2]))
@example(value=0.001, near=1 - 1e-4)
def test_a_number_is_never_written_like_the_bound_that_it_misses(unit, value, near):
    """0.09999 % is not 0.1 % next to a bound of 0.1 %, however near it is."""
    bound = value * near
    assume(bound == value or abs(bound - value) > 1e-12 * value)
    alike = numbers.said(value, unit, bound) == numbers.said(bound, unit, bound)
    assert alike is (bound == value)


@pytest.mark.parametrize("unit", UNITS)
@given(value=sizes)
def test_what_is_written_is_within_half_a_digit_of_what_was_measured(unit, value):
    """Three digits at least, in a sentence as in a table."""
    scale = 100 if unit.startswith("fraction") else 1
    for text in (numbers.said(value, unit), numbers.near_bound(value, unit, None)):
        assert read(text) == pytest.approx(scale * value, rel=0.005)


@given(value=st.floats(min_value=1e-9, max_value=1e9))
def test_a_ratio_says_on_which_side_of_one_it_lies(value):
    """A ratio below a half says `less`, and by which factor; no other does."""
    text = numbers.ratio(value)
    assert text.endswith("less") is (value < 0.5)
    factor = read(text.removesuffix(" less"))
    assert factor == pytest.approx(1 / value if value < 0.5 else value, rel=0.005)


@pytest.mark.parametrize(
    ("number", "written"),
    [(0, "0 errors"), (1, "1 error"), (2, "2 errors"), (1_530, "1 530 errors")],
)
def test_one_is_not_many(number, written):
    """A plural has its s, and thousands are apart."""
    assert numbers.counted(number, "error") == written
    assert numbers.out_of(1_000, number, "error") == f"1 000 of {written}"


@pytest.mark.parametrize(
    ("measured", "unit", "gate", "written"),
    [
        (0.0009999, "fraction", "mcp.error_rate < 0.1%", "0.09999 %"),
        (0.00099999, "fraction", "mcp.error_rate < 0.1%", "0.099999 %"),
        (0.2499, "x", "mcp.p95 < 0.25x control", "0.2499\u00d7"),  # not upside down
        (51.62, "ms", "mcp.p95 < 60ms", "51.62 ms"),
        (51.62, "ms", "of another grammar", "51.62 ms"),
    ],
)
def test_what_a_gate_measured_stands_next_to_its_bound(measured, unit, gate, written):
    """As the gate writes it, with as many digits as tell them apart."""
    result = GateResult(
        gate=gate, measured=measured, unit=unit, ci95=(measured, measured), verdict="PASS"
    )
    assert spaced(gate_numbers.gate(result)) == written
    assert spaced(gate_numbers.gate_interval(result)) == f"{written} to {written}"


@pytest.mark.parametrize(
    ("fraction", "written"), [(0.025, "+2.5 %"), (-0.003, "-0.3 %"), (0, "0 %"), (None, NONE)]
)
def test_changes_have_a_sign(fraction, written):
    """Nobody should take a change for a level."""
    assert spaced(numbers.change(fraction)) == written
