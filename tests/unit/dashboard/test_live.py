"""Runs that go on, by their journals: their pages change, and end with the verdict."""

import os
import shutil

import pytest
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from mcp_perf.dashboard.app import create_app
from mcp_perf.load.web.serving import locked
from mcp_perf.results.compare.baseline import of_report
from mcp_perf.results.compare.history import append
from mcp_perf.results.journal.journal import JournalWriter
from mcp_perf.results.render.files.kept import kept
from mcp_perf.results.report.build import load_report
from tests.support import virtual_run as virtual

ROUNDS = {"control": [virtual.Round(ms=10.0)] * 6, "mcp": [virtual.Round(ms=20.0)] * 6}
RECORDS = virtual.journal(ROUNDS, gates=["mcp.p95 < 1s"])
HALF = len(RECORDS) // 2


class Writing:
    """A run whose records a test writes one after the other."""

    def __init__(self, folder, records=RECORDS):
        folder.mkdir(parents=True)
        self.folder = folder
        self._writer = JournalWriter(folder / "journal.jsonl")
        self._records = iter(records)

    def write(self, number):
        """Write that many more records."""
        for _, record in zip(range(number), self._records, strict=False):
            self._writer.write(record)
        self._writer.flush()

    def close(self):
        """Unlock the journal, as the end of a process does."""
        if self._writer is not None:
            self._writer.close()
        self._writer = None


@pytest.fixture
def start(runs_folder):
    """Return a function that starts runs; they end with the test."""
    runs = []

    def begin(name="a-run", **changes):
        runs.append(Writing(runs_folder / name, **changes))
        return runs[-1]

    yield begin
    for run in runs:
        run.close()


@pytest.fixture
def client(store, monkeypatch):
    """Ask a single dashboard repeatedly; it looks often."""
    monkeypatch.setattr("mcp_perf.dashboard.live._LOOKS_S", 0.02)
    with TestClient(create_app(store), raise_server_exceptions=False) as asking:
        yield asking


def received(socket, text):
    """Return the first message that has a text, because a look may come between two writes."""
    while text not in (message := socket.receive_json())["html"]:
        pass
    return message


def test_a_run_is_listed_while_it_goes_on(client, start):
    """It is listed with what it does now, also above the list of all runs, until it is over."""
    run = start()
    assert client.get("/live.json").json()[0]["now"] == "starting"
    run.write(HALF)
    [listed] = client.get("/live.json").json()
    assert (listed["name"], listed["arms"], listed["now"]) == (
        "a-run",
        "control, mcp",
        "mcp, round 3",
    )
    assert listed["calls"] == 600
    assert 'href="/live/a-run"' in client.get("/runs").text
    run.write(len(RECORDS))
    run.close()
    assert client.get("/live.json").json() == []
    assert 'href="/live/a-run"' not in client.get("/runs").text


def test_the_page_of_a_run_needs_no_script(client, start):
    """Each load of it shows the numbers of that moment, and the gates as they stand."""
    start().write(HALF)
    page = client.get("/live/a-run").text
    assert "mcp</bdi>, round 3" in page
    assert "mcp.p95 &lt; 1s" in page
    assert "Gates, so far" in page
    assert client.get("/live/a-run.json").json()["arms"]["mcp"]["calls"] == 300


@pytest.mark.parametrize(("arms", "columns"), [(["control", "mcp"], 2), (["mcp"], 0)])
def test_a_ratio_has_its_columns_if_there_are_two_arms(arms, columns, client, start):
    """A single arm is compared with nothing."""
    start(records=virtual.journal({arm: ROUNDS[arm] for arm in arms})).write(HALF)
    page = client.get("/live/a-run").text
    assert page.count(">Ratio</th>") == columns
    assert ("The ratio is that of the p50" in page) == bool(columns)


