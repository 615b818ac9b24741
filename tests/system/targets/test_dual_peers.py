"""Peers of the dual-runtime system: discovery, the shared file, bootstrap, addresses, alerts."""

import threading

import anyio
import pytest
import trio
import trio.testing

from mcp_targets.dual_runtime.errors import NotFound, Transient
from mcp_targets.dual_runtime.p2p.peers.addresses import PublicAddress, Seen, nat_type, race
from mcp_targets.dual_runtime.p2p.peers.bootstrap import Bootstrap, Method
from mcp_targets.dual_runtime.p2p.peers.discovery import Discovery
from mcp_targets.dual_runtime.p2p.peers.monitoring import Monitor
from mcp_targets.dual_runtime.p2p.peers.peers import (
    TTL_S,
    Peer,
    PeerBook,
    RegistryFile,
    capable,
    freshest,
)


def in_virtual_time(main):
    """Run an async function on Trio with a clock that skips waits."""
    return trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


def peer(name, seen_s=100.0, *capabilities, source=""):
    """Return a record of a peer."""
    return Peer(name, f"{name}.test:4001", capabilities, seen_s, source)


def test_the_freshest_record_of_each_peer_wins_and_the_last_seen_comes_first():
    """From any source, in any order."""
    records = [peer("a", 1), peer("b", 5), peer("a", 9, "new"), peer("c", 7), peer("a", 3)]
    assert [(one.peer_id, one.last_seen_s) for one in freshest(records)] == [
        ("a", 9),
        ("c", 7),
        ("b", 5),
    ]


@pytest.mark.parametrize(
    ("required", "found"),
    [((), ["a", "b", "c"]), (("x",), ["a", "b"]), (("x", "y"), ["b"]), (("z",), [])],
)
def test_a_peer_must_have_every_capability_that_is_required(required, found):
    """Having one of them is not enough."""
    peers = [peer("a", 1, "x"), peer("b", 1, "y", "x", "w"), peer("c", 1, "y")]
    assert [one.peer_id for one in capable(peers, required)] == found


def test_peers_expire_and_are_cleaned_up_unless_connected():
    """A connection keeps a peer, however long ago it was seen."""
    now = [100.0]
    book = PeerBook(lambda: now[0])
    book.learn([peer("a"), peer("b")])
    book.connect(peer("c"))
    now[0] = 100.0 + TTL_S
    book.learn([peer("d", now[0])])
    assert [one.peer_id for one in book.known()] == ["d"]
    assert book.cleanup() == 2
    assert [one.peer_id for one in book.connected()] == ["c"]
    book.disconnect("c")
    with pytest.raises(NotFound):
        book.disconnect("c")
    assert book.cleanup() == 1


class Says:
    """A source that returns peers after some time."""

    def __init__(self, name, *peers, after_s=0.0, error=None):
        self.name = name
        self._peers, self._after_s, self._error = peers, after_s, error

    async def peers(self):
        """Return the peers, or fail."""
        await anyio.sleep(self._after_s)
        if self._error is not None:
            raise self._error
        return list(self._peers)


def discovery(*sources, fanout="par", now_s=100.0):
    """Return a discovery over sources, its book and its monitor."""
    book, monitor = PeerBook(lambda: now_s), Monitor()
    return Discovery(sources, book, lambda: now_s, monitor, fanout), book, monitor


@pytest.mark.parametrize(("fanout", "took_s"), [("par", 1.0), ("seq", 1.7)])
def test_sources_are_asked_at_once_or_in_turn(fanout, took_s):
    """Their answers are merged in the same way."""
    sources = Says("one", peer("a", 90), after_s=1), Says("two", peer("a", 95), after_s=0.7)
    found, _, _ = discovery(*sources, fanout=fanout)

    async def main():
        began = trio.current_time()
        result = await found.discover((), 10, 5)
        return result, trio.current_time() - began

    result, took = in_virtual_time(main)
    assert took == pytest.approx(took_s)
    assert [(one.last_seen_s, one.source) for one in result.peers] == [(95, "two")]


def test_a_source_that_fails_or_is_late_costs_only_its_own_peers():
    """The deadline is kept, the answers are remembered, and outcomes are counted."""
    broken = Says("broken", error=Transient("X", "gone"))
    late = Says("late", peer("never"), after_s=10)
    stale = Says("stale", peer("old", 100 - TTL_S))
    found, book, monitor = discovery(Says("good", peer("a")), broken, late, stale)

    async def main():
        began = trio.current_time()
        result = await found.discover((), 10, 2)
        return result, trio.current_time() - began

    result, took = in_virtual_time(main)
    assert took == pytest.approx(2)
    assert [one.peer_id for one in result.peers] == ["a"]
    assert result.sources == {"good": "ok", "broken": "gone", "late": "late", "stale": "ok"}
    assert [one.peer_id for one in book.known()] == ["a"]
    assert monitor.counters()["discovery"] == {"succeeded": 2, "failed": 2}


def test_a_hundred_concurrent_registrations_in_the_file_lose_none(tmp_path):
    """Writers wait for each other, and readers never see half a file."""
    path = tmp_path / "peers.json"
    start = threading.Barrier(101)
    sizes = []

    def register(number):
        # Each has another lock object, like another process.
        registry = RegistryFile(path)
        start.wait()
        registry.register(peer(f"p{number}"))

    def read():
        start.wait()
        while not sizes or sizes[-1] < 100:
            sizes.append(len(RegistryFile(path).read()))

    threads = [threading.Thread(target=register, args=(number,)) for number in range(100)]
    reader = threading.Thread(target=read)
    for thread in (*threads, reader):
        thread.start()
    for thread in (*threads, reader):
        thread.join(60)
    assert len(RegistryFile(path).read()) == 100
    assert sizes == sorted(sizes)


