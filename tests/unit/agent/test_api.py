"""The session API, in process: what it stores, what it refuses, and what it reports."""

import asyncio
from types import SimpleNamespace

import httpx
import pytest

from mcp_perf.agent.api import build
from mcp_perf.agent.records import RECORD_KEYS
from mcp_perf.agent.serving import KEY, locked
from mcp_perf.agent.sessions import Completion
from mcp_perf.agent.store import AgentStore, board_of
from mcp_perf.load.targets.refusal import Refusal
from mcp_perf.results.compare.history import HistoryError

SESSIONS = "/api/metrics/sessions"
NEW = {"mode": "mcp", "taskNumber": 1, "model": "claude-3.7-sonnet", "server": "twilio"}
CALL = {"endpoint": "/Messages.json", "method": "POST", "success": True, "tokensIn": 1000}
OVER = {"success": True, "notes": "bought"}


@pytest.fixture
def store(tmp_path):
    """Return an empty store."""
    return AgentStore(f"sqlite:///{tmp_path}/history.sqlite")


def ask(app, *requests, **headers):
    """Make requests one after the other; return the answers."""

    async def asked():
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        base = "http://127.0.0.1:8090"
        async with httpx.AsyncClient(transport=transport, base_url=base, headers=headers) as client:
            return [
                await client.request(*request[:2], **body(*request[2:])) for request in requests
            ]

    return asyncio.run(asked())


def body(content=None):
    """Return how the body of a request is given."""
    json = {"Content-Type": "application/json"}
    if isinstance(content, bytes):
        return {"content": content, "headers": json}
    return {} if content is None else {"json": content}


def test_a_session_is_started_filled_completed_and_listed(store):
    """Its 18 keys, in their order, show what happened."""
    app = build(store)
    [started] = ask(app, ("POST", SESSIONS, NEW))
    assert started.status_code == 201
    one = f"{SESSIONS}/{started.json()['sessionId']}"
    answers = ask(
        app,
        ("POST", f"{one}/api-calls", CALL | {"details": {"sid": "PN1"}, "durationMs": 12.5}),
        (
            "POST",
            f"{one}/api-calls",
            CALL | {"success": False, "tokensOut": 100, "cacheReads": 300, "cacheWrites": 40},
        ),
        ("POST", f"{one}/interactions", {"type": "question"}),
        ("POST", f"{one}/complete", OVER),
        ("GET", one),
        ("GET", f"{SESSIONS}?mode=mcp&task=1&model=claude-3.7-sonnet"),
        ("GET", f"{SESSIONS}?mode=control"),
        ("GET", f"{SESSIONS}?task=2"),
    )
    assert [answer.status_code for answer in answers] == [201, 201, 201, 200, 200, 200, 200, 200]
    *_, single, listed, none, neither = (answer.json() for answer in answers)
    session = single["session"]
    assert [key for key in session if key in RECORD_KEYS] == list(RECORD_KEYS)
    expected = {"apiCalls": 2, "interactions": 1, "tokensIn": 2000, "tokensOut": 100}
    expected |= {"cacheReads": 300, "cacheWrites": 40}
    expected |= {"totalTokens": 2100, "cost": 0.00774, "success": True, "completed": True}
    expected |= {"mcpServer": "twilio", "mcpClient": "", "notes": "bought"}
    assert expected.items() <= session.items()
    assert session["duration"] == session["endTime"] - session["startTime"]
    assert [event["event"] for event in single["events"]] == [
        *("apiCall", "apiCall", "interaction", "complete"),
    ]
    assert single["events"][0]["details"] == {"sid": "PN1"}
    assert listed == {"sessions": [session]}
    assert none == neither == {"sessions": []}


def test_a_thousand_starts_at_once_give_a_thousand_ids_and_no_call_is_lost(store):
    """Changes of one session at the same time do not lose each other either."""
    app = build(store)

    async def many():
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            started = await asyncio.gather(*(client.post(SESSIONS, json=NEW) for _ in range(1000)))
            one = f"{SESSIONS}/{started[0].json()['sessionId']}/api-calls"
            await asyncio.gather(*(client.post(one, json=CALL) for _ in range(50)))
            return [answer.json()["sessionId"] for answer in started]

    ids = asyncio.run(many())
    assert len(set(ids)) == 1000
    kept = {one.id: one.record for one in store.sessions()}
    assert set(kept) == set(ids)
    assert (kept[ids[0]].api_calls, kept[ids[0]].tokens_in) == (50, 50_000)