def test_the_rounds_of_a_search_are_the_most_there_can_be(client, start):
    """It ends as soon as it has its answer."""
    load = {"model": "closed", "users": 1, "shape": "doubling", "rounds": 60}
    start(records=virtual.journal({"mcp": ROUNDS["mcp"]}, load=load)).write(HALF // 2)
    assert "of at most 60 rounds ended" in client.get("/live/a-run").text


def test_a_run_is_followed_until_its_report_is_stored(client, start, store):
    """The messages have its numbers, then the verdict, and at last a link to the report."""
    run = start()
    with client.websocket_connect("/live/a-run/follow") as socket:
        first = socket.receive_json()
        assert not first["over"]
        assert "is starting" in first["html"]
        run.write(HALF)
        received(socket, "round 3")
        run.write(len(RECORDS))
        run.close()
        ended = received(socket, "is being written")
        assert not ended["over"]
        assert "PASS" in ended["html"]
        report, _ = load_report(run.folder)
        append(store, of_report(report), kept(report))
        stored = socket.receive_json()
        assert stored["over"]
        assert f'href="/runs/{report.run_id}"' in stored["html"]
        with pytest.raises(WebSocketDisconnect):
            socket.receive_json()


def test_the_list_is_followed(client, start):
    """A run that begins appears without a reload."""
    with client.websocket_connect("/live/follow") as socket:
        assert "<table" not in socket.receive_json()["html"]
        start("another").write(HALF)
        received(socket, "/live/another")


def test_a_run_that_was_killed_does_not_go_on(client, start, monkeypatch):
    """Its journal has no end, and nobody holds its lock, so its page says that it is cut off."""
    run = start()
    run.write(HALF)
    run.close()
    monkeypatch.setattr("mcp_perf.dashboard.following._OPENING_S", -1.0)
    assert client.get("/live.json").json() == []
    with client.websocket_connect("/live/a-run/follow") as socket:
        last = socket.receive_json()
    assert last["over"]
    assert "was cut off" in last["html"]


def test_a_run_whose_folder_is_deleted(client, start):
    """Its page says so, and the list does not have it any more."""
    run = start()
    run.write(HALF)
    with client.websocket_connect("/live/a-run/follow") as socket:
        socket.receive_json()
        shutil.rmtree(run.folder)
        last = received(socket, "cannot be read")
    assert last["over"]
    assert client.get("/live/a-run").status_code == 404


@pytest.mark.parametrize("lines", [b"nonsense\n", b'{"type":"end","at_s":1.0,"reason":"x"}\n'])
def test_the_page_says_what_is_wrong_with_a_journal(client, start, lines):
    """A damaged journal does not end the server."""
    run = start()
    with (run.folder / "journal.jsonl").open("ab") as file:
        file.write(lines)
    page = client.get("/live/a-run")
    assert page.status_code == 200
    assert "journal" in page.text.partition('role="status"')[2].partition("</p>")[0].lower()
    assert client.get("/live.json").json() == []


def test_the_list_reads_a_damaged_journal_once(client, start):
    """Its run may still go on, and reading it all again for each look would cost it CPU time."""
    run = start()
    with (run.folder / "journal.jsonl").open("ab") as file:
        file.write(b"nonsense\n")
    known = client.app.state.following._known
    client.get("/live.json")
    read = known["a-run"]
    client.get("/live.json")
    assert known["a-run"] is read
    client.get("/live/a-run")
    assert known["a-run"] is not read


def test_hostile_names_are_only_read(client, start):
    """Neither the name of a folder nor that of an arm or a step becomes markup."""
    evil = "<img src=x onerror=alert(1)>"
    rounds = {evil: [virtual.Round()] * 2}
    start(f"{evil}", records=virtual.journal(rounds, title=evil)).write(HALF)
    for path in ("/live", "/runs", "/live/%3Cimg%20src=x%20onerror=alert(1)%3E"):
        page = client.get(path)
        assert page.status_code == 200
        assert "<img" not in page.text


@pytest.mark.parametrize("name", ["..", "%2e%2e", "nobody", "a%00b", "long" * 100])
def test_only_runs_of_the_folder_can_be_followed(client, start, name):
    """No other folder is read."""
    start()
    assert client.get(f"/live/{name}.json").status_code == 404


def test_who_has_no_key_or_comes_from_elsewhere_follows_nothing(store, start):
    """The WebSocket has the lock of every page: the key, and the page's own origin."""
    start()
    app, told = locked(create_app(store), "127.0.0.1", 8091, login=False)
    bearer = {"Authorization": f"Bearer {told.partition('?key=')[2].strip()}"}
    outside = TestClient(app, base_url="http://127.0.0.1:8091")
    for headers in ({}, {**bearer, "Origin": "https://elsewhere.example"}):
        with (
            pytest.raises(WebSocketDisconnect),
            outside.websocket_connect("ws://127.0.0.1:8091/live/a-run/follow", headers=headers),
        ):
            pass
    with outside.websocket_connect(
        "ws://127.0.0.1:8091/live/a-run/follow", headers=bearer
    ) as socket:
        assert socket.receive_json()["html"]


def test_thousands_of_old_runs_cost_nothing(client, start, runs_folder):
    """Their folders are looked at again only if the folder around them has changed."""
    for number in range(3):
        old = start(f"old-{number}")
        old.write(HALF)
        os.utime(old.folder / "journal.jsonl", (1, 1))
    os.utime(runs_folder, (2, 2))
    following = client.app.state.following
    assert client.get("/live.json").json() == []
    assert len(following._past) == 3
    start("new")
    assert [one["name"] for one in client.get("/live.json").json()] == ["new"]
