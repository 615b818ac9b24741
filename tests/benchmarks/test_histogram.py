"""Counting durations and computing percentiles, compared with HdrHistogram's C code."""

import random

import pytest
from hdrh.histogram import HdrHistogram

from mcp_perf.client.reply import Reply
from mcp_perf.load.steps.recorder import Recorder
from mcp_perf.outcomes import OK
from mcp_perf.results.journal.histogram import HOUR_NS, Histogram

pytestmark = pytest.mark.benchmark(group="histogram")
RNG = random.Random(7)
DURATIONS = [int(RNG.lognormvariate(15, 0.5)) for _ in range(1000)]
FRACTIONS = [0.5, 0.9, 0.95, 0.99, 0.999]


def info(what: str) -> dict[str, dict[str, str]]:
    """Describe each side for pytest-benchmark."""
    sides = ("ours", "hdrh")
    return {side: {"system": "reports", "layer": "histogram", "tool": what} for side in sides}


def hdrh() -> HdrHistogram:
    """Return a histogram of the same resolution."""
    return HdrHistogram(1, HOUR_NS, 3)


def test_record_a_thousand(side_by_side):
    """A thousand durations into one continuing histogram."""
    mine, theirs = Histogram(), hdrh()

    def ours() -> int:
        for ns in DURATIONS:
            mine.record(ns)
        return mine.count

    def rival() -> int:
        for ns in DURATIONS:
            theirs.record_value(ns)
        return theirs.get_total_count()

    returned = side_by_side({"ours": ours, "hdrh": rival}, info=info("record"))
    assert returned == {"ours": 1000, "hdrh": 1000}


def test_percentiles(side_by_side):
    """Five percentiles of a thousand durations: the same numbers, to 0.1 %."""
    mine, theirs = Histogram(), hdrh()
    for ns in DURATIONS:
        mine.record(ns)
        theirs.record_value(ns)
    sides = {
        "ours": lambda: mine.percentiles(FRACTIONS),
        "hdrh": lambda: [theirs.get_value_at_percentile(100 * f) for f in FRACTIONS],
    }
    returned = side_by_side(sides, info=info("percentiles"))
    assert returned["ours"] == pytest.approx(returned["hdrh"], rel=0.002)


def test_record_a_call(side_by_side):
    """Everything the recorder does for a call, compared with one record of the histogram."""
    recorder = Recorder("bench", lambda _: None)
    track = recorder.track("mcp", "call", "tools/call echo")
    reply, theirs = Reply(0), hdrh()
    reply.end_ns = 1_234_567
    sides = {
        "ours": lambda: recorder.call(track, "echo", OK, reply),
        "hdrh": lambda: theirs.record_value(1_234_567),
    }
    side_by_side(sides, info=info("record a call"))
    assert track.tallies[OK].n == recorder.calls > 0
