"""Locust's sockets with the run key: nodes that have it are heard, all others are named."""

import os
import re
import socket

import gevent
import pytest
import zmq.green as zmq

from tests.support.waiting import free_port

with pytest.MonkeyPatch.context() as patch:  # these tests run in a process that is as it was
    patch.setenv("LOCUST_SKIP_MONKEY_PATCH", "1")
    from locust.exception import RPCError
    from locust.rpc import Message, zmqrpc

    from mcp_perf.load.lifecycle import nodes
    from mcp_perf.load.lifecycle.nodes import MasterSocket, WorkerSocket

Context = zmq.Context
KEY = "a key of this run"
NAME = "host_1f0c"


@pytest.fixture(autouse=True)
def _key(monkeypatch):
    """Give both ends a key and no memory of other tests; close sockets that Locust leaves open."""
    monkeypatch.setattr(nodes._SignedSocket, "run_key", KEY)
    for kind in (MasterSocket, WorkerSocket):
        monkeypatch.setattr(kind, "_kept", None)
    contexts = []
    monkeypatch.setattr(zmqrpc.zmq, "Context", lambda: contexts.append(Context()) or contexts[-1])
    yield
    for context in contexts:
        context.destroy(linger=0)


@pytest.fixture
def port():
    """Return a free port."""
    return free_port()


@pytest.fixture
def master(port):
    """Open a master's socket."""
    return MasterSocket("127.0.0.1", port)


@pytest.fixture
def worker(port):
    """Open a worker's socket, and read what arrives there into `heard`."""
    opened = WorkerSocket("127.0.0.1", port, NAME)
    opened.heard = []
    reading = gevent.spawn(lambda: opened.heard.extend(iter(opened.recv, None)))
    yield opened
    reading.kill()


@pytest.fixture
def rogue(port):
    """Open a socket as Locust does, without a key."""
    opened = zmq.Context().socket(zmq.DEALER)
    opened.setsockopt(zmq.IDENTITY, b"rogue")
    opened.connect(f"tcp://127.0.0.1:{port}")
    return opened


def take(master):
    """Wait for the next message that the master hears."""
    with gevent.Timeout(30):
        return master.recv_from_client()


def until(what):
    """Wait for something to become true."""
    with gevent.Timeout(30):
        while not what():
            gevent.sleep(0.01)


def beat(worker):
    """Send heartbeats as a worker does, one after the other."""
    while True:
        worker.send(Message("heartbeat", None, NAME))
        gevent.sleep(0.1)


def test_messages_go_both_ways_in_their_order(master, worker):
    """A worker's messages are kept until the master has answered."""
    for number in range(3):
        worker.send(Message("client_ready", number, NAME))
    came = [take(master) for _ in range(3)]
    assert [(node, message.type, message.data) for node, message in came] == [
        (NAME, "client_ready", number) for number in range(3)
    ]
    master.send_to_client(Message("ack", {"index": 0}, NAME))
    master.send_to_client(Message("ack", {"index": 0}, "nobody"))
    until(lambda: worker.heard)
    assert [(one.type, one.data, one.node_id) for one in worker.heard] == [
        ("ack", {"index": 0}, NAME)
    ]


def test_messages_without_a_key_do_not_reach_locust(master, worker, rogue):
    """Forged records, a false worker, rubbish: all are dropped, counted, and named by address."""
    for kind in ("client_ready", "stats", "mcp-perf-records", "quit"):
        rogue.send(Message(kind, b"[]", NAME).serialize())
    rogue.send(b"")
    rogue.send_multipart([b"a", b"b"])
    hearing = gevent.spawn(take, master)
    with gevent.Timeout(30):
        assert {rogue.recv() for _ in range(6)} == {b"S"}
    worker.send(Message("client_ready", 1, NAME))
    assert hearing.get()[0] == NAME
    why = "it has a different run key, or none (6 messages)."
    assert master.end.refused() == [f"rogue at 127.0.0.1 is ignored: {why}"]


def test_a_worker_does_not_obey_a_master_without_the_key(worker, port, caplog):
    """Whoever listens there can neither give it orders nor send it away; the worker reports it."""
    rogue = zmq.Context().socket(zmq.ROUTER)
    rogue.bind(f"tcp://127.0.0.1:{port}")
    worker.send(Message("client_ready", "canary", NAME))
    with gevent.Timeout(30):
        sender, asked = rogue.recv_multipart()
    assert b"canary" not in asked
    for kind in ("ack", "spawn", "update_user_class", "quit", "mcp-perf-order"):
        rogue.send_multipart([sender, Message(kind, {}, NAME).serialize()])
    until(lambda: "not signed with the run key" in caplog.text)
    gevent.sleep(0.05)
    assert worker.heard == []
    assert caplog.text.count("not signed") == 1


