"""What happened, counted: nothing lost, nothing twice, in memory that does not grow."""

import gc
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_perf.client.reply import NOT_REOPENED, REJOINED, REOPENED, Heard, Reply
from mcp_perf.load.replies.cpu_share import CpuShare
from mcp_perf.load.replies.look import ReplyLook
from mcp_perf.load.steps.recorder import (
    FAILURE_SAMPLES,
    OK_SAMPLES,
    OpenCell,
    Recorder,
    Track,
)
from mcp_perf.load.steps.refusals import MOST_WORDINGS
from mcp_perf.outcomes import CLASSES, OK, TIMEOUT, TOOL_ERROR
from mcp_perf.results.journal.histogram import HOUR_NS, Histogram, bucket
from mcp_perf.results.journal.records import SETUP, Health, LookedReplies, Note, SampleRecord, Slice

HEALTH = Health(cpu_s=0.5, wall_s=1.0)


class Clock:
    """Nanoseconds that the test moves."""

    def __init__(self):
        self.ns = 1_000_000

    def __call__(self) -> int:
        """Return the time."""
        return self.ns


class Book:
    """A recorder, and the records that came from it."""

    def __init__(self):
        self.clock = Clock()
        self.records = []
        self.recorder = Recorder("local", self.records.extend, self.clock)
        self.recorder.start()
        self.recorder.turn = 4

    def call(self, track, cls=OK, ns=1000, *, journey="j", detail="", bytes_in=1, bytes_out=2):
        """Count one call."""
        reply = Reply(0)
        reply.end_ns = ns
        reply.detail = detail
        reply.bytes_in, reply.bytes_out = bytes_in, bytes_out
        self.recorder.call(track, journey, cls, reply)

    def flush(self):
        """Flush, and return the new records."""
        before = len(self.records)
        self.recorder.flush(HEALTH)
        return self.records[before:]


@pytest.fixture
def book():
    """Return an open book."""
    return Book()


def slices(records):
    """Return the slices among records."""
    return [record for record in records if isinstance(record, Slice)]


def samples(records):
    """Return the samples among records."""
    return [record for record in records if isinstance(record, SampleRecord)]


@given(st.integers(0, 62).flatmap(lambda bits: st.integers(0, 1 << bits)))
def test_the_inlined_bucket_is_the_histograms(ns):
    """The hot path's own arithmetic puts a duration where the histogram puts it."""
    tally = OpenCell()
    tally.add(ns)
    (key,) = tally.buckets
    if ns <= HOUR_NS:
        assert key == bucket(ns)
    # Beyond an hour it goes into the reader's overflow, and is not lost.
    histogram, expected = Histogram(), Histogram()
    histogram.add_pairs(tally.cell(Track("a", "call", "s"), OK).latency)
    expected.record(ns)
    assert histogram.pairs() == expected.pairs()


@pytest.mark.parametrize("power", range(1, 42))
def test_the_inlined_bucket_is_right_at_every_power_of_two(power):
    """The seams between octaves, where an off-by-one would hide."""
    for ns in (2**power - 1, 2**power, 2**power + 1):
        tally = OpenCell()
        tally.add(ns)
        assert list(tally.buckets) == [bucket(ns)]


@given(st.lists(st.tuples(st.sampled_from(CLASSES), st.integers(0, 10**10)), max_size=60))
def test_promise_08_every_call_ends_in_exactly_one_class(calls):
    """The sum of the classes is the number of calls, and each has its latency."""
    book = Book()
    track = book.recorder.track("mcp", "call", "tools/call x")
    for cls, ns in calls:
        book.call(track, cls, ns)
    (piece,) = slices(book.flush())
    assert {cell.cls: cell.n for cell in piece.cells} == Counter(cls for cls, _ in calls)
    assert book.recorder.calls == len(calls)
    for cell in piece.cells:
        times = [ns for cls, ns in calls if cls == cell.cls]
        assert (cell.total_ns, cell.min_ns, cell.max_ns) == (sum(times), min(times), max(times))
        assert sum(cell.latency[1::2]) == cell.n
        assert cell.latency[::2] == sorted({bucket(ns) for ns in times})
        assert (cell.bytes_in, cell.bytes_out) == (cell.n, 2 * cell.n)


@given(st.lists(st.integers(0, 7), min_size=1, max_size=12))
def test_slices_add_up_to_the_calls(batches):
    """However the calls fall into slices, each is in exactly one of them."""
    book = Book()
    track = book.recorder.track("mcp", "call", "s")
    for count in batches:
        for _ in range(count):
            book.call(track)
        book.clock.ns += 1_000_000_000
        book.flush()
    pieces = slices(book.records)
    counts = [sum(cell.n for cell in piece.cells) for piece in pieces]
    assert counts == batches
    assert [piece.at_s for piece in pieces] == list(range(len(batches)))
    assert all(piece.seconds == 1.0 and piece.health == HEALTH for piece in pieces)


