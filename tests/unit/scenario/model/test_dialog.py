"""Answers, completions, authorization and the steps other than tool calls, as files have them."""

import pytest

from mcp_perf.scenario.loader import ScenarioError, load_text

FILE = """
name: demo
title: Demo
env: [SECRET]
arms:
  mcp: {{mcp: "http://127.0.0.1:1/mcp"{arm}}}
journeys:
  first:
    with: {{who: Ada}}
{journey}
    steps:
      - {step}
"""


def load(tmp_path, step="{call: echo}", arm="", journey=""):
    """Load a file with one step; return its scenario."""
    indented = f"    {journey}" if journey else ""
    text = FILE.format(step=step, arm=arm, journey=indented)
    return load_text(text, "demo.yaml", tmp_path, environ={"SECRET": "s3cr3t"}).scenario


def problems(tmp_path, **parts) -> str:
    """Load a file that is wrong; return everything that is said about it."""
    with pytest.raises(ScenarioError) as caught:
        load(tmp_path, **parts)
    return "\n".join(map(str, caught.value.problems))


@pytest.mark.parametrize(
    ("step", "label"),
    [
        ('{read: "res://${who}"}', "resources/read res://${who}"),
        ("{prompt: greet, arguments: {name: x}}", "prompts/get greet"),
        ("{list: tools}", "tools/list"),
        ("{list: templates}", "resources/templates/list"),
        ("{complete: {prompt: greet, argument: name, value: A}}", "completion/complete"),
        ("{ping: true}", "ping"),
        ("{ping: true, name: alive}", "alive"),
        ("{call: slow, cancel_after: 50ms}", "tools/call slow"),
    ],
)
def test_each_action_has_its_label(tmp_path, step, label) -> None:
    """In reports a step is called by its method and what it asks for."""
    scenario = load(tmp_path, step)
    assert scenario.journeys["first"].of("mcp")[0].label == label


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("{ping: false}", "false is not allowed here"),
        ("{list: files}", "'files' is not allowed here"),
        (
            "{list: tools, arguments: {a: 1}}",
            "arguments is for call, prompt and run steps, not for list",
        ),
        ("{ping: true, answers: {roots: []}}", "answers is for call, read and prompt steps"),
        ("{list: tools, progress: true}", "progress is for call, read and prompt steps"),
        ("{read: 'a:b', cancel_after: 1s}", "cancel_after is for call steps, not for read"),
        ("{call: a, cancel_after: 1s, save: {x: y}}", "a call with cancel_after has no result"),
        ("{wait: 1s, answers: {roots: []}}", "answers is for call, read and prompt steps"),
        ("{read: 'a:b', query: {x: 1}}", "query is for HTTP steps, not for read"),
        ("{prompt: a, expect: {status: 200}}", "expect: status can only be used on HTTP steps"),
        ("{read: 'res://${nobody}'}", "${nobody} has no value here"),
        (
            "{complete: {prompt: a, argument: b, value: '${nobody}'}}",
            "${nobody} has no value here",
        ),
        ("{complete: {argument: b}}", "a completion needs either a prompt or a resource"),
        ("{complete: {prompt: a, resource: b, argument: c}}", "prompt or"),
        ("{complete: {prompt: a, argumnt: c}}", "did you mean 'argument'?"),
        ("{prompt: '${who}'}", "cannot contain ${…}"),
        ("{read: ''}", "is not a resource's URI"),
        ("{call: a, read: 'b:c'}", "call and read in one step"),
        ("{call: a, answers: {}}", "no answers"),
        ("{call: a, answers: {elicitation: {action: maybe}}}", "'maybe' is not allowed here"),
        (
            "{call: a, answers: {elicitation: {action: decline, content: {a: 1}}}}",
            "content is not sent with decline",
        ),
        (
            "{call: a, answers: {elicitation: {content: {a: [{b: '${who}'}]}}}}",
            "answers cannot contain ${…}",
        ),
        ("{call: a, answers: {sampling: {}}}", "text is missing"),
        ("{call: a, answers: {sampling: {text: '${who}'}}}", "answers cannot contain ${…}"),
        ("{call: a, answers: {roots: ['${who}']}}", "answers cannot contain ${…}"),
        ("{call: a, answers: {elicitaton: {}}}", "did you mean 'elicitation'?"),
    ],
)
def test_what_cannot_be_meant_is_told(tmp_path, step, said) -> None:
    """Every mistake is named, with its line."""
    told = problems(tmp_path, step=step)
    assert said in told
    assert "demo.yaml:12" in told


