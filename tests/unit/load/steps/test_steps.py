"""Steps with fake clients: what is sent, in which class it ends, what is counted and reported."""

import json
from types import SimpleNamespace
from urllib.parse import parse_qsl

import gevent
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_perf.client.http.endpoint import Endpoint
from mcp_perf.client.http.rest import RestClient
from mcp_perf.client.mcp.streamable_http import Call, HttpClient
from mcp_perf.client.protocol.tools import Tool
from mcp_perf.client.reply import Heard, Reply
from mcp_perf.load.replies.expected import expectations
from mcp_perf.load.steps import step as steps_module
from mcp_perf.load.steps.checks import Checks, result_root
from mcp_perf.load.steps.mcp import ProgressStep
from mcp_perf.load.steps.recorder import Recorder
from mcp_perf.load.steps.step import (
    CallContext,
    HttpRequest,
    HttpStep,
    Interrupted,
    ToolStep,
    WaitStep,
    encode_form,
    encode_json,
)
from mcp_perf.outcomes import HARNESS_ERROR, HTTP_ERROR, INTERRUPTED, OK, TIMEOUT, TOOL_ERROR
from mcp_perf.results.journal.records import Health, Note, SampleRecord, Slice
from mcp_perf.scenario.model.steps import Expect
from mcp_perf.scenario.values.templates import compile_template

ENDPOINT = Endpoint.of("http://127.0.0.1:1/base")
TOOL = Tool("echo", {})


class FakeRest(RestClient):
    """Answers at once, and keeps what was sent."""

    def __init__(self, answer):
        super().__init__(ENDPOINT)
        self.answer = answer
        self.sent = []

    def send(self, request, timeout_s=None):
        """Keep the request, give the answer."""
        self.sent.append((request, timeout_s))
        return self.answer()


class FakeMcp(HttpClient):
    """Answers at once, and keeps what was called."""

    def __init__(self, answer):
        super().__init__(ENDPOINT)
        self.answer = answer
        self.called = []

    def call(self, call, arguments=None, timeout_s=None):
        """Keep the call, give the answer."""
        self.called.append((call, arguments, timeout_s))
        return self.answer()


class Bench:
    """A context with a fake client, and all that was counted and reported."""

    def __init__(self, answer=None, kind=FakeMcp):
        self.records = []
        self.fired = []
        self.slept = []
        self.recorder = Recorder("local", self.records.extend)
        self.client = kind(answer or replied)
        self.context = CallContext(
            "mcp", self.client, self.recorder, lambda **event: self.fired.append(event), "buy"
        )

    def track(self, name):
        """Return the track of a step."""
        return self.recorder.track("mcp", "call", name)

    def tool(self, arguments=None, *, checks=None, is_valid=lambda _: "", **options):
        """Return a step that calls a tool."""
        options = {"timeout_s": None, "goes_on": False, **options}
        return ToolStep(
            track=self.track("tools/call echo"),
            prepared=Call(TOOL, None),
            checks=checks or Checks(result_root),
            arguments=None if arguments is None else compile_template(arguments),
            is_valid=is_valid,
            **options,
        )

    def http(self, request, *, verb="GET", name="GET /a", checks=None, **options):
        """Return a step that sends a request."""
        options = {"timeout_s": None, "goes_on": False, **options}
        checks = checks or Checks(Reply.json)
        track = self.track(name)
        return HttpStep(track=track, kind=verb, request=request, checks=checks, **options)

    def counted(self):
        """Return class -> number of the calls, and the samples kept."""
        self.recorder.flush(Health(cpu_s=0, wall_s=0))
        cells = [cell for r in self.records if isinstance(r, Slice) for cell in r.cells]
        kept = [record for record in self.records if isinstance(record, SampleRecord)]
        return {cell.cls: cell.n for cell in cells}, kept


def replied(outcome=OK, body=b'{"result": {"a": 1}}', *, status=200, detail="", ns=1_500_000):
    """Return an ended call."""
    reply = Reply(1000)
    reply.end_ns = 1000 + ns
    reply.body, reply.status, reply.bytes_in = body, status, len(body)
    return reply if outcome == OK else reply.fail(outcome, detail)


@pytest.fixture
def paused(monkeypatch):
    """Keep steps from sleeping; return what they would have slept."""
    slept = []
    monkeypatch.setattr(steps_module, "gevent", SimpleNamespace(sleep=slept.append))
    return slept


