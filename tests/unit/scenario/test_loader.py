"""Loading: files, folders, arms, the environment, and names that a system has to bring."""

import os
import time
from pathlib import Path

import pytest

from mcp_perf.scenario.catalog import SHIPPED
from mcp_perf.scenario.loader import ScenarioError, find, load, load_text, shipped, unknown_names


def test_a_file_is_loaded_with_where_it_came_from(tmp_path, valid):
    """Loaded carries the model, the text, the source as it was named, and the folder."""
    path = tmp_path / "demo.yaml"
    path.write_text(valid)
    loaded = load(path)
    assert loaded.scenario.name == "demo"
    assert (loaded.text, loaded.source, loaded.base) == (valid, str(path), tmp_path)
    assert loaded.env == {}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "there is no such file"),
        (b"\xff", "not UTF-8"),
        (b"x" * (1024 * 1024 + 1), "larger than 1 MiB"),
        (b"name: [", "this is not YAML"),
    ],
)
def test_a_file_that_cannot_be_read_is_a_problem(content, said, tmp_path):
    """Whatever is wrong with a file, the answer is a ScenarioError with exit code 104."""
    path = tmp_path / "demo.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ScenarioError, match=said) as caught:
        load(path)
    assert caught.value.exit_code == 104
    assert caught.value.problems[0].source == str(path)
    assert caught.value.problems[0].hint


def test_what_is_no_regular_file_is_not_opened(tmp_path):
    """A pipe would block and a device never end; both are refused, and so is a folder."""
    os.mkfifo(tmp_path / "pipe.yaml")
    for path in (tmp_path / "pipe.yaml", Path("/dev/zero"), tmp_path):
        with pytest.raises(ScenarioError, match="no such file"):
            load(path)