def test_no_worker_speaks_for_another(master, worker):
    """A message is dropped if the name in it is not the name of its connection."""
    worker.send(Message("quit", None, "another"))
    worker.send(Message("client_ready", 1, NAME))
    assert take(master)[1].type == "client_ready"


def test_the_size_of_a_message_is_bounded(master, worker):
    """The sender of a larger one is disconnected before memory is taken for it."""
    assert master.socket.getsockopt(zmq.MAXMSGSIZE) == 64 * 1024 * 1024
    assert worker.socket.getsockopt(zmq.MAXMSGSIZE) == 64 * 1024 * 1024


def test_options_of_the_master_stay_there(master, worker):
    """Such as a store's password, or a target. A worker's task has what the worker needs."""
    worker.send(Message("client_ready", 1, NAME))
    take(master)
    parsed = {"store": "postgresql://me:canary@h/d", "target": ["mcp=x"], "mcp_perf_task": "{}"}
    parsed |= {"tags": None, "theirs": 1}
    master.send_to_client(Message("spawn", {"parsed_options": parsed, "host": None}, NAME))
    until(lambda: worker.heard)
    kept = {"mcp_perf_task": "{}", "tags": None, "theirs": 1}
    assert worker.heard[0].data == {"parsed_options": kept, "host": None}
    assert parsed["store"]


def test_a_socket_that_is_opened_anew_goes_on(master, worker, port):
    """Locust opens a new one when one has broken. Nodes that knew each other still do."""
    worker.send(Message("client_ready", 1, NAME))
    take(master)
    master.close(linger=0)
    again = MasterSocket("127.0.0.1", port)
    beating = gevent.spawn(beat, worker)  # ZeroMQ loses what it sends into the broken connection
    assert take(again)[1].type == "heartbeat"
    beating.kill()
    assert WorkerSocket("127.0.0.1", port, NAME).end is worker.end
    assert WorkerSocket("127.0.0.1", port, "later").end is not worker.end


@pytest.mark.usefixtures("master")
def test_a_port_that_is_taken_is_locusts_own_error(port):
    """Locust looks for these words."""
    with pytest.raises(RPCError, match="Socket bind failure: Address already in use"):
        MasterSocket("127.0.0.1", port)


def test_a_master_whose_port_is_taken_refuses_the_run(port, caplog):
    """Before there was a socket, nothing can be tried again: the message names port and option."""
    with socket.create_server(("127.0.0.1", port)), pytest.raises(SystemExit) as ended:
        MasterSocket("127.0.0.1", port)
    assert ended.value.code == 104
    why = "the master cannot listen there on 127.0.0.1 (Address already in use); name another port"
    assert f"--master-bind-port {port}: {why}" in caplog.text


@pytest.mark.parametrize("given", ["", "too short"])
def test_without_a_good_key_the_process_ends(given, port, monkeypatch, caplog):
    """The exit code is 104, with a reason, and nothing is sent."""
    monkeypatch.setattr(nodes._SignedSocket, "run_key", given)
    for opening in (
        lambda: MasterSocket("127.0.0.1", port),
        lambda: WorkerSocket("127.0.0.1", port, NAME),
    ):
        with pytest.raises(SystemExit) as ended:
            opening()
        assert ended.value.code == 104
    assert len(re.findall("MCP_PERF_RUN_KEY", caplog.text)) == 2


def test_the_key_is_taken_out_of_the_environment(monkeypatch):
    """Child processes do not get it. Line ends of the file that it came from do not count."""
    monkeypatch.setenv("MCP_PERF_RUN_KEY", f"{KEY} of a file\n")
    monkeypatch.setattr(os, "register_at_fork", lambda **_hooks: None)
    for name in ("Server", "Client"):
        monkeypatch.setattr(zmqrpc, name, None)
    nodes.lock()
    assert nodes._SignedSocket.run_key == f"{KEY} of a file"
    assert "MCP_PERF_RUN_KEY" not in os.environ
    assert (zmqrpc.Server, zmqrpc.Client) == (MasterSocket, WorkerSocket)
    nodes.lock()
    assert nodes._SignedSocket.run_key == f"{KEY} of a file"


def test_a_process_that_forks_its_workers_draws_a_key(monkeypatch):
    """It has at least 32 characters; a given one is used instead."""
    nodes._SignedSocket.draw()
    assert nodes._SignedSocket.run_key == KEY
    monkeypatch.setattr(nodes._SignedSocket, "run_key", "")
    nodes._SignedSocket.draw()
    assert len(nodes._SignedSocket.run_key) >= 32
