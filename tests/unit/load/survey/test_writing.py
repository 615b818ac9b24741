"""Scenarios that are written from what was learned about a server."""

from pathlib import Path

from hypothesis import given as for_all
from hypothesis import strategies as st

from mcp_perf.load.survey.arguments import SEQ
from mcp_perf.load.survey.given import of_command, of_line
from mcp_perf.load.survey.writing import escaped, scenario
from mcp_perf.scenario.loader import load_text
from mcp_perf.scenario.values.templates import compile_template

LOAD = "{users: 2, rounds: 1}"
JSON = st.recursive(
    st.one_of(st.text(max_size=8), st.booleans(), st.none(), st.integers(-99, 99)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text("ab_-: ", min_size=1), inner)
    ),
    max_leaves=8,
)


def test_a_scenario_needs_no_edit():
    """It has a journey for each tool with its arguments, and the gates that were proposed."""
    calls = {"echo": {"message": "${x} hello"}, "get time": {}, "get.time": {"id": f"a-{SEQ}"}}
    text = scenario(
        of_line("http://127.0.0.1:1/mcp").with_headers({"X-Key": "k-1234"}),
        calls,
        LOAD,
        base=Path(),
        gates=["mcp.p95 < 50ms # a proposal"],
        remarks=["Not called: drop\nit: it may destroy something"],
    )
    made = load_text(text, "made", Path(), environ={"X_KEY": "k"}).scenario
    assert {name: journey.of("mcp")[0].subject for name, journey in made.journeys.items()} == {
        "echo": "echo",
        "get-time": "get time",
        "get-timex": "get.time",
    }
    assert made.journeys["get-timex"].of("mcp")[0].arguments == {"id": "a-${run}-${seq}"}
    assert made.arms["mcp"].headers == {"X-Key": "${env:X_KEY}"}
    assert [gate.text for gate in made.gates] == ["mcp.p95 < 50ms"]
    assert text.endswith("\n# Not called: drop it: it may destroy something\n")
    assert "k-1234" not in text


def test_a_command_keeps_its_folder_and_is_started_once(tmp_path):
    """A scenario in another folder names it."""
    given = of_command(["my server", "-x"])
    there = load_text(scenario(given, {}, LOAD, base=tmp_path), "made", tmp_path).scenario
    assert there.arms["mcp"].mcp == "stdio:'my server' -x"
    assert there.arms["mcp"].cwd == str(Path.cwd())
    assert there.arms["mcp"].process == "shared"
    here = load_text(scenario(given, {}, LOAD, base=Path()), "made", Path()).scenario
    assert here.arms["mcp"].cwd == "."
    sse = scenario(of_line("sse:http://a/sse"), {}, LOAD, base=Path())
    assert load_text(sse, "made", Path()).scenario.arms["mcp"].mcp == "sse:http://a/sse"


@for_all(st.dictionaries(st.text("ab$", min_size=1), JSON, max_size=3))
def test_arguments_come_back_as_they_were_made(arguments):
    """Their texts may hold quotes, line ends, emoji, or what looks like a lookup."""
    text = scenario(of_line("http://a/mcp"), {"tool": arguments}, LOAD, base=Path())
    step = load_text(text, "made", Path()).scenario.journeys["tool"].of("mcp")[0]
    assert compile_template(step.arguments).render({}) == arguments
    assert escaped([SEQ]) == ["${run}-${seq}"]