def test_what_is_counted_beside_a_call_has_its_journey_and_tool(book):
    """Lost sessions have them, and so has the time of the first notification."""
    track = book.recorder.track("mcp", "call", "say", "greet", "echo")
    book.call(track)
    book.recorder._count(track, "event", OK, 5)
    (piece, *_) = slices(book.flush())
    found = {(cell.kind, cell.name, cell.journey, cell.tool) for cell in piece.cells}
    assert found == {(kind, "say", "greet", "echo") for kind in ("call", "event")}
    assert track.shown_as("A", "say") is not track.shown_as("B", "say")
    assert track.shown_as("B", "say").tool == "echo"


def test_a_flush_carries_node_turn_and_cells(book):
    """A slice says where and in which turn its calls were made."""
    book.call(book.recorder.track("rest", "call", "GET /a"), OK, 5000)
    (piece, *_) = book.flush()
    assert (piece.node, piece.turn) == ("local", 4)
    (cell,) = piece.cells
    assert (cell.arm, cell.kind, cell.name, cell.cls) == ("rest", "call", "GET /a", OK)
    assert book.flush()[0].cells == []


def test_steps_of_one_name_share_a_track(book):
    """Two steps that call the same tool are one line of the report."""
    track = book.recorder.track("mcp", "call", "s")
    assert book.recorder.track("mcp", "call", "s") is track
    assert book.recorder.track("rest", "call", "s") is not track


def test_journeys_are_counted_beside_calls_and_are_none(book):
    """A journey has its own cell, and is neither a call nor a sample."""
    book.recorder.journey(book.recorder.track("mcp", "journey", "buy"), OK, 7000)
    book.recorder.journey(book.recorder.track("mcp", "journey", "buy"), TIMEOUT, 9000)
    (piece,) = book.flush()
    assert [(cell.kind, cell.cls, cell.n, cell.total_ns) for cell in piece.cells] == [
        ("journey", OK, 1, 7000),
        ("journey", TIMEOUT, 1, 9000),
    ]
    assert book.recorder.calls == 0


def test_a_journey_counts_in_the_second_in_which_it_began_and_a_dropped_one_was_to(book):
    """Seconds run from the start of the turn; before and after it there are none."""
    recorder, second = book.recorder, 1_000_000_000
    book.clock.ns = start_ns = 40 * second
    recorder.begin(4, "mcp")
    book.clock.ns += 3 * second
    recorder.slots.add(OK, start_ns + second - 1)
    recorder.slots.add(OK, start_ns - 1)
    recorder.slots.add(TIMEOUT, start_ns + second)
    recorder.dropped(lag_ns=second)
    (piece,) = book.flush()
    assert [(cell.arm, cell.kind, cell.name, cell.cls, cell.n) for cell in piece.cells] == [
        ("mcp", "slot", "0", OK, 2),
        ("mcp", "slot", "1", TIMEOUT, 1),
        ("mcp", "slot", "2", "dropped", 1),
    ]
    recorder.end()
    recorder.slots.add(OK, start_ns)
    assert slices(book.flush())[0].cells == []


def test_requests_of_opening_a_session_belong_to_no_turn(book):
    """They have a separate slice, so no turn's numbers contain them."""
    reply = Reply(0)
    reply.end_ns = 3000
    book.recorder.setup("mcp", "initialize", reply)
    turn, setup = slices(book.flush())
    assert (turn.turn, turn.cells) == (4, [])
    assert setup.turn == SETUP
    (cell,) = setup.cells
    assert (cell.arm, cell.name, cell.cls, cell.n, cell.total_ns) == (
        "mcp",
        "initialize",
        OK,
        1,
        3000,
    )
    assert (setup.health.cpu_s, setup.health.wall_s) == (0, 0)
    assert book.recorder.calls == 0
    assert len(slices(book.flush())) == 1


def test_the_first_failures_of_each_kind_are_kept_whole(book):
    """Over all slices, a bounded number of each arm, step and class."""
    track = book.recorder.track("mcp", "call", "s")
    other = book.recorder.track("rest", "call", "s")
    for number in range(FAILURE_SAMPLES + 30):
        book.call(track, TOOL_ERROR, 1000 + number, detail=f"failure {number}", journey="buy")
        book.call(track, TIMEOUT)
        book.call(other, TOOL_ERROR)
        if number % 10 == 0:
            book.flush()
    book.flush()
    kept = samples(book.records)
    assert Counter((s.arm, s.cls) for s in kept) == {
        ("mcp", TOOL_ERROR): FAILURE_SAMPLES,
        ("mcp", TIMEOUT): FAILURE_SAMPLES,
        ("rest", TOOL_ERROR): FAILURE_SAMPLES,
    }
    first = kept[0]
    assert (first.detail, first.journey, first.step, first.turn) == ("failure 0", "buy", "s", 4)
    assert (first.latency_ns, first.service_ns, first.bytes_in, first.bytes_out) == (
        1000,
        1000,
        1,
        2,
    )


