"""A message that is signed with the run key is heard once and in order. Nothing else is heard."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mcp_perf.load.lifecycle.run_key import MOST_NAMED, MasterEnd, WorkerEnd, usable
from mcp_perf.load.targets.refusal import Refusal

KEY = b"a key of the run"
HERE = "192.0.2.7"
NO_KEY = f"at {HERE} is ignored: it has a different run key, or none"


class Pair:
    """A master and one worker that know each other, and the messages that each of them got."""

    def __init__(self, node="one", key=KEY):
        self.told = []
        self.master, self.worker = MasterEnd(key, self.told.append), worker(node, key, self.told)
        introduce(self.master, self.worker)


def worker(node="one", key=KEY, told=None):
    """Give a worker's end."""
    return WorkerEnd(key, node, "192.0.2.1:5557", [].append if told is None else told.append)


def introduce(master, one):
    """Let a worker ask and the master answer; return what the worker heard."""
    _, answer = master.hear(one.node, one.seal(b"unsaid"), HERE)
    return one.hear(answer)


@given(st.lists(st.binary(max_size=100), max_size=5), st.lists(st.binary(max_size=100), max_size=5))
def test_both_hear_what_the_other_says(up, down):
    """Every message arrives unchanged and in order, in both directions."""
    pair = Pair()
    frames = [pair.worker.seal(message) for message in up]
    assert [pair.master.hear("one", frame, HERE) for frame in frames] == [(m, None) for m in up]
    frames = [pair.master.seal("one", message) for message in down]
    assert [pair.worker.hear(frame) for frame in frames] == down
    assert pair.told == pair.master.refused() == []


@given(st.data())
def test_a_frame_with_any_changed_byte_is_not_heard(data):
    """Neither master nor worker hears it, whether the byte is in kind, tag, count or text."""
    pair = Pair()
    for frame, hear in (
        (pair.worker.seal(b"passed: 1000"), lambda it: pair.master.hear("one", it, HERE)[0]),
        (pair.master.seal("one", b"spawn"), pair.worker.hear),
    ):
        at = data.draw(st.integers(0, len(frame) - 1))
        forged = bytearray(frame)
        forged[at] ^= data.draw(st.integers(1, 255))
        assert hear(bytes(forged)) is None
        assert hear(frame[: data.draw(st.integers(0, len(frame) - 1))]) is None
        assert hear(frame) is not None


@given(st.binary(max_size=200))
def test_unsigned_frames_are_not_heard(frame):
    """The sender is called a stranger, and named, whatever it sends."""
    pair = Pair()
    assert pair.master.hear("one", frame, HERE) == (None, b"S")
    assert pair.master.hear("other", frame, HERE) == (None, b"S")
    assert pair.worker.hear(frame) is None
    assert set(pair.told) - {"Messages from 192.0.2.1:5557 are not signed with the run key"} == {
        f"one {NO_KEY}",
        f"other {NO_KEY}",
    }


@given(st.permutations(range(4)))
def test_nothing_is_heard_twice_or_too_late(order):
    """Frames may arrive as often and in whatever order they like."""
    pair = Pair()
    frames = [pair.worker.seal(bytes([number])) for number in range(4)]
    heard = [pair.master.hear("one", frames[number], HERE)[0] for number in (*order, *order)]
    numbers = [message[0] for message in heard if message is not None]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == 3


def test_messages_that_were_lost_on_the_way_are_counted():
    """For each worker, during a run, and until somebody asks for the count."""
    pair = Pair()
    two = worker("two")
    introduce(pair.master, two)

    def say(one, *, lose):
        for _ in range(lose):
            one.seal(b"x")
        assert pair.master.hear(one.node, one.seal(b"y"), HERE)[0] == b"y"

    say(pair.worker, lose=3)
    assert pair.master.missed() == []
    pair.master.members = frozenset({"one", "two"})
    for one, lose in ((pair.worker, 0), (pair.worker, 2), (two, 1), (pair.worker, 1), (two, 0)):
        say(one, lose=lose)
    assert pair.master.missed() == [
        "one (3 messages did not arrive)",
        "two (1 message did not arrive)",
    ]
    assert pair.master.missed() == []