def test_a_call_is_counted_once_and_told_to_locust():
    """One call is one count and one event, with the same time."""
    bench = Bench()
    assert bench.tool({"a": 1}).run(bench.context) == OK
    counts, (sample,) = bench.counted()
    assert counts == {OK: 1}
    assert (sample.journey, sample.step, sample.latency_ns) == ("buy", "tools/call echo", 1_500_000)
    (event,) = bench.fired
    assert event["request_type"] == "MCP"
    assert event["name"] == "tools/call echo"
    assert event["response_time"] == 1.5
    assert event["response_length"] == len(b'{"result": {"a": 1}}')
    assert event["exception"] is None
    assert event["context"] == {}


def test_a_failed_call_is_told_to_locust_as_few_kinds_of_failure():
    """Locust groups failures by their text, so the text is the class, not the message."""
    numbers = iter(range(9))
    bench = Bench(lambda: replied(TOOL_ERROR, detail=f"order {next(numbers)} is unknown"))
    step = bench.tool({})
    assert [step.run(bench.context) for _ in range(3)] == [TOOL_ERROR] * 3
    assert {repr(event["exception"]) for event in bench.fired} == {"CallFailed('tool_error')"}
    counts, kept = bench.counted()
    assert counts == {TOOL_ERROR: 3}
    assert [sample.detail for sample in kept] == [f"order {n} is unknown" for n in range(3)]


def test_arguments_are_filled_in_for_each_call():
    """A call carries the journey's values, in their own types, and the step's timeout."""
    bench = Bench()
    bench.context.values = {"n": 7, "name": "Ada"}
    bench.tool({"count": "${n}", "text": "for ${name}"}, timeout_s=2.5).run(bench.context)
    ((_call, arguments, timeout_s),) = bench.client.called
    assert arguments == {"count": 7, "text": "for Ada"}
    assert timeout_s == 2.5


def test_constant_arguments_are_not_sent_again():
    """Arguments in the prepared call are not rendered for each call."""
    bench = Bench()
    bench.tool(None).run(bench.context)
    assert bench.client.called[0][1] is None


def test_arguments_that_the_schema_forbids_are_never_sent(paused):
    """They are our fault, a harness_error with the reason, and the target is not asked."""
    bench = Bench()
    step = bench.tool({"a": 1}, is_valid=lambda arguments: f"wrong: {arguments}")
    assert step.run(bench.context) == HARNESS_ERROR
    assert bench.client.called == []
    counts, (sample,) = bench.counted()
    assert counts == {HARNESS_ERROR: 1}
    assert sample.detail == "wrong: {'a': 1}"
    assert paused == [steps_module._HARNESS_PAUSE_S]


def test_a_lookup_without_a_value_is_our_fault(paused):
    """A call that cannot be built is counted as harness_error and names the lookup."""
    bench = Bench()
    assert bench.tool({"a": "${nobody}"}).run(bench.context) == HARNESS_ERROR
    assert bench.client.called == []
    _, (sample,) = bench.counted()
    assert sample.detail == "${nobody} has no value"
    assert len(paused) == 1
    assert str(bench.fired[0]["exception"]) == HARNESS_ERROR


def test_only_our_own_faults_pause(paused):
    """A target's failure is answered at full speed, as a user would."""
    bench = Bench(lambda: replied(TIMEOUT))
    bench.tool({}).run(bench.context)
    assert paused == []


@pytest.mark.parametrize(
    ("error", "detail"),
    [
        (ValueError("header 'X' holds a character"), "header 'X' holds a character"),
        (KeyError("bug"), "KeyError('bug')"),
    ],
)
def test_promise_08_whatever_cannot_be_sent_is_counted_as_our_fault(paused, error, detail):
    """No error in building a call breaks the user, and none looks like the target's."""

    def fail():
        raise error

    bench = Bench(fail)
    assert bench.tool({}).run(bench.context) == HARNESS_ERROR
    counts, (sample,) = bench.counted()
    assert counts == {HARNESS_ERROR: 1}
    assert sample.detail == detail
    assert paused


@pytest.mark.parametrize("stop", [Interrupted, gevent.GreenletExit, KeyboardInterrupt])
def test_promise_09_a_call_that_is_cut_off_is_counted_once_and_is_no_failure(stop):
    """It is `interrupted` in our journal, and not a failure in Locust's tables."""

    def cut():
        raise stop

    bench = Bench(cut)
    with pytest.raises(stop):
        bench.tool({}).run(bench.context)
    counts, (sample,) = bench.counted()
    assert counts == {INTERRUPTED: 1}
    assert "cut off" in sample.detail
    assert sample.latency_ns > 0
    assert bench.fired == []


