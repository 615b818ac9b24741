import math

import pytest

from mcp_perf.results.render.words import numbers
from mcp_perf.results.render.words.numbers import NONE


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
    """A number has three significant digits, and all its whole ones."""
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
        (0.1234, "0.123\u00d7"),
        (12, "12.0\u00d7"),
        (None, NONE),
    ],
)
def test_ratios_are_finer_near_one(value, written):
    """A ratio near 1 shows the third decimal: there it decides."""
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
    [((0.5, 2), "0.500\u00d7 to 2.00\u00d7"), (None, NONE), ((1.0, math.inf), NONE)],
)
def test_intervals(bounds, written):
    """An interval names both ends, or nothing where one is missing."""
    assert numbers.interval(bounds, "x") == written


@pytest.mark.parametrize("write", [numbers.ms, numbers.rate, numbers.count, numbers.byte_size])
def test_what_was_not_measured_is_a_dash(write):
    """None, NaN and infinity are a dash in every unit, never a zero."""
    assert {write(value) for value in (None, math.nan, math.inf)} == {NONE}
    assert write(0) != NONE