def test_messages_from_elsewhere_are_not_heard():
    """They are from another run with the same key, to another worker, or in the other direction."""
    here, earlier = Pair(), Pair()
    other = worker("two")
    introduce(here.master, other)
    said = here.worker.seal(b"x")
    assert here.master.hear("two", said, HERE)[0] is None
    assert here.worker.hear(said) is None
    assert here.master.hear("one", earlier.worker.seal(b"x"), HERE)[0] is None
    assert here.worker.hear(earlier.master.seal("one", b"x")) is None
    assert other.hear(here.master.seal("one", b"x")) is None
    # The answer to a replayed greeting reveals nothing, and disturbs nobody.
    introduce(here.master, worker("one"))
    assert here.master.hear("one", said, HERE)[0] == b"x"


@given(st.binary(min_size=16, max_size=40))
def test_a_worker_with_another_key_is_named_and_ends_with_a_reason(key):
    """The master goes on. The worker gets the reason, and sends nothing but its name."""
    assume(key != KEY)
    told = []
    master, stranger = MasterEnd(KEY, told.append), worker("late\nname" + "x" * 200, key)
    with pytest.raises(
        Refusal, match="has a different run key: set MCP_PERF_RUN_KEY to"
    ) as refusal:
        introduce(master, stranger)
    assert refusal.value.exit_code == 104
    assert not master.knows(stranger.node)
    assert told == [f"{stranger.node[:100]} {NO_KEY}"]
    assert master.refused() == [f"{told[0]} (1 message)."]
    assert master.refused() == []


def test_a_worker_does_not_obey_a_master_without_the_key():
    """It says so once, and keeps asking: it does not send a single message."""
    told = []
    one = worker(told=told)
    stranger = MasterEnd(b"another key of a run", [].append)
    stranger._signers["one"] = Pair(key=b"another key of a run").master._signers["one"]
    frames = (b"spawn", b"", b"W" + bytes(48), b"L" + bytes(32), stranger.seal("one", b"spawn"))
    assert [one.hear(frame) for frame in frames] == [None] * 5
    assert told == ["Messages from 192.0.2.1:5557 are not signed with the run key"]
    assert one.seal(b"canary") == one.seal(b"other")
    assert not one.known


def test_a_worker_that_is_known_goes_on_whatever_strangers_say():
    """Only its master can send it away."""
    pair = Pair()
    assert pair.worker.hear(b"S") is None
    assert pair.worker.hear(pair.master.hear("one", b"", HERE)[1]) is None
    _, again = pair.master.hear("one", worker("one").seal(b""), HERE)
    assert pair.worker.hear(again) is None
    assert pair.worker.hear(pair.master.seal("one", b"go")) == b"go"


def test_a_worker_that_comes_during_a_run_gets_nothing():
    """It is named, and gets the reason. The workers of the run are heard as before."""
    pair = Pair()
    known, late = worker("known"), worker("late")
    introduce(pair.master, known)
    pair.master.members = frozenset({"one"})
    for node in (late, known):
        with pytest.raises(Refusal, match=f"worker {node.node} connected") as refusal:
            introduce(pair.master, node)
        assert refusal.value.exit_code == 92
    assert not pair.master.knows("late")
    assert pair.master.hear("one", pair.worker.seal(b"x"), HERE) == (b"x", None)
    why = f"at {HERE} is ignored: it connected after the run had begun (1 message)."
    assert pair.master.refused() == [f"late {why}", f"known {why}"]
    pair.master.members = None
    assert introduce(pair.master, worker("late")) is None
    assert pair.master.knows("late")


def test_a_crowd_of_strangers_is_counted_and_not_listed():
    """Making up names costs an attacker nothing."""
    told = []
    master = MasterEnd(KEY, told.append)
    for number in range(MOST_NAMED + 5):
        master.hear(f"n{number}", b"", HERE)
        master.hear("n0", b"", HERE)
    assert len(told) == MOST_NAMED + 1
    listed = master.refused()
    assert listed[0] == f"n0 {NO_KEY} ({MOST_NAMED + 6} messages)."
    assert listed[-1] == "Further workers are ignored, too (5 messages)."


@pytest.mark.parametrize(
    ("key", "said"), [("", "is not set"), ("fifteen letters", "15 characters")]
)
def test_a_key_that_can_be_guessed_is_refused(key, said):
    """So is an empty one; the message says what to write."""
    with pytest.raises(Refusal, match=f"MCP_PERF_RUN_KEY .*{said}.*at least 16") as refusal:
        usable(key)
    assert refusal.value.exit_code == 104


def test_sixteen_characters_are_enough():
    """They may be of any kind."""
    assert usable("sixteen, and ü!?") == "sixteen, and ü!?".encode()