def test_checks_decide_the_class():
    """Expectations are checked against the reply, and saves reach the journey's values."""
    bench = Bench()
    expects = [*expectations(Expect(equals={"a": 2}), compile_template)]
    checks = Checks(result_root, expects=expects)
    assert bench.tool({}, checks=checks).run(bench.context) == "check_failed"
    bench.tool({}, checks=Checks(result_root, saves={"got": "a"})).run(bench.context)
    assert bench.context.values == {"got": 1}


def test_a_step_knows_whether_its_journey_goes_on():
    """`on_error: continue` belongs to the step."""
    assert Bench().tool({}, goes_on=True).goes_on
    assert not Bench().tool({}).goes_on


# HTTP.


def test_a_constant_request_is_encoded_once():
    """Every user sends the same bytes."""
    bench = Bench(lambda: replied(body=b"{}"), FakeRest)
    step = bench.http(HttpRequest(b"GET /a HTTP/1.1\r\n", b"A: b\r\n", None), timeout_s=3.0)
    step.run(bench.context)
    step.run(bench.context)
    (first, timeout_s), (second, _) = bench.client.sent
    assert first == b"GET /a HTTP/1.1\r\nA: b\r\n\r\n"
    assert first is second
    assert timeout_s == 3.0


def test_a_constant_request_has_the_headers_of_its_user():
    """An arm may have headers that differ from user to user."""
    bench = Bench(lambda: replied(body=b"{}"), FakeRest)
    bench.client.own_fields = b"X-Key: k\r\n"
    bench.http(HttpRequest(b"GET /a HTTP/1.1\r\n", b"", None), personal=True).run(bench.context)
    assert bench.client.sent[0][0] == b"GET /a HTTP/1.1\r\nX-Key: k\r\n\r\n"


def test_a_body_comes_with_its_length():
    """An empty body has a length, too; a request without a body has no length."""
    line, fields = b"POST / HTTP/1.1\r\n", b"A: b\r\n"
    sent = HttpRequest(line, fields, "é".encode()).render({})
    assert sent == line + fields + b"Content-Length: 2\r\n\r\n\xc3\xa9"
    assert HttpRequest(line, fields, b"").render({}).endswith(b"Content-Length: 0\r\n\r\n")
    assert b"Content-Length" not in HttpRequest(line, fields, None).render({})


@pytest.mark.parametrize("dynamic", ["line", "fields", "body"])
def test_each_part_of_a_request_may_depend_on_the_journey(dynamic):
    """A part that is rendered makes the request dynamic, and gets the journey's values."""
    parts = {"line": b"L\r\n", "fields": b"F: 1\r\n", "body": b"B"}
    constant = HttpRequest(**parts)
    request = HttpRequest(**{**parts, dynamic: lambda values: values["x"]})
    assert constant.constant
    assert not request.constant
    bench = Bench(lambda: replied(body=b"{}"), FakeRest)
    bench.context.values = {"x": b"Q\r\n"}
    bench.http(request).run(bench.context)
    assert bench.client.sent[0][0] == HttpRequest(**{**parts, dynamic: b"Q\r\n"}).render({})


def test_locust_shows_the_verb_in_its_own_column():
    """The verb is the type, and the path is the name; a step's own name stays."""
    bench = Bench(lambda: replied(body=b"{}"), FakeRest)
    request = HttpRequest(b"GET / HTTP/1.1\r\n", b"", None)
    bench.http(request, name="GET /users").run(bench.context)
    bench.http(request, name="all users").run(bench.context)
    assert [(event["request_type"], event["name"]) for event in bench.fired] == [
        ("GET", "/users"),
        ("GET", "all users"),
    ]


def test_an_http_error_that_is_expected_is_ok():
    """A step may expect a 404."""
    bench = Bench(lambda: replied(HTTP_ERROR, b"{}", status=404), FakeRest)
    checks = Checks(Reply.json, statuses=(404,))
    step = bench.http(HttpRequest(b"GET / HTTP/1.1\r\n", b"", None), checks=checks)
    assert step.run(bench.context) == OK
    assert bench.fired[0]["exception"] is None