def test_calls_that_failed_are_counted_by_what_was_said(book):
    """Numbers do not distinguish messages, a status does; what is too varied is not counted."""
    track = book.recorder.track("mcp", "call", "s")
    for number in range(30):
        book.call(track, TOOL_ERROR, detail=f"HTTP {(500, 503)[number % 3 == 0]}: job {number}")
    book.call(track)
    [counted] = slices(book.flush())
    assert {cell.cls: cell.messages for cell in counted.cells} == {
        TOOL_ERROR: {"HTTP 503: job 0": 10, "HTTP 500: job 1": 20},
        OK: {},
    }
    for number in range(100):
        book.call(track, TOOL_ERROR, detail=f"no {chr(65 + number % 26)}{chr(65 + number // 26)}")
    book.call(track, TOOL_ERROR, detail="HTTP 500: job 99")
    [later] = slices(book.flush())
    assert later.cells[0].n == 101
    assert later.cells[0].messages["HTTP 500: job 1"] == 1
    assert sum(later.cells[0].messages.values()) == MOST_WORDINGS - 2 + 1


def test_of_successes_the_first_of_each_step_and_slice_is_kept(book):
    """The kept calls spread over the run, and are not all from its beginning."""
    one, two = (book.recorder.track("mcp", "call", name) for name in ("one", "two"))
    for _ in range(3):
        for _ in range(50):
            book.call(one)
            book.call(two)
        book.flush()
    assert [sample.step for sample in samples(book.records)] == ["one", "two"] * 3


def test_kept_successes_are_bounded(book):
    """A run of a day keeps no more samples than a run of an hour."""
    track = book.recorder.track("mcp", "call", "one")
    for _ in range(OK_SAMPLES + 100):
        book.call(track)
        book.flush()
    assert len(samples(book.records)) == OK_SAMPLES


def test_memory_does_not_depend_on_the_number_of_calls():
    """A hundred times as many calls do not add a single object."""

    def objects_after(calls):
        recorder = Recorder("local", lambda _records: None)
        track = recorder.track("mcp", "call", "s")
        reply = Reply(0)
        for number in range(calls):
            reply.end_ns = 1000 + number % 50
            recorder.call(track, "j", TIMEOUT if number % 10 == 0 else OK, reply)
            if number % 500 == 499:
                recorder.flush(HEALTH)
        gc.collect()
        assert set(track.tallies) <= {OK, TIMEOUT}
        return len(gc.get_objects())

    objects_after(1000)
    assert abs(objects_after(50_000) - objects_after(500)) < 50


def test_a_slices_place_in_time_follows_the_runs_clock(book):
    """A turn sets the clock to the conductor's, and slices get their times from it."""
    book.clock.ns += 77_000_000_000
    book.recorder.start(12.5)
    assert book.recorder.now_s() == 12.5
    book.clock.ns += 250_000_000
    (piece,) = book.flush()
    assert (piece.at_s, piece.seconds) == (12.5, 0.25)


def test_the_silence_before_the_answer_is_a_gap_as_that_between_two_notifications_is(book):
    """The longest gap counts; after a single notification, it is all the time until the answer."""
    track = book.recorder.track("mcp", "call", "tools/call work")
    for heard_ns, end_ns in (((10,), 900), ((10, 500), 900), ((10, 800), 900)):
        reply = Reply(0)
        reply.end_ns, reply.heard = end_ns, Heard(heard_ns[0])
        for ns in heard_ns:
            reply.heard.add("notifications/progress", ns)
        book.recorder.call(track, "j", OK, reply)
    (piece,) = slices(book.flush())
    cells = {cell.kind: cell for cell in piece.cells}
    assert (cells["event"].n, cells["event"].total_ns) == (3, 30)
    assert (cells["gap"].n, cells["gap"].total_ns) == (3, 890 + 490 + 790)
    assert (cells["gap"].min_ns, cells["gap"].max_ns) == (490, 890)
    assert "unheard" not in cells


