"""A replayed task: its calls become a session, as an agent's would."""

from mcp_perf.agent.replay import Replay
from mcp_perf.agent.store import AgentStore


def call(step, cls="ok", journey="buy-number"):
    """Return a call as the dry run reports it."""
    return {"journey": journey, "step": step, "class": cls, "ms": 12.5}


def test_the_calls_of_a_task_are_those_of_the_session(tmp_path):
    """Calls that open an MCP session are not an agent's, but the session begins with them."""
    store = AgentStore(f"sqlite:///{tmp_path}/history.sqlite")
    made = Replay(store, 1, "mcp")
    made.call(call("initialize", journey=""))
    made.call(call("tools/call TwilioApiV2010--ListAvailablePhoneNumberLocal"))
    made.call(call("POST /Numbers.json (again)", "http_error"))
    session = made.end(success=False)
    assert session.record.api_calls == 2
    assert session.record.duration >= 12
    assert (session.record.success, session.record.model) == (False, "scripted")
    kept, events = store.session(session.id)
    assert kept.record == session.record
    known = ("event", "method", "endpoint", "success")
    assert [tuple(event.get(key) for key in known) for event in events] == [
        ("apiCall", "tools/call", "TwilioApiV2010--ListAvailablePhoneNumberLocal", True),
        ("apiCall", "POST", "/Numbers.json (again)", False),
        ("complete", None, None, False),
    ]
