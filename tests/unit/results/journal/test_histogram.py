"""The histogram: no sample lost, percentiles as the exact order statistics, merged = pooled."""

import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_perf.results.journal.histogram import (
    HOUR_NS,
    OVERFLOW,
    Histogram,
    bucket,
    midpoint_ns,
    rank,
)
from tests.support.virtual_run import filled

DURATIONS = st.integers(0, HOUR_NS) | st.integers(0, 10_000) | st.integers(900_000, 1_100_000)
SAMPLES = st.lists(DURATIONS, min_size=1, max_size=60)


@given(DURATIONS)
def test_a_bucket_stands_for_its_values_within_a_twentieth_of_a_percent(ns):
    """The middle of a duration's bucket is at most 0.05 % away, and exact below 2048 ns."""
    error = abs(midpoint_ns(bucket(ns)) - ns)
    assert error <= (ns / 2048 if ns >= 2048 else 0)


@given(DURATIONS, DURATIONS)
def test_buckets_are_in_the_order_of_their_values(one, other):
    """A longer duration never lies in a lower bucket, nor does its middle lie lower."""
    low, high = sorted((one, other))
    assert bucket(low) <= bucket(high)
    assert midpoint_ns(bucket(low)) <= midpoint_ns(bucket(high))


def test_buckets_are_contiguous_over_every_power_of_two():
    """At each doubling of the width the next bucket follows without a gap."""
    for bits in range(11, 42):
        assert bucket(1 << bits) == bucket((1 << bits) - 1) + 1


@settings(max_examples=40)
@given(st.lists(st.integers(1000, HOUR_NS), min_size=1, max_size=100))
def test_percentiles_agree_with_the_hdrhistogram_package(samples):
    """The package, with three digits, gives the same percentiles within the errors of both."""
    oracle, ours = HdrHistogram(1, HOUR_NS, 3), Histogram()
    for ns in samples:
        # A hundred of each, so that every percentile has a whole rank: the package rounds others.
        assert oracle.record_value(ns, 100)
        ours.record(ns, 100)
    for percent in (1, 50, 90, 99, 100):
        theirs = oracle.get_value_at_percentile(percent)
        assert ours.percentile(percent / 100) == pytest.approx(theirs, rel=0.0016)


@pytest.mark.parametrize(
    ("fraction", "total", "place"),
    [
        (0.0, 10, 1),
        (0.07, 100, 7),  # 0.07 * 100 is 7.000000000000001 in floating point
        (0.55, 100, 55),
        (0.5, 3, 2),
        (0.999, 1000, 999),
        (0.999, 1001, 1000),
        (1.0, 10**9, 10**9),
    ],
)
def test_the_rank_of_a_percentile_does_not_suffer_from_rounding(fraction, total, place):
    """The rank is the exact ceiling of fraction times total, and at least the first."""
    assert rank(fraction, total) == place


@given(SAMPLES, SAMPLES)
def test_pairs_carry_a_histogram_without_loss(one, other):
    """`add_pairs` adds what `pairs` writes: the counts of both histograms."""
    histogram = filled(one)
    histogram.add_pairs(filled(other).pairs())
    assert histogram.pairs() == filled(one + other).pairs()
    assert histogram.count == len(one) + len(other)


def test_pairs_are_bucket_and_count_in_ascending_order():
    """The form of the journal: bucket, count, bucket, count."""
    assert filled([5, 3, 5]).pairs() == [3, 1, 5, 2]


def test_pairs_with_half_a_pair_are_refused():
    """A damaged list of pairs is an error instead of a wrong count."""
    with pytest.raises(ValueError, match="shorter"):
        Histogram().add_pairs([3, 1, 5])


def test_longer_than_an_hour_is_counted_as_overflow():
    """A sample beyond the range is not lost: it is counted and lies just above an hour."""
    histogram = filled([HOUR_NS, HOUR_NS + 1, 10 * HOUR_NS])
    assert (histogram.count, histogram.overflow) == (3, 2)
    assert histogram.percentile(1) == pytest.approx(HOUR_NS, rel=0.001)


def test_a_bucket_beyond_an_hour_is_read_as_overflow():
    """If a recorder does not clamp its buckets, the reader does, and nothing is lost."""
    histogram = Histogram()
    histogram.add_pairs([1000, 1, OVERFLOW + 500, 2])
    assert histogram.pairs() == [1000, 1, OVERFLOW, 2]


def test_a_negative_duration_counts_as_zero():
    """If a clock seems to run backwards, the sample is zero, and still one sample."""
    assert filled([-5]).pairs() == [0, 1]


def test_a_sample_may_be_counted_many_times():
    """`count` gives the same as that many single records."""
    histogram = Histogram()
    histogram.record(1500, 3)
    assert histogram.pairs() == filled([1500] * 3).pairs()


def test_without_samples_there_is_no_percentile():
    """An empty histogram gives None and an empty curve, never zero."""
    assert Histogram().percentile(0.5) is None
    assert Histogram().percentiles([0.5, 0.9]) == [None, None]
    assert Histogram().curve() == []


def test_ranks_beyond_the_last_sample_are_none():
    """Only samples that exist have a rank."""
    assert filled([1, 2, 3]).at_ranks([1, 1, 3, 4]) == [1, 1, 3, None]


@given(SAMPLES)
def test_the_curve_runs_from_the_smallest_to_the_largest_and_never_falls(samples):
    """Its fractions ascend from 0 to 1, its values ascend, and each is the percentile there."""
    histogram = filled(samples)
    curve = histogram.curve()
    fractions = [fraction for fraction, _ in curve]
    assert fractions[-1] == 1.0
    assert fractions == sorted(set(fractions))
    assert all(ns == histogram.percentile(fraction) for fraction, ns in curve)


def test_the_curve_is_denser_towards_one():
    """A thousand samples give as many points from 0.99 to 0.999 as from 0 to 0.9."""
    fractions = [fraction for fraction, _ in filled(list(range(1000))).curve()]
    assert sum(f < 0.9 for f in fractions) == sum(0.99 <= f < 0.999 for f in fractions) == 9
    assert fractions[0] == 0.0


def test_the_variance_is_that_of_the_samples():
    """It is as exact as the buckets are; without samples it is 0."""
    assert Histogram().variance() == 0
    two = Histogram()
    two.record(1_000_000)
    two.record(3_000_000)
    assert two.variance() == pytest.approx(1e12, rel=0.01)