def test_a_call_that_was_to_report_and_did_not_has_its_own_cell(book):
    """It has no time to a first notification; its class shows whose fault that may be."""
    track = book.recorder.track("mcp", "call", "tools/call work")
    for cls in (OK, OK, TIMEOUT):
        reply = Reply(0)
        reply.end_ns = 7
        book.recorder.unheard(track, cls, reply)
    (piece,) = slices(book.flush())
    assert {(cell.kind, cell.name, cell.cls, cell.n, cell.total_ns) for cell in piece.cells} == {
        ("unheard", "tools/call work", OK, 2, 14),
        ("unheard", "tools/call work", TIMEOUT, 1, 7),
    }


def test_promise_29_what_came_for_no_call_is_counted_by_its_kind(book):
    """Each kind has its bytes; a note shows the first message of each kind."""
    for kind, message in (("no_message", b"one"), ("no_message", b"two"), ("late_reply", b"3")):
        book.recorder.stray("mcp", kind, message)
    records = book.flush()
    (piece,) = slices(records)
    assert {(cell.kind, cell.name, cell.n, cell.bytes_in) for cell in piece.cells} == {
        ("stray", "no_message", 2, 6),
        ("stray", "late_reply", 1, 1),
    }
    notes = [record for record in records if isinstance(record, Note)]
    assert [(note.code, note.arm, note.text) for note in notes] == [
        ("no_message", "mcp", "one"),
        ("late_reply", "mcp", "3"),
    ]
    assert book.recorder.calls == 0


def test_what_was_odd_about_a_target_is_told_once_per_arm(book):
    """It does not matter how many users report it."""
    for arm, text in (("mcp", "odd"), ("mcp", "odd"), ("other", "odd"), ("mcp", "odder")):
        book.recorder.remark(arm, text)
    notes = [record for record in book.flush() if isinstance(record, Note)]
    assert [(note.code, note.text) for note in notes] == [
        ("remark", "mcp: odd"),
        ("remark", "other: odd"),
        ("remark", "mcp: odder"),
    ]


def test_a_lost_session_is_counted_once_and_each_call_that_lost_it_is_timed(book):
    """The call that opened another session counts it; the calls next to it recovered as well."""
    track = book.recorder.track("mcp", "call", "tools/call echo")
    ends = ((REOPENED, OK, 7), (REJOINED, OK, 5), (REJOINED, TIMEOUT, 9), (0, OK, 1))
    for lost, cls, ns in ends:
        reply = Reply(0)
        reply.session_lost, reply.end_ns = lost, ns
        reply.healed = "forgot" if lost else ""
        book.recorder.call(track, "j", cls, reply)
    records = book.flush()
    assert [record.count for record in records if isinstance(record, Note)] == [1]
    cells = [cell for record in slices(records) for cell in record.cells if cell.kind == "recovery"]
    assert {(cell.name, cell.cls, cell.n, cell.total_ns) for cell in cells} == {
        ("tools/call echo", OK, 2, 12),
        ("tools/call echo", TIMEOUT, 1, 9),
    }


@pytest.mark.parametrize(
    ("lost", "became"), [(REOPENED, ""), (NOT_REOPENED, " and could not be opened again")]
)
def test_a_lost_session_is_noted_with_what_became_of_it(book, lost, became):
    """The sentence says how it was lost, and whether there is another one."""
    reply = Reply(0)
    reply.session_lost, reply.healed = lost, "evicted"
    book.recorder.call(book.recorder.track("mcp", "call", "tools/call echo"), "j", OK, reply)
    how = "the server closed it to make room for another"
    said = [record.text for record in book.flush() if isinstance(record, Note)]
    assert said == [f"sessions of mcp were lost{became}: {how}"]


def test_the_first_reply_of_each_step_and_class_is_kept(book):
    """It is kept once for the whole run, and only its beginning."""
    track = book.recorder.track("mcp", "call", "s")
    for number in range(3):
        for cls in (OK, TOOL_ERROR):
            reply = Reply(0)
            reply.body = b"%s %d" % (cls.encode(), number)
            book.recorder.call(track, "j", cls, reply)
        book.flush()
    kept = {(one.cls, one.reply) for one in samples(book.records) if one.reply}
    assert kept == {(OK, "ok 0"), (TOOL_ERROR, "tool_error 0")}


def test_what_was_seen_in_replies_is_told_with_the_slice(book):
    """Each look reports if it has seen replies since the last time."""
    share = CpuShare(1.0, lambda: 0)
    book.recorder.looks += [ReplyLook("mcp", name, share) for name in ("one", "two")]
    reply = Reply(0)
    reply.body = b'{"result": {"content": []}}'
    book.recorder.looks[0].at(reply, None)
    [seen] = [one for one in book.flush() if isinstance(one, LookedReplies)]
    assert (seen.turn, seen.step, seen.looked, seen.empty) == (4, "one", 1, 1)
    assert not [one for one in book.flush() if isinstance(one, LookedReplies)]