def bootstrap(methods, connect, fanout="par"):
    """Return a bootstrap and its monitor."""
    monitor = Monitor()
    return Bootstrap(methods, connect, monitor, fanout), monitor


def names(*nodes, error=None):
    """Return a method's function."""

    async def run():
        if error is not None:
            raise error
        return list(nodes)

    return run


@pytest.mark.parametrize("fanout", ["par", "seq"])
def test_nodes_are_tried_by_priority_until_enough_are_connected(fanout):
    """A node found by several methods is tried once, under the best of them."""
    tried = []

    async def connect(node):
        tried.append(node)
        if node.startswith("slow"):
            await anyio.sleep(100)
        if node.startswith("bad"):
            raise Transient("X", "refused")

    methods = [
        Method("last", 3, names("x", "bad", "y")),
        Method("broken", 0, names(error=Transient("X", "no"))),
        Method("first", 1, names("bad", "slow", "a")),
    ]
    started, monitor = bootstrap(methods, connect, fanout)
    attempts = in_virtual_time(lambda: started.run(2, 1))
    assert [(one.node, one.method, one.outcome) for one in attempts] == [
        ("bad", "first", "refused"),
        ("slow", "first", "timed out"),
        ("a", "first", "connected"),
        ("x", "last", "connected"),
    ]
    assert sorted(tried) == ["a", "bad", "slow", "x"]
    assert list(started.history) == attempts
    assert monitor.counters()["bootstrap"] == {"succeeded": 2, "failed": 2}


def test_a_bootstrap_that_finds_nobody_ends():
    """It returns its attempts."""
    started, _ = bootstrap([Method("none", 1, names())], None)
    assert in_virtual_time(lambda: started.run(3, 1)) == []


def service(ip, after_s, error=None):
    """Return a service that reports an address."""

    async def ask():
        await anyio.sleep(after_s)
        if error is not None:
            raise error
        return Seen(ip, 4001)

    return ask


def test_the_first_service_that_answers_wins_and_the_others_are_given_up():
    """A failure does not count as an answer."""
    services = {
        "slow": service("1", 50),
        "broken": service("2", 0, Transient("X", "no")),
        "quick": service("3", 1),
    }

    async def main():
        began = trio.current_time()
        won = await race(services, "par")
        return won, trio.current_time() - began

    won, took = in_virtual_time(main)
    assert (won, took) == (("quick", Seen("3", 4001)), pytest.approx(1))
    assert in_virtual_time(lambda: race(services, "seq"))[0] == "slow"
    with pytest.raises(Transient, match="none of 1 services"):
        in_virtual_time(lambda: race({"broken": services["broken"]}, "par"))


def test_the_public_address_is_asked_for_again_only_when_it_is_old():
    """Then it is asked for again."""
    now, asked = [0.0], []

    async def ask():
        asked.append(now[0])
        return Seen("203.0.113.7", 1)

    address = PublicAddress({"a": ask, "b": ask}, Seen("10.0.0.1", 1), lambda: now[0], "seq")

    async def main():
        for time_s in (0.0, 299.0, 300.0):
            now[0] = time_s
            assert (await address.get()).nat == "cone"

    in_virtual_time(main)
    assert set(asked) == {0.0, 300.0}


LOCAL, ONE, TWO = Seen("10.0.0.1", 5), Seen("203.0.113.7", 6), Seen("203.0.113.7", 7)


@pytest.mark.parametrize(
    ("seen", "nat"),
    [
        ([], "unknown"),
        ([LOCAL, LOCAL], "none"),  # nothing translates
        ([ONE], "unknown"),  # one view cannot tell
        ([ONE, ONE], "cone"),  # the same mapping for everyone
        ([ONE, TWO], "symmetric"),  # a different one for each
    ],
)
def test_the_kind_of_nat_follows_from_what_services_see(seen, nat):
    """RFC 4787, section 4.1."""
    assert nat_type(LOCAL, seen) == nat


@pytest.mark.parametrize(
    ("area", "failures", "outcomes", "alert"),
    [
        ("discovery", 30, 100, False),  # the limit itself is fine
        ("discovery", 31, 100, True),
        ("workflow", 20, 100, False),
        ("workflow", 21, 100, True),
        ("bootstrap", 50, 100, False),
        ("bootstrap", 51, 100, True),
        ("bootstrap", 9, 9, False),  # too few to judge
        ("bootstrap", 10, 10, True),
    ],
)
def test_an_alert_is_raised_when_too_much_fails(area, failures, outcomes, alert):
    """30 % of discoveries, 20 % of workflows, 50 % of bootstraps."""
    monitor = Monitor()
    for number in range(outcomes):
        monitor.count(area, failed=number < failures)
    assert [one["area"] for one in monitor.alerts()] == ([area] if alert else [])


def test_an_alert_ends_when_things_work_again():
    """Only the last hundred outcomes count."""
    monitor = Monitor()
    for _ in range(100):
        monitor.count("workflow", failed=True)
    for _ in range(80):
        monitor.count("workflow", failed=False)
    assert monitor.alerts() == []
    assert monitor.counters()["workflow"] == {"succeeded": 80, "failed": 100}
