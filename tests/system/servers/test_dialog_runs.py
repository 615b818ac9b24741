"""Whole runs of scenarios with more than tool calls."""

import pytest

pytestmark = pytest.mark.load

SCENARIO = """
name: dialog
title: Everything but a plain call
arms:
  modern: {{mcp: "{url}", protocol: 2026-07-28}}
  legacy: {{mcp: "{url}", protocol: 2025-11-25}}
journeys:
  ask:
    with: {{letter: {{one_of: [A, G]}}}}
    answers:
      elicitation: {{content: {{name: Ada}}}}
      sampling: {{text: well, model: parrot}}
      roots: ["file:///srv"]
    steps:
      - {{call: meet, expect: {{equals: {{"content[0].text": "hello Ada, 3"}}}}}}
      - call: meet
        name: second
        answers: {{elicitation: {{content: {{name: Bob}}}}}}
        expect: {{equals: {{"content[0].text": "hello Bob, 3"}}}}
      - {{call: quote, expect: {{equals: {{"content[0].text": "parrot: well"}}}}}}
      - {{call: folders, expect: {{equals: {{"content[0].text": "file:///srv"}}}}}}
  look:
    with: {{who: {{one_of: [Ada, Grace]}}}}
    steps:
      - {{list: tools, expect: {{equals: {{"length(tools)": 7}}}}}}
      - {{list: templates, save: {{template: "resourceTemplates[0].uriTemplate"}}}}
      - {{list: prompts}}
      - {{read: "res://one", progress: true, expect: {{equals: {{"contents[0].text": the first}}}}}}
      - {{read: "res://named/${{who}}", save: {{text: "contents[0].text"}}}}
      - {{prompt: greeting, arguments: {{name: "${{who}}"}}}}
      - complete: {{prompt: greeting, argument: name, value: Gr}}
        expect: {{equals: {{"completion.values": [Grace]}}}}
      - {{read: "res://two", on_error: continue, expect: {{class: rpc_error}}}}
      - {{call: hang, cancel_after: 50ms}}
      - {{call: work, arguments: {{steps: 2}}, progress: true}}
load: {{users: 2}}
"""


def test_a_scenario_asks_and_answers_in_both_eras(start, run_cli, quick, report, tmp_path) -> None:
    """Answers, resources, prompts, lists, completions and cancelled calls all end as expected."""
    server = start("asking_app.py")
    path = tmp_path / "dialog.yaml"
    path.write_text(SCENARIO.format(url=server.url))
    long = ("--set", "load.round=1s")  # enough for both journeys, even if each is slow
    ended = run_cli("run", path, "--out", tmp_path / "out", *quick, *long)
    assert ended.code in (0, 90), ended.output
    arms = report(tmp_path / "out")["arms"]
    for arm in arms.values():
        assert arm["error_rate"] == 0
        assert arm["classes"]["ok"] == arm["calls"] > 0
        assert arm["classes"]["harness_error"] == 0
        assert {
            "tools/call meet",
            "second",
            "tools/list",
            "resources/templates/list",
            "resources/read res://named/${who}",
            "prompts/get greeting",
            "completion/complete",
            "tools/call hang",
        } <= arm["steps"].keys()
        assert arm["calls_unheard"] == arm["steps"]["resources/read res://one"]["count"]
        assert arm["first_event_ms"]["max"] is None
        assert arm["steps"]["tools/call hang"]["latency_ms"]["p50"] >= 50
    samples = (tmp_path / "out" / "samples.csv").read_text()
    assert "notifications, the first after" in samples


def test_a_step_that_the_version_does_not_have_is_refused(start, run_cli, tmp_path) -> None:
    """A ping to a 2026-07-28 server is a mistake in the file, refused before anything is sent."""
    server = start("asking_app.py")
    path = tmp_path / "ping.yaml"
    path.write_text(
        "name: ping\ntitle: Ping\njourneys: {p: {steps: [{ping: true}]}}\n"
        f'arms: {{mcp: {{mcp: "{server.url}"}}}}\n'
    )
    ended = run_cli("run", path, "--out", tmp_path / "out")
    assert ended.code == 104
    assert "2026-07-28 does not have ping" in ended.output
    path.write_text(path.read_text().replace('/mcp"}', '/mcp", protocol: 2025-11-25}'))
    quick = ("--set", "load.rounds=2", "--set", "load.round=300ms", "--set", "load.warmup=100ms")
    assert run_cli("run", path, "--out", tmp_path / "out", *quick).code in (0, 90, 91)