def test_a_journey_has_answers_too(tmp_path) -> None:
    """They are written next to its steps."""
    scenario = load(tmp_path, journey='answers: {roots: ["file:///a"]}')
    assert scenario.journeys["first"].answers.roots == ("file:///a",)


def test_a_key_of_answers_is_checked_in_journeys(tmp_path) -> None:
    """A misspelt key is found there as well."""
    assert "did you mean 'roots'?" in problems(tmp_path, journey="answers: {rots: []}")


def test_http_arms_have_no_mcp_steps(tmp_path) -> None:
    """An action has to be one that its arm can do."""
    text = FILE.replace("mcp: {{mcp:", "mcp: {{http:").format(
        arm="", journey="", step="{read: 'a:b'}"
    )
    with pytest.raises(ScenarioError, match="read is for mcp arms, and 'mcp' is an http arm"):
        load_text(text, "demo.yaml", tmp_path, environ={"SECRET": "x"})


# Authorization.


@pytest.mark.parametrize(
    ("written", "flow"),
    [
        ("{client_id: a, client_secret: '${env:SECRET}', issuer: i}", "client_credentials"),
        ("{client_id: a}", "authorization_code"),
        ("{}", "authorization_code"),
        (
            "{client_id: a, client_secret: '${env:SECRET}', issuer: i, grant: authorization_code}",
            "authorization_code",
        ),
    ],
)
def test_the_grant_follows_from_the_credentials(tmp_path, written, flow) -> None:
    """A client with a secret needs no person, and one without cannot do without a code."""
    scenario = load(tmp_path, arm=f", auth: {{oauth: {written}}}")
    assert scenario.arms["mcp"].auth.oauth.flow == flow


@pytest.mark.parametrize(
    ("arm", "said"),
    [
        (", auth: {oauth: {grant: client_credentials}}", "a client_id and a client_secret"),
        (
            ', auth: {oauth: {client_secret: "${env:SECRET}"}}',
            "a client_secret needs a client_id",
        ),
        (
            ', auth: {oauth: {client_id: a, client_secret: "${env:SECRET}"}}',
            "a client_secret needs the issuer that it is for",
        ),
        (
            ", auth: {oauth: {client_id: a, client_secret: b}}",
            "a client_secret must not be written into the file",
        ),
        (", auth: {oauth: {client_id: '${who}'}}", "${who} cannot be used here"),
        (", auth: {oauth: {client_id: '${env:OTHER}'}}", "OTHER"),
        (", auth: {oauth: {clientid: a}}", "did you mean 'client_id'?"),
        (", auth: {basic: {}}", "basic"),
        (
            ", auth: {oauth: {}}, headers: {authorization: a}",
            "the arm has both auth and an Authorization header",
        ),
    ],
)
def test_credentials_that_cannot_work_are_told(tmp_path, arm, said) -> None:
    """The message comes before anything is sent."""
    assert said in problems(tmp_path, arm=arm)


def test_a_secret_is_not_quoted(tmp_path) -> None:
    """Messages do not show what the environment holds."""
    arm = ", auth: {oauth: {client_id: a, client_secret: '${env:SECRET}', grnt: x}}"
    assert "s3cr3t" not in problems(tmp_path, arm=arm)


def test_an_http_arm_has_no_auth(tmp_path) -> None:
    """It sets its headers itself."""
    text = FILE.replace("mcp: {{mcp:", "mcp: {{http:").format(
        arm=", auth: {oauth: {}}", journey="", step="{get: /a}"
    )
    with pytest.raises(ScenarioError, match="auth can only be used on an mcp arm"):
        load_text(text, "demo.yaml", tmp_path, environ={"SECRET": "x"})