@pytest.mark.parametrize(
    ("method", "path", "content", "status", "code"),
    [
        ("GET", f"{SESSIONS}/none", None, 404, "NOT_FOUND"),
        ("POST", f"{SESSIONS}/none/complete", OVER, 404, "NOT_FOUND"),
        ("GET", "/nowhere", None, 404, "NOT_FOUND"),
        ("DELETE", SESSIONS, None, 405, "METHOD_NOT_ALLOWED"),
        ("POST", "{one}/complete", OVER, 409, "CONFLICT"),
        ("POST", "{one}/api-calls", CALL, 409, "CONFLICT"),
        ("POST", "{one}/complete", {"success": "yes"}, 422, "INVALID"),
        ("POST", "{one}/api-calls", CALL | {"tokensIn": -1}, 422, "INVALID"),
        ("POST", "{one}/api-calls", CALL | {"endpoint": ""}, 422, "INVALID"),
        ("POST", SESSIONS, NEW | {"mode": "both"}, 422, "INVALID"),
        ("POST", SESSIONS, NEW | {"taskNumber": "1"}, 422, "INVALID"),
        ("POST", SESSIONS, b'{"mode": ', 422, "INVALID"),
        ("POST", SESSIONS, b"[]", 422, "INVALID"),
        ("POST", SESSIONS, b"\xff", 422, "INVALID"),
        ("POST", f"{SESSIONS}/x/api-calls", b'{"durationMs": NaN}', 422, "INVALID"),
        ("GET", f"{SESSIONS}?task=x", None, 422, "INVALID"),
        ("GET", f"{SESSIONS}?mode=both", None, 422, "INVALID"),
    ],
)
def test_every_error_has_the_one_body(store, method, path, content, status, code):
    """The body has a code, a message, details, and what to do instead."""
    app = build(store)
    [started] = ask(app, ("POST", SESSIONS, NEW))
    one = f"{SESSIONS}/{started.json()['sessionId']}"
    ask(app, ("POST", f"{one}/complete", OVER))
    [answer] = ask(app, (method, path.replace("{one}", one), content))
    assert answer.status_code == status
    assert list(answer.json()) == ["error"]
    error = answer.json()["error"]
    assert list(error) == ["code", "message", "details", "hint"]
    assert error["code"] == code
    assert error["message"]
    assert error["hint"]


def test_a_store_that_is_gone_is_told_and_a_fault_of_ours_shows_no_traceback(store, monkeypatch):
    """Both answers have the common body."""
    app = build(store)
    monkeypatch.setattr(store, "apply", lambda _: (_ for _ in ()).throw(HistoryError("is full")))
    monkeypatch.setattr(store, "sessions", lambda *_: 1 / 0)
    kept, listed = ask(app, ("POST", SESSIONS, NEW), ("GET", SESSIONS))
    assert (kept.status_code, listed.status_code) == (503, 500)
    assert kept.json()["error"]["message"] == "is full"
    assert "ZeroDivision" not in listed.text


def test_a_started_session_is_on_the_disk_and_not_counted_before_it_is_complete(store):
    """If the process ends after the answer, the session is still listed, as incomplete."""
    [started] = ask(build(store), ("POST", SESSIONS, NEW))
    session = started.json()["sessionId"]
    board, rows = board_of(AgentStore(store._url))
    assert rows == []
    assert board.remarks[-1] == f"Not counted, because incomplete: {session}"
    store.make(1, Completion(success=True), session)
    assert [row.directory_id for row in board_of(store)[1]] == [session]


def test_what_is_imported_again_takes_the_place_of_what_came_from_there(store):
    """It replaces nothing else; all of it counts, complete or not."""
    [started] = ask(build(store), ("POST", SESSIONS, NEW))
    mine = store.session(started.json()["sessionId"])[0].record
    for records in ([mine], [mine, mine]):
        store.replace("/metrics", records)
    assert [one.source for one in store.sessions()] == ["", "/metrics", "/metrics"]
    assert len(board_of(store)[1]) == 2
    store.replace("/copy", [mine])
    board, rows = board_of(store)
    assert len(rows) == 2
    assert board.remarks[-1] == "Counted once, although in two folders: 1 rows"


def test_the_pages_need_no_other_host(store):
    """Neither the operations nor the leaderboard load anything; all operations are listed."""
    app = build(store)
    docs, page, document = ask(app, ("GET", "/docs"), ("GET", "/"), ("GET", "/openapi.json"))
    assert "http:" not in docs.text + page.text
    assert "https:" not in docs.text + page.text
    assert "<script" not in docs.text + page.text
    for path in document.json()["paths"]:
        assert path in docs.text
    assert "there must be runs of both modes" in page.text
    for verbs in document.json()["paths"].values():
        for operation in verbs.values():
            shown = operation["responses"]["422"]["content"]["application/json"]["schema"]
            assert shown == {"$ref": "#/components/schemas/ErrorBody"}


@pytest.fixture
def page(store, monkeypatch):
    """Return the application behind its lock, with a key that is known."""
    monkeypatch.setenv(KEY, "a-key-of-an-agent")
    app, opened = locked(store, "127.0.0.1", 8090, login=False)
    return SimpleNamespace(app=app, opened=opened)


