"""Every call with its request and answer, as lines of a file: redacted, cut, and bounded."""

import json
from pathlib import Path

import pytest

from mcp_perf.client.http.endpoint import Endpoint
from mcp_perf.client.http.rest import RestClient
from mcp_perf.client.mcp.streamable_http import HttpClient
from mcp_perf.client.protocol.tools import Tool
from mcp_perf.client.reply import LONGEST, Reply
from mcp_perf.load.engine import call_log
from mcp_perf.load.engine.call_log import LoggedRecorder, recorder_for
from mcp_perf.load.engine.user import UserPool
from mcp_perf.load.hub import redaction
from mcp_perf.load.prepare.relay import Task
from mcp_perf.load.steps.compile import compile_journeys
from mcp_perf.load.steps.journey import Walk
from mcp_perf.load.steps.recorder import Recorder
from mcp_perf.load.steps.step import CallContext, Interrupted, ToolStep
from mcp_perf.load.targets.refusal import Refusal
from mcp_perf.load.targets.targets import ArmTarget
from mcp_perf.outcomes import RPC_ERROR
from mcp_perf.results.journal.records import SETUP
from mcp_perf.scenario.loader import load_text

WHERE = Endpoint.of("http://127.0.0.1:1/mcp")
SCENARIO = """\
name: demo
title: A demo
arms:
  rest: {http: "http://127.0.0.1:1/mcp"}
  mcp: {mcp: "http://127.0.0.1:1/mcp"}
journeys:
  talk:
    with: {text: {template: "m-${seq}"}}
    rest: [{post: "/a/${text}", json: {n: [1, "${user}"]}, headers: {X-B: c}, name: all}]
    mcp: [MCP]
"""


class Fake:
    """Answers each call by the next of these bodies, or raises it."""

    def __init__(self, *answers):
        super().__init__(WHERE)
        self.answers = [*answers]

    def call(self, *_args):
        """Give the next answer."""
        body = self.answers.pop(0)
        if isinstance(body, BaseException):
            raise body
        reply = Reply(1_000_000)
        reply.end_ns, reply.body, reply.status = 3_500_000, body, 200
        return reply.fail(RPC_ERROR, "no such thing") if b"error" in body else reply

    send = call


class FakeRest(Fake, RestClient):
    """A fake client of a plain HTTP arm."""


class FakeMcp(Fake, HttpClient):
    """A fake client of an MCP arm."""


def logged(client, arm="mcp", mcp='{call: echo, arguments: {text: "${text}"}}', journeys=1):
    """Walk journeys on an arm; return what was handed over, and the recorder."""
    loaded = load_text(SCENARIO.replace("MCP]", f"{mcp}]"), "demo.yaml", Path(), environ={})
    tools = {"echo": Tool("echo", {"properties": {"text": {"type": "string"}}})}
    targets = {
        name: ArmTarget(name, name, "http:", WHERE, {}, "2026-07-28", tools)
        for name in loaded.scenario.arms
    }
    calls = []
    recorder = LoggedRecorder("local", lambda _records: None, log=calls.append)
    made = compile_journeys(loaded, targets, recorder)
    context = CallContext(arm, client, recorder, lambda **_event: None)
    context.parallel = [CallContext(arm, client, recorder, lambda **_e: None) for _ in range(2)]
    walk = Walk(made, context, {}, user=7, seed=1, counter=iter(range(1, 9)).__next__)
    for _ in range(journeys):
        walk.journey()
    assert recorder.asked == {}
    return calls, recorder


def test_a_call_is_handed_over_with_its_request_and_its_answer():
    """The request is the step with its lookups filled in; each call has its own."""
    calls, recorder = logged(FakeMcp(b'{"jsonrpc": "2.0", "result": {"a": 1}}', b"{}"), journeys=2)
    first, second = calls
    assert (first["arm"], first["journey"], first["step"]) == ("mcp", "talk", "tools/call echo")
    assert (first["class"], first["ms"], first["detail"]) == ("ok", 2.5, "")
    assert json.loads(first["request"]) == {"call": "echo", "arguments": {"text": "m-1"}}
    assert json.loads(second["request"])["arguments"] == {"text": "m-2"}
    assert first["answer"] == '{"a": 1}'
    assert recorder.calls == 2


def test_a_request_over_http_is_logged_as_the_file_says_it():
    """Path, headers and body are filled in."""
    [call], _ = logged(FakeRest(b"[1, 2]"), "rest")
    sent = {"post": "/a/m-1", "headers": {"X-B": "c"}, "json": {"n": [1, 7]}}
    assert (json.loads(call["request"]), call["answer"], call["step"]) == (sent, "[1, 2]", "all")


def test_the_request_is_the_one_from_before_the_call():
    """Saving a value from the answer under a name that the request uses does not change it."""
    step = '{call: echo, arguments: {text: "${text}"}, save: {text: a}}'
    [call], _ = logged(FakeMcp(b'{"jsonrpc": "2.0", "result": {"a": "new"}}'), mcp=step)
    assert json.loads(call["request"])["arguments"] == {"text": "m-1"}


