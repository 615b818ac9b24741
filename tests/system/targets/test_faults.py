"""Drawing faults and applying them to replies."""

import msgspec
import pytest

from mcp_targets.serving.faults import KINDS, Faults, Rates
from mcp_targets.serving.httpd import Cut, Reply, Reset, Slow


def test_without_rates_nothing_goes_wrong():
    """The usual case."""
    faults = Faults()
    assert [faults.draw() for _ in range(100)] == [""] * 100
    assert set(faults.counts.values()) == {0}


@pytest.mark.parametrize("kind", KINDS)
def test_a_rate_of_one_befalls_every_reply(kind):
    """Each kind is reported under its name."""
    faults = Faults(Rates(**{f"{kind}_rate": 1.0}))
    assert {faults.draw() for _ in range(50)} == {kind}
    assert faults.counts[kind] == 50


def test_what_is_drawn_is_counted_exactly():
    """A report's counts are checked against these counters."""
    faults = Faults(Rates(error_rate=0.3, reset_rate=0.2, stall_rate=0.1, seed=3))
    drawn = [faults.draw() for _ in range(1000)]
    assert faults.counts == {kind: drawn.count(kind) for kind in KINDS}
    for kind, share in (("error", 0.3), ("reset", 0.2), ("stall", 0.1)):
        assert abs(drawn.count(kind) - 1000 * share) < 75


def test_the_same_seed_draws_the_same_faults():
    """Setting rates again restarts their sequence; the counts continue."""
    rates = Rates(error_rate=0.5, seed=9)
    faults = Faults(rates)
    first = [faults.draw() for _ in range(40)]
    faults.set(rates)
    assert [faults.draw() for _ in range(40)] == first
    assert faults.counts["error"] == 2 * first.count("error")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (b'{"error_rate": 1.5}', "<= 1"),
        (b'{"error_rate": -0.1}', ">= 0"),
        (b'{"error_rate": 0.6, "reset_rate": 0.6}', "add up to 1.2"),
        (b'{"errorrate": 0.1}', "unknown field `errorrate`"),
    ],
)
def test_rates_that_make_no_sense_are_refused(text, complaint):
    """A mistyped fault must not look like a healthy server."""
    with pytest.raises(msgspec.ValidationError, match=complaint):
        msgspec.json.decode(text, type=Rates)


def test_each_fault_spoils_a_reply_in_its_own_way():
    """Each kind's effect on the same good reply."""
    faults = Faults(Rates(stall_ms=250, slow_ms=500))

    def spoil(kind):
        return faults.spoil(kind, Reply(b'{"ok": true}', after_s=0.1))

    assert spoil("") == Reply(b'{"ok": true}', after_s=0.1)
    assert spoil("reset").fault == Reset()
    assert spoil("stall").after_s == pytest.approx(0.35)
    assert spoil("slow").fault == Slow(0.5)
    assert spoil("cut").fault == Cut()
    with pytest.raises(msgspec.DecodeError):
        msgspec.json.decode(spoil("malformed").body)
    page = spoil("html")
    assert (page.status, page.content_type, page.after_s) == (502, b"text/html", 0.1)