def test_promise_26_only_who_has_the_key_is_let_in(page):
    """A program needs the header, and a browser the address; the answer says so."""
    bearer = {"Authorization": "Bearer a-key-of-an-agent"}
    assert ask(page.app, ("GET", SESSIONS), **bearer)[0].status_code == 200
    for given in ("", "Bearer", "Bearer wrong", "Basic a-key-of-an-agent"):
        [answer] = ask(page.app, ("GET", SESSIONS), Authorization=given)
        assert answer.status_code == 403
        assert "Bearer KEY" in answer.json()["error"]["hint"]
    assert "?key=a-key-of-an-agent" in page.opened
    [entered] = ask(page.app, ("GET", "/?key=a-key-of-an-agent"))
    cookie = entered.headers["set-cookie"].partition(";")[0]
    [inside] = ask(page.app, ("GET", "/"), Cookie=cookie)
    assert inside.status_code == 200
    assert inside.headers["x-frame-options"] == "DENY"
    [outside] = ask(page.app, ("GET", "/"), Accept="text/html")
    assert (outside.status_code, outside.headers["content-type"]) == (
        403,
        "text/html; charset=utf-8",
    )


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example:8090"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Content-Length": "1000001"}, 413),
        ({"Content-Length": "-1"}, 411),
        ({"Transfer-Encoding": "chunked"}, 411),
    ],
)
def test_promise_26_other_sites_and_huge_bodies_are_refused_also_with_the_key(
    page, headers, status
):
    """The refusals have the common body."""
    bearer = {"Authorization": "Bearer a-key-of-an-agent"}
    [answer] = ask(page.app, ("GET", SESSIONS), **bearer, **headers)
    assert answer.status_code == status
    assert answer.json()["error"]["message"]


def test_promise_26_with_a_login_the_password_opens_it_and_no_header_does(store, monkeypatch):
    """So wrong passwords can be counted."""
    monkeypatch.setenv("MCP_PERF_WEB_PASSWORD", "correct-horse-battery")
    app, opened = locked(store, "127.0.0.1", 8090, login=True)
    assert "asks for the password" in opened
    form = b"password=correct-horse-battery"
    entered, wrong, large = (
        ask(app, ("POST", "/login", text))[0] for text in (form, b"password=x", b"x" * 5000)
    )
    cookie = entered.headers["set-cookie"].partition(";")[0]
    assert ask(app, ("GET", SESSIONS), Cookie=cookie)[0].status_code == 200
    assert (wrong.status_code, large.status_code) == (403, 413)
    for given in ("Bearer ", "Bearer correct-horse-battery"):
        [answer] = ask(app, ("GET", SESSIONS), Authorization=given)
        assert answer.status_code == 403
        assert "/login" in answer.json()["error"]["hint"]


def test_a_short_key_and_an_open_address_are_refused(store, monkeypatch):
    """They are refused before anything listens."""
    with pytest.raises(Refusal, match="--web-login"):
        locked(store, "0.0.0.0", 8090, login=False)
    monkeypatch.setenv(KEY, "short")
    with pytest.raises(Refusal, match="has 5 characters"):
        locked(store, "127.0.0.1", 8090, login=False)


def websocket(app, *headers):
    """Open the live socket, start and complete a session, close; return what came."""

    async def talk():
        came, gone = asyncio.Queue(), asyncio.Queue()
        gone.put_nowait({"type": "websocket.connect"})
        scope = {"type": "websocket", "path": "/api/metrics/live", "scheme": "ws"}
        scope |= {"headers": [(b"host", b"127.0.0.1:8090"), *headers], "query_string": b""}
        task = asyncio.create_task(app(scope, gone.get, came.put))
        first = await came.get()
        told = [first]
        if first["type"] == "websocket.accept":
            transport = httpx.ASGITransport(app)
            bearer = {"Authorization": "Bearer a-key-of-an-agent"}
            base = "http://127.0.0.1:8090"
            async with httpx.AsyncClient(
                transport=transport, base_url=base, headers=bearer
            ) as client:
                one = (await client.post(SESSIONS, json=NEW)).json()["sessionId"]
                await client.post(f"{SESSIONS}/{one}/complete", json=OVER)
            told += [await came.get(), await came.get()]
            gone.put_nowait({"type": "websocket.disconnect"})
        await task
        return told

    return asyncio.run(talk())


def test_each_change_is_told_as_it_happens_to_who_has_the_key(page):
    """The WebSocket sends them; anybody else's is closed."""
    _, started, over = websocket(page.app, (b"authorization", b"Bearer a-key-of-an-agent"))
    assert '"event":"start"' in started["text"]
    assert '"event":"complete"' in over["text"]
    assert websocket(page.app) == [{"type": "websocket.close", "code": 1008}]