@pytest.mark.parametrize(("statuses", "notes"), [((), 1), ((302,), 0)])
def test_a_redirect_that_nobody_expects_is_noted_once(statuses, notes):
    """It counts as ok, but may lead to a login; the place may hold secrets and is left out."""

    def moved():
        reply = replied(body=b"", status=302)
        reply.detail = "GET /a is redirected to /login?state=secret"
        return reply

    bench = Bench(moved, FakeRest)
    request = HttpRequest(b"GET /a HTTP/1.1\r\n", b"", None)
    step = bench.http(request, checks=Checks(Reply.json, statuses=statuses))
    assert [step.run(bench.context) for _ in range(2)] == [OK, OK]
    bench.counted()
    found = [one.text for one in bench.records if isinstance(one, Note)]
    assert len(found) == notes
    assert all("GET /a was answered by HTTP 302" in text for text in found)
    assert "secret" not in "".join(found)


def test_a_wait_is_no_call_and_its_time_is_known(monkeypatch):
    """A pause is neither counted nor reported to Locust, and the journey's time leaves it out."""
    bench = Bench()
    clock = [0]

    def sleep(seconds):
        clock[0] += int(seconds * 1e9) + 7

    monkeypatch.setattr(steps_module, "gevent", SimpleNamespace(sleep=sleep))
    monkeypatch.setattr(steps_module, "time", SimpleNamespace(perf_counter_ns=lambda: clock[0]))
    wait = WaitStep(2.5)
    assert wait.run(bench.context) == OK
    assert wait.run(bench.context) == OK
    assert bench.context.waited_ns == 5_000_000_014
    assert bench.counted() == ({}, [])
    assert bench.fired == []


# Bodies.


def test_a_form_is_written_as_browsers_and_json_do():
    """Booleans are written as in JSON, null is left out, and lists become repeated fields."""
    form = {"a": "x y&z=ü", "b": True, "c": False, "d": None, "e": [1, 2], "f": 1.5}
    assert encode_form(form) == b"a=x+y%26z%3D%C3%BC&b=true&c=false&e=1&e=2&f=1.5"


@given(st.dictionaries(st.text(min_size=1), st.text(min_size=1), max_size=5))
def test_a_form_of_texts_can_be_read_back(form):
    """Whatever the texts are, none breaks out of its field."""
    assert dict(parse_qsl(encode_form(form).decode(), keep_blank_values=True)) == form


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=10,
    )
)
def test_a_json_body_can_be_read_back(value):
    """A body is the value, whatever it holds."""
    assert json.loads(encode_json(value)) == value


@pytest.mark.parametrize(
    ("asks", "hears", "kinds"),
    [
        (False, False, {"call": 1}),
        (True, False, {"call": 1, "unheard": 1}),
        (True, True, {"call": 1, "event": 1, "gap": 1}),
        (False, True, {"call": 1, "event": 1, "gap": 1}),
    ],
)
def test_a_step_that_asks_for_progress_counts_calls_that_bring_none(asks, hears, kinds):
    """If a step does not ask for progress, silence means nothing."""

    def answer():
        reply = replied()
        reply.heard = Heard(2000) if hears else None
        return reply

    bench = Bench(answer)
    step = bench.tool({})
    assert (ProgressStep(step) if asks else step).run(bench.context) == OK
    bench.recorder.flush(Health(cpu_s=0, wall_s=0))
    cells = [cell for r in bench.records if isinstance(r, Slice) for cell in r.cells]
    assert {cell.kind: cell.n for cell in cells} == kinds
    assert {(cell.name, cell.cls) for cell in cells} == {("tools/call echo", OK)}


@pytest.mark.parametrize(
    ("drained_from_ns", "expected"), [(0, INTERRUPTED), (1, INTERRUPTED), (1 << 62, TIMEOUT)]
)
def test_promise_09_a_call_that_is_cut_off_after_the_whole_drain_is_a_timeout(
    drained_from_ns, expected
):
    """It began before the end of its round, and had as much time as any other."""
    thrown = Interrupted(drained_from_ns)

    def cut():
        raise thrown

    bench = Bench(cut)
    with pytest.raises(Interrupted):
        bench.tool({}).run(bench.context)
    counts, (sample,) = bench.counted()
    assert counts == {expected: 1}
    assert thrown.outcome == expected  # its journey's
    assert "cut off" in sample.detail


def test_a_failure_says_how_long_the_target_wants_to_be_left_alone(paused):
    """An ok reply does not; an earlier failure's wish stays until it is asked for."""
    limited = replied(HTTP_ERROR, status=429)
    limited.retry_after_s = 3.0
    replies = [limited, replied()]
    bench = Bench(lambda: replies.pop(0))
    step = bench.tool({})
    assert step.run(bench.context) == HTTP_ERROR
    assert step.run(bench.context) == OK
    assert bench.context.told_s == 3.0
    assert paused == []
