"""The running dual-runtime system: why its presets differ, and what its faces show."""

import httpx
import pytest

pytestmark = pytest.mark.process

ASKED = ("peer_status", "peer_load", "peer_storage")


@pytest.fixture(scope="module")
def ask(systems):
    """Return a function that makes calls one after the other and returns the answers."""

    def run(flags, *tools):
        with httpx.Client(base_url=systems.face(f"dual_runtime/rest?{flags}").url) as client:
            replies = [client.post(f"/tools/{name}", json=given) for name, given in tools]
            seen = client.get("/health/upstreams").json()
            return replies, seen, client.get("/health/runtime").json()

    return run


@pytest.mark.parametrize(
    ("flags", "connections", "parallel", "server"),
    [
        ("preset=control&cache=on", 10, 1, "asyncio"),  # as control: a connection per request
        ("preset=control&fanout=par", 10, 3, "asyncio"),
        ("preset=control&pool=on", 10, 1, "asyncio"),  # a pool ends with the loop of its call
        ("preset=dual&delay=0ms", 1, 3, "trio"),  # as dual: one connection for all
        ("preset=dual&fanout=seq", 1, 1, "trio"),
        ("preset=dual&pool=off", 10, 3, "trio"),
        ("preset=dual&runtime=asyncio", 1, 3, "asyncio"),  # kept and at once, without Trio
    ],
)
def test_the_upstreams_counters_show_what_each_flag_does(ask, flags, connections, parallel, server):
    """Ten calls: connections opened at each upstream, and the most requests at once."""
    calls = [("peer_metrics", {"peer_id": f"p{number}"}) for number in range(10)]
    replies, seen, runtime = ask(flags, *calls)
    assert all(reply.status_code == 200 for reply in replies)
    for name in ASKED:
        counters = seen["upstreams"][name]
        assert (counters["requests"], counters["connections_opened"]) == (10, connections)
    assert seen["max_in_parallel"] == parallel
    assert runtime["server"] == server
    assert runtime["runtimes"]["trio"]["calls"] == 10


def test_the_cache_saves_requests_where_it_is_switched_on(ask):
    """The second and third call for one peer are answered without a request."""
    calls = [("peer_metrics", {"peer_id": "same"})] * 3
    replies, seen, _ = ask("preset=dual&cache=on", *calls)
    assert replies[0].json() == replies[2].json()
    assert seen["upstreams"]["peer_status"]["requests"] == 1


def test_tools_that_are_no_peer_to_peer_tools_run_on_the_other_runtime(ask):
    """A native Trio server runs them on its second loop; the first does not wait for them."""
    made = ("index_create", {"name": "i", "dimension": 2})
    _, _, runtime = ask("preset=dual&limiter=7", made, ("queue_stats", {}))
    calls = {place: shown["calls"] for place, shown in runtime["runtimes"].items()}
    assert calls == {"trio": 1, "fastapi": 1}
    assert runtime["settings"].endswith("limiter=7")


@pytest.mark.parametrize("preset", ["control", "dual"])
def test_a_refusal_has_a_status_and_a_code(systems, preset):
    """Wrong arguments are reported before anything runs."""
    with httpx.Client(base_url=systems.face(f"dual_runtime/rest?preset={preset}").url) as client:
        good = client.post("/tools/peer_connect", json={"peer_id": "p", "address": "a"})
        assert good.status_code == 200
        bad = client.post("/tools/peer_connect", json={"peer_id": "p", "address": ""})
        assert bad.status_code == 400
        assert bad.json()["error"]["code"] == "BAD_ARGUMENTS"
        assert client.post("/tools/nothing", json={}).status_code == 404
        assert client.get("/health").json()["status"] == "ok"


def test_what_one_client_submits_another_sees(systems):
    """On either face and over the bridge: the state belongs to the process."""
    url = systems.face("dual_runtime/rest?preset=control").url
    with httpx.Client(base_url=url) as one, httpx.Client(base_url=url) as other:
        task = one.post("/tools/task_submit", json={"kind": "sum", "payload": {"numbers": [1, 2]}})
        wanted = {"task_id": task.json()["task_id"], "wait_ms": 20_000}
        seen = other.post("/tools/task_result", json=wanted).json()
        assert (seen["state"], seen["result"], seen["worker_id"]) == ("completed", 3, "local")