def test_a_file_that_may_not_be_read_is_a_problem(tmp_path, monkeypatch):
    """The message has the system's reason."""
    (tmp_path / "demo.yaml").write_text("name: x")

    def refused(*_args, **_options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(ScenarioError, match="cannot be read: Permission denied"):
        load(tmp_path / "demo.yaml")


def test_promise_25_only_listed_variables_are_kept(valid, accept):
    """The rest of the environment never gets into the scenario."""
    loaded = accept(valid + "env: [A]\n", environ={"A": "secret", "B": "other"})
    assert loaded.env == {"A": "secret"}
    assert "secret" not in repr(loaded)


def test_a_variable_that_is_set_to_nothing_is_set(valid, accept):
    """Only a missing variable is a problem."""
    assert accept(valid + "env: [A]\n", environ={"A": ""}).env == {"A": ""}


ARMS = """\
gates: [mcp.p95 < 5ms, rest.p95 < 5ms, mcp.p95 < 2x rest]
"""


def test_some_arms_can_be_kept(valid, accept):
    """Without the other arms, their steps and the gates that need them are gone."""
    scenario = accept(valid + ARMS, arms=["mcp"]).scenario
    assert list(scenario.arms) == ["mcp"]
    assert list(scenario.journeys["first"].own) == ["mcp"]
    assert [gate.text for gate in scenario.gates] == ["mcp.p95 < 5ms"]
    assert len(accept(valid + ARMS, arms=["rest", "mcp"]).scenario.gates) == 3


def test_an_unknown_arm_to_keep_is_a_problem(valid, refuse):
    """The nearest arm is offered."""
    problem = refuse(valid, arms=["mpc"])[0]
    assert str(problem) == "--arm mpc: there is no arm 'mpc' - did you mean 'mcp'?"


SYSTEM = """\
name: system
title: Names that a system brings
env: [TOKEN]
vars: {region: eu}
arms:
  rest: {http: system:twilio/rest, vars: {own: 1}}
  mcp: {mcp: system:twilio/mcp}
journeys:
  a:
    with: {label: {template: "${account} ${env:TOKEN}"}}
    rest:
      - get: /${account}/${region}/${own}/${seq}
        save: {sid: sid}
      - post: /x
        form: {To: "${sid} ${label} ${env:TOKEN}"}
        expect: {equals: {a: "${workspace}"}}
    mcp:
      - call: t
        arguments:
          deep: [{x: "${acount}"}]
"""


def test_names_that_a_system_may_bring_are_not_judged_by_load(accept):
    """The names of a `system:` are known only once it runs."""
    loaded = accept(SYSTEM, environ={"TOKEN": "t"})
    problems = unknown_names(loaded, "rest", [])
    assert [(problem.line, problem.message) for problem in problems] == [
        (10, "${account} has no value here"),
        (12, "${account} has no value here"),
        (16, "${workspace} has no value here"),
    ]
    assert unknown_names(loaded, "rest", ["account", "workspace"]) == []


def test_a_misspelled_name_is_told_with_the_nearest_one(accept):
    """Whatever the system did not bring is unknown; the line is the value's."""
    loaded = accept(SYSTEM, environ={"TOKEN": "t"})
    problems = unknown_names(loaded, "mcp", {"account": "AC1"})
    assert [str(problem) for problem in problems] == [
        "demo.yaml:20: ${acount} has no value here - did you mean 'account'?"
    ]


def test_names_of_a_plain_target_are_judged_by_load(refuse):
    """An address does not add names, so an unknown one is a problem at once."""
    problems = refuse(
        SYSTEM.replace("system:twilio/rest", "http://127.0.0.1:1"), environ={"TOKEN": "t"}
    )
    assert [problem.line for problem in problems] == [10, 12, 16]


def test_shipped_scenarios_are_listed_in_order():
    """They come folder by folder, `start` first; scenarios that examine the machine are missing."""
    paths = [path.relative_to(SHIPPED) for path in shipped()]
    assert paths == sorted(paths, key=lambda path: (path.parts[0] != "start", path))
    assert {"echo.yaml", "twilio_tasks.yaml", "your_server.yaml"} <= {path.name for path in paths}
    assert {len(path.parts) for path in paths} == {2}
    assert "calibration" not in {path.parts[0] for path in paths}


@pytest.mark.parametrize("path", shipped(), ids=lambda path: path.stem)
def test_every_shipped_scenario_loads(path):
    """What ships is valid in an empty environment, and named after its file."""
    loaded = load(path, environ={})
    assert loaded.scenario.name == path.stem.replace("_", "-")
    assert loaded.scenario.gates
    for arm in loaded.scenario.arms:
        provided = ["account", "workspace", "from_number"]
        assert unknown_names(loaded, arm, provided) == []


def test_the_default_scenario_takes_about_a_minute():
    """A newcomer waits for the measured rounds and warm-ups of all arms."""
    scenario = load(find("twilio-tasks")).scenario
    load_ = scenario.load
    total_s = len(scenario.arms) * (load_.rounds * load_.round + load_.warmup)
    assert 45 <= total_s <= 65
    assert load_.rounds >= 6  # fewer can tell no difference


@pytest.mark.parametrize("name", ["twilio-tasks", "twilio_tasks", "twilio_tasks.yaml"])
def test_a_scenario_is_found_by_name(name, tmp_path, monkeypatch):
    """Dashes and underscores are the same, and the suffix may be left out."""
    monkeypatch.chdir(tmp_path)
    assert find(name) == SHIPPED / "twilio" / "twilio_tasks.yaml"


def test_own_scenarios_are_found_by_name_and_by_path(tmp_path, monkeypatch, valid):
    """`scenarios/` in the current folder is searched, too; a path is used as it is."""
    monkeypatch.chdir(tmp_path)
    own = tmp_path / "scenarios"
    own.mkdir()
    (own / "mine.yml").write_text(valid)
    assert find("mine") == own / "mine.yml"
    assert find("scenarios/mine.yml") == Path("scenarios/mine.yml")
    assert find("echo") == SHIPPED / "start" / "echo.yaml"


def test_promise_25_no_scenario_takes_the_place_of_another(tmp_path, monkeypatch, valid):
    """A file in the current folder with a shipped name is refused, and both are named."""
    monkeypatch.chdir(tmp_path)
    own = tmp_path / "scenarios"
    own.mkdir()
    (own / "echo.yml").write_text(valid)
    shipped = SHIPPED / "start" / "echo.yaml"
    with pytest.raises(ScenarioError, match="two files have the name 'echo'") as caught:
        find("echo")
    assert str(own / "echo.yml") in str(caught.value)
    assert str(shipped) in str(caught.value)
    assert find("scenarios/echo.yml") == Path("scenarios/echo.yml")
    (own / "echo.yml").write_bytes(shipped.read_bytes())
    assert find("echo") == own / "echo.yml"


@pytest.mark.parametrize(
    ("name", "hinted"),
    [
        ("twilio-task", "did you mean 'twilio-tasks'?"),
        ("./ecko.yaml", "did you mean 'echo'?"),
        ("shp.yaml", "did you mean 'shop.yaml'?"),
        ("SHOP.yaml", "did you mean 'shop.yaml'?"),
        ("files/tee", "did you mean 'files/tea.yml'?"),
        ("files", "is a folder, not a scenario - write files/tea.yml"),
        ("empty", "is a folder, not a scenario - write the path of a file in it"),
        ("run", "is the folder of a run, not a scenario - write mcp-perf report run"),
        ("nowhere/shop.yaml", "there is no folder nowhere - check the path"),
        ("gone.yaml", "there is no such scenario - mcp-perf list shows all scenarios"),
        ("http://a/mcp", "is an address, not a scenario - write mcp-perf init http://a/mcp -o my"),
        (
            "x.json",
            "is JSON, but scenarios are YAML - if it has mcpServers or servers: mcp-",
        ),
        ("shop.txt", "does not have the suffix of a scenario - rename it to end in .yaml or .yml"),
        ("zzz", "mcp-perf list shows all scenarios"),
        ("a\0b", "mcp-perf list shows all scenarios"),
        ("a" * 300, "mcp-perf list shows all scenarios"),
        ("", "mcp-perf list shows all scenarios"),
    ],
)
def test_what_is_no_scenario_is_told_with_what_may_be_meant(name, hinted, tmp_path, monkeypatch):
    """It is a ScenarioError with a hint: the nearest name or file, or the command that is meant."""
    monkeypatch.chdir(tmp_path)
    for folder in ("files", "empty", "run"):
        (tmp_path / folder).mkdir()
    for file in ("shop.yaml", "shop.txt", "x.json", "files/tea.yml", "run/journal.jsonl"):
        (tmp_path / file).touch()
    (tmp_path / "gone.yaml").symlink_to("nowhere")
    with pytest.raises(ScenarioError) as caught:
        find(name)
    [problem] = caught.value.problems
    assert hinted in str(problem)


def test_promise_25_nothing_is_sent_and_nothing_is_run_while_loading(valid, tmp_path, monkeypatch):
    """Loading does not open a socket, and does not sleep."""
    import socket

    def forbidden(*_args, **_options):
        raise AssertionError("loading must not do this")

    monkeypatch.setattr(socket, "socket", forbidden)
    monkeypatch.setattr(time, "sleep", forbidden)
    assert load_text(valid, "demo.yaml", tmp_path).scenario.name == "demo"
