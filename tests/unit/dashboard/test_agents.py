"""The pages of agents: how well each did, their sessions, and what happened in each."""

import csv
import io

import pytest

from mcp_perf.agent.records import TaskRecord
from mcp_perf.agent.sessions import ApiCall, Completion, NewSession
from mcp_perf.agent.store import AgentStore, kept

HOSTILE = "<script>alert(1)</script>\u202e=1+1"


def record(mode, number, **known):
    """Return a run of an agent."""
    numbers = {"duration": 60_000, "api_calls": 8, "total_tokens": 2000, "cost": 0.25}
    about = {"model": "big", "mcp_server": "twilio" if mode == "mcp" else "", "mcp_client": "cline"}
    fields = {"task_id": 1 + number % 2, "success": number % 4 != 0} | numbers | about | known
    return TaskRecord(mode=mode, directory_id=number, **fields)


@pytest.fixture
def imported(store):
    """Fill the store with the runs of two models."""
    runs = [record(mode, number) for mode in ("control", "mcp") for number in range(8)]
    runs += [record("mcp", number, model="small", success=True) for number in range(3)]
    AgentStore(store).replace("a folder", runs)


@pytest.fixture
def done(store):
    """Record a session with a call, as the session API does; return its id."""
    sessions = AgentStore(store)
    told = {"model": HOSTILE, "server": HOSTILE, "client": "c"}
    session = sessions.make(1_700_000_000_000, NewSession(mode="mcp", taskNumber=2, **told)).id
    call = {"endpoint": HOSTILE, "method": "tools/call", "success": False, "details": {"a": [1]}}
    sessions.make(1_700_000_002_500, ApiCall(**call, durationMs=12.5, tokensIn=7), session)
    sessions.make(1_700_000_003_000, Completion(success=True), session)
    return session


def rows(answer):
    """Return the rows of a CSV answer."""
    return list(csv.DictReader(io.StringIO(answer.text)))


def test_a_store_without_sessions_says_how_to_get_some(ask, store):
    """There is a page, and tables without rows; nothing is created in the store."""
    assert "agent import" in ask("/agents").text
    assert ask("/agents/models.json").json() == []
    assert ask("/agents/sessions").status_code == 200
    assert ask("/agents/sessions/nobody").status_code == 404
    assert kept(store) is None


@pytest.mark.usefixtures("imported")
def test_models_stand_in_order_of_their_success(ask):
    """Each has its interval; runs of the two modes are not mixed."""
    found = ask("/agents/models.json").json()
    assert [(one["model"], one["server"], one["mode"], one["sessions"]) for one in found] == [
        ("small", "twilio", "mcp", 3),
        ("big", "", "control", 8),
        ("big", "twilio", "mcp", 8),
    ]
    assert found[1]["success_rate"] == 0.75
    assert found[1]["success_low"] == pytest.approx(0.4093, abs=1e-4)  # Wilson, 6 of 8
    assert found[1]["success_high"] == pytest.approx(0.9285, abs=1e-4)
    assert [float(one["cost_usd"]) for one in rows(ask("/agents/models.csv"))] == [0.25] * 3


@pytest.mark.usefixtures("imported")
@pytest.mark.parametrize(
    ("query", "sessions"),
    [
        ("", 19),
        ("?model=small", 3),
        ("?mode=control", 8),
        ("?server=twilio&task=1", 6),
        ("?client=cline&model=&task=", 19),
        ("?model=nobody", 0),
    ],
)
def test_a_filter_holds_on_every_page_and_in_every_file(ask, query, sessions):
    """Cards, tables and files have only what is chosen in the form."""
    assert len(ask(f"/agents/sessions.json{query}").json()) == sessions
    assert sum(one["sessions"] for one in ask(f"/agents/models.json{query}").json()) == sessions
    assert sum(int(one["sessions"]) for one in rows(ask(f"/agents/tasks.csv{query}"))) == sessions
    assert ask(f"/agents{query}").status_code == 200


@pytest.mark.usefixtures("imported")
def test_the_leaderboard_is_that_of_the_command(ask):
    """It has every metric of every group, as `agent summary` compares them."""
    found = ask("/agents/leaderboard.json").json()
    groups = dict.fromkeys(one["group"] for one in found)
    assert list(groups) == ["Overall", "Task 1", "Task 2", "Model big", "Model small"]
    assert "Success rate (%)" in {one["metric"] for one in found}


@pytest.mark.process
@pytest.mark.usefixtures("imported")
def test_the_leaderboard_is_a_pdf_file_too(ask):
    """It has the chosen sessions, and the page links to it."""
    assert 'href="/agents/leaderboard.pdf?model=big"' in ask("/agents?model=big").text
    answer = ask("/agents/leaderboard.pdf?model=big")
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.content.startswith(b"%PDF")


def test_an_imported_session_does_not_go_on(ask, store):
    """Its page and the list say so, even if its record has no end; task 0 can be chosen."""
    AgentStore(store).replace("a folder", [record("mcp", 1, task_id=0, completed=False)])
    [listed] = ask("/agents/sessions.json?task=0").json()
    assert "<option>0</option>" in ask("/agents/sessions").text
    page = ask(f"/agents/sessions/{listed['session']}").text
    assert listed["outcome"] == "success"
    assert "a folder" in page
    assert "going on" not in page


@pytest.mark.usefixtures("imported")
def test_the_list_is_paged(ask, store):
    """A page has fifty, the newest first, and a link to older ones with the same filter."""
    AgentStore(store).replace("another", [record("mcp", n, model="many") for n in range(120)])
    page = ask("/agents/sessions?model=many&page=2").text
    assert page.count('href="/agents/sessions/') == 50
    assert "Page 2 of 3" in page
    assert "model=many&amp;task=&amp;mode=&amp;page=3" in page


def test_a_session_shows_its_calls(ask, done):
    """Each event has the time since the start; the files have the same."""
    [call, end] = ask(f"/agents/sessions/{done}.json").json()
    assert (call["at_s"], call["event"], call["outcome"], call["duration_ms"]) == (
        *(2.5, "call", "failure", 12.5),
    )
    assert call["details"] == '{"a":[1]}'
    assert (end["at_s"], end["event"], end["outcome"]) == (3.0, "end", "success")


def test_hostile_names_are_only_read(ask, done):
    """No text of an agent becomes markup or a formula, or changes the direction of other texts."""
    for path in ("/agents", "/agents/sessions", f"/agents/sessions/{done}"):
        page = ask(path).text
        assert "<script>alert" not in page
        assert "\u202e" not in page
    assert not any(
        value.startswith("=") for row in rows(ask("/agents/models.csv")) for value in row.values()
    )
