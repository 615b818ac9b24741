"""What a server asks back, and what the script answers."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_perf.client.protocol.answers import (
    MOST_ROUNDS,
    SILENT,
    NoAnswer,
    Responder,
    Rounds,
    respond,
)

ELICIT = {
    "method": "elicitation/create",
    "params": {
        "mode": "form",
        "message": "Who?",
        "requestedSchema": {
            "type": "object",
            "properties": {
                "name": {"type": "string", "default": "Bob"},
                "age": {"type": "integer", "default": 30},
                "mail": {"type": "string"},
            },
        },
    },
}
SAMPLE = {"method": "sampling/createMessage", "params": {"messages": []}}
ROOTS = {"method": "roots/list"}
WORDS = {"role": "assistant", "content": {"type": "text", "text": "hi"}, "model": "none"}


def test_only_what_is_scripted_is_declared() -> None:
    """A capability is declared for each answer that there is, and for nothing else."""
    assert SILENT.capabilities == {}
    assert Responder(roots=[]).capabilities == {"roots": {}}
    assert Responder(elicitation={}, sampling=WORDS).capabilities == {
        "elicitation": {"form": {}, "url": {}},
        "sampling": {},
    }


def test_defaults_fill_what_the_script_leaves_open() -> None:
    """An accepted form has the schema's defaults, and the script's values over them."""
    answers = Responder(elicitation={"action": "accept", "content": {"name": "Ada"}})
    result = answers.to(ELICIT["method"], ELICIT["params"])
    assert result == {"action": "accept", "content": {"name": "Ada", "age": 30}}


@pytest.mark.parametrize("schema", [None, [], {"properties": [1]}, {"properties": {"a": 3}}])
def test_a_schema_without_defaults_adds_nothing(schema) -> None:
    """The form may describe itself oddly; the script's own content is sent."""
    asked = {"mode": "form", "requestedSchema": schema}
    result = Responder(elicitation={"content": {"x": 1}}).to("elicitation/create", asked)
    assert result == {"action": "accept", "content": {"x": 1}}


@pytest.mark.parametrize("action", ["decline", "cancel"])
def test_a_refusal_has_no_content(action) -> None:
    """An answer other than accept carries nothing."""
    result = Responder(elicitation={"action": action}).to(ELICIT["method"], ELICIT["params"])
    assert result == {"action": action}


def test_an_accepted_address_has_no_content() -> None:
    """The action alone answers a question by URL."""
    asked = {"mode": "url", "url": "http://127.0.0.1/pay", "message": "Pay"}
    assert Responder(elicitation={}).to("elicitation/create", asked) == {"action": "accept"}


def test_words_and_folders_come_as_they_are_scripted() -> None:
    """Sampling and roots are the script's own."""
    root = {"uri": "file:///a", "name": "a"}
    answers = Responder(sampling=WORDS, roots=[root])
    assert answers.to("sampling/createMessage", {}) == WORDS
    assert answers.to("roots/list", {}) == {"roots": [root]}


@pytest.mark.parametrize("request_", [ELICIT, SAMPLE, ROOTS, {"method": "tasks/get"}])
def test_what_is_not_scripted_is_refused_by_its_method(request_) -> None:
    """The error names what was asked for, under the server's own id."""
    response = respond({"jsonrpc": "2.0", "id": "s-1", **request_}, SILENT)
    assert response["id"] == "s-1"
    assert response["error"]["code"] == -32601
    assert request_["method"] in response["error"]["message"]


@pytest.mark.parametrize(
    ("request_", "named"),
    [
        ({**SAMPLE, "params": {"tools": []}}, "'tools'"),
        ({**SAMPLE, "params": {"toolChoice": {"mode": "auto"}}}, "'toolChoice'"),
        ({"method": "elicitation/create", "params": {"mode": "voice"}}, "mode 'voice'"),
        ({"method": "elicitation/create", "params": {"mode": None}}, "mode None"),
    ],
)
def test_what_was_not_declared_is_refused_as_wrong_params(request_, named) -> None:
    """Tools for the model are never declared, and only two of the modes of a form are."""
    response = respond({"id": 1, **request_}, Responder(elicitation={}, sampling=WORDS))
    assert response["error"]["code"] == -32602
    assert named in response["error"]["message"]


def test_a_ping_is_answered_without_any_script() -> None:
    """The result is empty, so the server keeps the session."""
    pong = respond({"jsonrpc": "2.0", "id": 0, "method": "ping"}, SILENT)
    assert pong == {"jsonrpc": "2.0", "id": 0, "result": {}}


def test_an_answer_has_the_result_and_nothing_else() -> None:
    """A response holds a result or an error, never both."""
    response = respond({"id": 7, **SAMPLE}, Responder(sampling=WORDS))
    assert response == {"jsonrpc": "2.0", "id": 7, "result": WORDS}


@given(st.dictionaries(st.text(), st.recursive(st.none() | st.text(), st.lists, max_leaves=5)))
def test_no_request_of_a_server_breaks_the_answering(request_) -> None:
    """Whatever arrives, the response can be sent."""
    json.dumps(respond(request_, Responder(elicitation={}, sampling={}, roots=[])))


# Rounds of 2026-07-28.


def asking(state: object = None, **requests: object) -> dict:
    """Give a result that asks for input."""
    result: dict = {"resultType": "input_required"}
    if requests:
        result["inputRequests"] = requests
    return result if state is None else {**result, "requestState": state}


def test_answers_go_back_under_their_keys_with_the_state() -> None:
    """The next request has a response for each request, and the state untouched."""
    rounds = Rounds(Responder(elicitation={"action": "decline"}, roots=[]))
    added, pause_s = rounds.following(asking("v1.\u00e9=", a=ELICIT, b=ROOTS))
    assert pause_s == 0
    assert added == {
        "requestState": "v1.\u00e9=",
        "inputResponses": {"a": {"action": "decline"}, "b": {"roots": []}},
    }


def test_no_state_is_sent_where_none_was_given() -> None:
    """The key is left out, not sent empty."""
    added, _ = Rounds(Responder(roots=[])).following(asking(a=ROOTS))
    assert added == {"inputResponses": {"a": {"roots": []}}}


def test_a_state_alone_is_waited_with() -> None:
    """The wait is 50 ms, doubling to 250 ms, and there are no responses."""
    rounds = Rounds(SILENT)
    steps = [rounds.following(asking("s")) for _ in range(5)]
    assert [pause_s for _, pause_s in steps] == [0.05, 0.1, 0.2, 0.25, 0.25]
    assert all(added == {"requestState": "s"} for added, _ in steps)


def test_rounds_come_to_an_end() -> None:
    """After ten rounds the server is not asked again."""
    rounds = Rounds(SILENT)
    for _ in range(MOST_ROUNDS):
        rounds.following(asking("s"))
    with pytest.raises(NoAnswer, match="10 rounds"):
        rounds.following(asking("s"))


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (asking(), "the server asks for input without inputRequests or requestState"),
        (asking(a=SAMPLE), "sampling/createMessage"),
        ({"inputRequests": [1]}, "the server's inputRequests are not a mapping"),
        (asking(a=3), "'a' has no method"),
        (asking(a={"method": 3}), "'a' has no method"),
    ],
    ids=["empty", "unscripted", "list", "number", "no method"],
)
def test_what_cannot_be_answered_is_told(result, said) -> None:
    """The reason goes into the report, so that the script can be completed."""
    with pytest.raises(NoAnswer, match=said):
        Rounds(Responder(roots=[])).following(result)
