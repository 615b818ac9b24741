"""Steps that listen, as files have them: what they may say, and which steps must come first."""

import pytest

FILE = """
name: demo
title: Demo
arms:
  mcp: {{mcp: {target}}}
journeys:
  first:
    with: {{who: Ada}}
    steps:
      {steps}
"""
HTTP = '"http://127.0.0.1:1/mcp"'
UPDATED = "{await: {notification: resources/updated}}"
TOOLS = "{await: {notification: tools/list_changed}}"


def text(*steps: str, target: str = HTTP) -> str:
    """Write a file with these steps."""
    return FILE.format(target=target, steps="\n      ".join(f"- {step}" for step in steps))


@pytest.mark.parametrize(
    ("steps", "label"),
    [
        (["{listen: [tools, prompts]}"], "listen tools, prompts"),
        (["{listen: resources}"], "listen resources"),
        (['{subscribe: "res://${who}"}'], "subscribe res://${who}"),
        (["{subscribe: 'a:b', name: watch, timeout: 1s, on_error: continue}"], "watch"),
        (["{listen: tools}", TOOLS], "await tools/list_changed"),
        (
            [
                "{subscribe: 'a:b'}",
                '{await: {notification: resources/updated, uri: "a:${who}"}, timeout: 1s}',
            ],
            "await resources/updated",
        ),
    ],
)
def test_each_action_has_its_label(accept, steps, label):
    """In reports a step is called by what it asks for; lookups are left as written."""
    loaded = accept(text(*steps))
    assert loaded.scenario.journeys["first"].of("mcp")[-1].label == label


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        (["{listen: []}"], "an empty list"),
        (["{listen: [files]}"], "'files' is not allowed here"),
        (["{listen: [tools, tools]}"], "a list is named twice"),
        (["{subscribe: ''}"], "is not a resource's URI"),
        (["{listen: tools, arguments: {a: 1}}"], "arguments is for call, prompt and run steps"),
        (["{listen: tools, save: {a: b}}"], "save is for calls, not for listen"),
        (["{listen: tools}", "{await: {notification: tools/list_changed}, expect: {}}"], "expect"),
        (["{listen: tools, cancel_after: 1s}"], "cancel_after is for call steps, not for listen"),
        (["{listen: tools}", "{await: {notification: tools/changed}}"], "not allowed here"),
        (["{listen: tools}", "{await: {notification: tools/list_changed, uri: 'a:b'}}"], "single"),
        (["{listen: tools}", "{await: {}}"], "notification is missing"),
        (["{listen: tools}", "{await: {notification: tools/list_changed, of: x}}"], "unknown key"),
        (["{listen: tools, subscribe: 'a:b'}"], "listen and subscribe in one step"),
        (['{subscribe: "a:${nobody}"}'], "nobody"),
        (["{parallel: [{listen: tools}, {call: a}]}"], "listen cannot be used in parallel"),
    ],
)
def test_what_makes_no_sense_is_refused(refuse, steps, said):
    """Each refusal has its own words, and says what to write instead."""
    [problem, *_] = refuse(text(*steps))
    assert said in str(problem)
    assert problem.hint


@pytest.mark.parametrize(
    ("steps", "hint"),
    [
        ([TOOLS], "listen: [tools]"),
        ([UPDATED], "subscribe: URI"),
        (["{listen: [prompts, resources]}", TOOLS], "listen: [tools]"),
        (["{listen: resources}", UPDATED], "subscribe: URI"),
        ([UPDATED, "{subscribe: 'a:b'}"], "subscribe: URI"),
        (
            [
                *("{open: true}", "{subscribe: 'a:b'}", "{close: true}"),
                *("{open: true}", UPDATED, "{close: true}"),
            ],
            "subscribe: URI",
        ),
    ],
)
def test_nobody_awaits_what_nobody_asked_for(refuse, steps, hint):
    """Each such run would be a timeout in every journey."""
    [problem] = refuse(text(*steps))
    assert ", so it will not come" in str(problem)
    assert hint in problem.hint


@pytest.mark.parametrize("step", ["{listen: tools}", "{subscribe: 'a:b'}"])
def test_users_of_one_process_cannot_listen(refuse, step):
    """The process cannot know which user a notification is for."""
    shared = text(step, target="{stdio: [server]}, process: shared")
    [problem] = refuse(shared)
    assert "needs a process for each user, but the users of 'mcp'" in str(problem)


def test_only_mcp_arms_listen(refuse):
    """An HTTP API has no notifications."""
    [problem] = refuse(text("{listen: tools}").replace("mcp: {mcp:", "mcp: {http:"))
    assert "listen is for mcp arms" in str(problem)