def test_calls_at_once_each_have_their_request():
    """A burst and a pause are not logged as calls."""
    steps = "{wait: 1ms}, {parallel: [{read: 'a://${text}'}, {prompt: b, arguments: {c: d}}]}"
    calls, _ = logged(FakeMcp(b"{}", b"{}"), mcp=steps)
    assert [json.loads(call["request"]) for call in calls] == [
        {"read": "a://m-1"},
        {"prompt": "b", "arguments": {"c": "d"}},
    ]


def test_a_call_that_fails_is_logged_with_the_reason():
    """So is a call that could not be made."""
    [call], _ = logged(FakeMcp(b'{"jsonrpc": "2.0", "error": {"code": -1}}'))
    assert (call["class"], call["detail"], call["answer"]) == (
        "rpc_error",
        "no such thing",
        '{"code": -1}',
    )
    [call], _ = logged(FakeMcp(), mcp='{call: echo, arguments: {text: "${text.x}"}}')
    assert (call["class"], call["request"], call["answer"]) == ("harness_error", "", "")
    assert call["detail"] == "${text.x} has no value"


def test_a_call_that_is_cut_off_is_logged():
    """It has a request, but no answer."""
    calls = []
    recorder = LoggedRecorder("local", lambda _records: None, log=calls.append)
    step = recorder.follow(_Cut(recorder), _Asked())
    with pytest.raises(Interrupted):
        step.run(CallContext("mcp", FakeMcp(), recorder, lambda **_event: None))
    assert [(call["class"], call["request"], call["answer"]) for call in calls] == [
        ("interrupted", "1", "")
    ]
    assert not step.goes_on


class _Asked:
    def render(self, _values):
        return 1


class _Cut:
    goes_on = False

    def __init__(self, recorder):
        self.recorder = recorder

    def run(self, _context):
        reply = Reply(0)
        self.recorder.call(self.recorder.track("mcp", "call", "x"), "talk", "interrupted", reply)
        raise Interrupted


def test_requests_of_sessions_are_logged_by_their_method():
    """They do not belong to a journey."""
    calls = []
    recorder = LoggedRecorder("local", lambda _records: None, log=calls.append)
    recorder.setup("mcp", "initialize", Reply(0))
    assert [(call["step"], call["journey"], call["request"]) for call in calls] == [
        ("initialize", "", "")
    ]
    assert recorder.turn == SETUP


def test_promise_24_secrets_are_in_no_request_and_no_answer(monkeypatch):
    """Known secrets are redacted, and so are texts that look like one; long texts are cut."""
    monkeypatch.setattr(redaction, "redactor", redaction.Redactor(["canary-4711"]))
    answer = b'{"jsonrpc": "2.0", "result": {"token": "t-98765", "x": "canary-4711 %s"}}' % (
        b"y" * 2 * LONGEST
    )
    step = '{call: echo, arguments: {text: "canary-4711", password: p-12345}}'
    [call], _ = logged(FakeMcp(answer), mcp=step)
    written = json.dumps([call["request"], call["answer"]])
    assert not [text for text in ("canary", "t-98765", "p-12345") if text in written]
    assert len(call["answer"]) < LONGEST + 20


def test_a_run_without_a_log_has_plain_steps():
    """Its recorder and its steps are the usual ones."""
    assert recorder_for("") is Recorder
    loaded = load_text(SCENARIO.replace("MCP", "{call: e}"), "demo.yaml", Path(), environ={})
    target = ArmTarget("mcp", "mcp", "http:", WHERE, {}, "2025-11-25", {"e": Tool("e", {})})
    task = Task(loaded, {"mcp": target}, 1)
    pool = UserPool(task, Recorder("local", lambda _records: None), print)
    [journey] = pool._journeys
    assert type(journey.steps["mcp"][0]) is ToolStep


def a_call(text=""):
    """Return a call whose request is long."""
    return {"step": "x", "request": text}


def test_calls_are_lines_of_a_file_until_it_is_full(tmp_path, monkeypatch, caplog):
    """No line is cut off, and one warning says that calls are missing."""
    file = tmp_path / "calls.jsonl"
    make = recorder_for(str(file))
    assert file.read_bytes() == b""
    recorder = make("local", lambda _records: None)
    recorder.setup("mcp", "initialize", Reply(0))
    [line] = file.read_text().splitlines()
    assert json.loads(line)["class"] == "ok"
    monkeypatch.setattr(call_log, "MOST_BYTES", 500)
    for _ in range(9):
        call_log.append(file, a_call("x" * 100))
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert 500 <= file.stat().st_size < 700
    assert lines[-1]["request"] == "x" * 100
    [said] = caplog.messages
    assert said.startswith(f"--log-calls {file}: the file does not have the calls from now on")


def test_calls_that_the_disk_does_not_take_are_missing_with_a_warning(caplog):
    """The run goes on, and says it once."""
    for _ in range(3):
        call_log.append(Path("/dev/full"), a_call())
    [said] = caplog.messages
    assert "from now on (No space left on device)" in said


def test_a_file_that_cannot_be_written_is_refused(tmp_path):
    """It is refused before the run. If the file vanishes later, the run goes on without it."""
    with pytest.raises(Refusal, match=r"--log-calls .*: the file cannot be written \(No such file"):
        recorder_for(str(tmp_path / "no" / "calls.jsonl"))
    call_log.append(tmp_path / "no" / "calls.jsonl", a_call())
