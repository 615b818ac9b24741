"""What is settled before a run: journeys by tags, arms pointed elsewhere, the run's folder."""

import socket
from functools import reduce
from pathlib import Path

import pytest

from mcp_perf.load.plan.schedule import Level, plan
from mcp_perf.load.prepare import open_files
from mcp_perf.load.prepare.prepare import (
    Prepared,
    RunOptions,
    choose,
    lines_of,
    most_users,
    prepare,
    processes_told,
    read,
)
from mcp_perf.load.targets.bundled import Systems
from mcp_perf.load.targets.refusal import Refusal
from mcp_perf.scenario.loader import load_text

SCENARIO = """\
name: demo
title: A demo
arms:
  control: {http: "http://127.0.0.1:1"}
journeys:
  first: {tags: [fast], steps: [{get: /a}]}
  second: {tags: [slow, rare], steps: [{get: /b}]}
  third: {steps: [{get: /c}]}
"""


@pytest.fixture
def demo(tmp_path) -> Path:
    """Write the demo scenario. Nothing listens at its address."""
    path = tmp_path / "demo.yaml"
    path.write_text(SCENARIO)
    return path


@pytest.mark.parametrize(
    ("tags", "excluded", "expected"),
    [
        ([], [], ["first", "second", "third"]),
        (["fast"], [], ["first"]),
        (["rare", "fast"], [], ["first", "second"]),
        ([], ["slow"], ["first", "third"]),
        (["slow"], ["fast"], ["second"]),
    ],
)
def test_tags_choose_journeys(tags, excluded, expected) -> None:
    """--tags keeps journeys that have one of them, --exclude-tags drops them."""
    loaded = choose(load_text(SCENARIO, "demo.yaml", Path(), environ={}), tags, excluded)
    assert list(loaded.scenario.journeys) == expected


@pytest.mark.parametrize(("arms", "told"), [((), []), (("control",), ["other.p50 <= 2x control"])])
def test_promise_17_gates_that_an_arm_left_out_would_need_are_named(
    arms, told, tmp_path, monkeypatch
) -> None:
    """A run of one arm says which gates of the file it does not judge."""
    path = tmp_path / "demo.yaml"
    other = '  other: {http: "http://127.0.0.1:2"}\njourneys:'
    gates = "gates: [other.p50 <= 2x control, control.p95 < 1s]\n"
    path.write_text(SCENARIO.replace("journeys:", other) + gates)
    monkeypatch.setattr("mcp_perf.load.prepare.prepare._reach", lambda *_: None)
    prepared = prepare(RunOptions(scenario=str(path), arms=arms, out=str(tmp_path / "run")))
    assert prepared.remarks == [
        f"Not judged, because --arm leaves out an arm: {gate}" for gate in told
    ]


KNOWN = "the tags in the file are fast, rare, slow"


@pytest.mark.parametrize(
    ("tags", "excluded", "removed", "message"),
    [
        (["nope"], [], "", f"--tags; {KNOWN}"),
        (["fast"], ["fast"], "", f"--tags and --exclude-tags; {KNOWN}"),
        ([], ["fast", "slow"], "  third: {steps: [{get: /c}]}\n", f"--exclude-tags; {KNOWN}"),
        (["fast"], [], "tags: [fast], |tags: [slow, rare], ", "--tags; the file has no tags"),
    ],
)
def test_tags_that_leave_nothing_are_refused_with_the_known_ones(
    tags, excluded, removed, message, demo
) -> None:
    """A run without a journey would prove nothing; the message lists the tags of the file."""
    demo.write_text(reduce(lambda text, part: text.replace(part, ""), removed.split("|"), SCENARIO))
    with pytest.raises(Refusal) as refused:
        read(RunOptions(scenario=str(demo), tags=tags, excluded_tags=excluded))
    assert refused.value.lines == [f"no journey is left by {message}"]
    assert refused.value.exit_code == 104


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("control", "write ARM=URL"),
        ("control=ftp://x", "write ARM=URL"),
        ("control=localhost:8000/mcp", "http:// is missing: write ARM=http://localhost:8000/mcp"),
        ("mcp=http://127.0.0.1:1", "no arm 'mcp'; the arms are control"),
    ],
)
def test_a_wrong_target_is_refused(demo, target, words) -> None:
    """--target says what to write instead, and which arms exist."""
    with pytest.raises(Refusal, match=words) as refused:
        prepare(RunOptions(scenario=str(demo), targets=[target]))
    assert refused.value.exit_code == 104


MCP = """\
name: mine
title: A server of mine
arms:
  mcp: {mcp: {stdio: [server]}}
  rest: {http: "http://127.0.0.1:1"}
journeys:
  look: {mcp: [{call: look}], rest: [{get: /}]}
load: {rate: 300/s}
"""


def test_a_version_that_is_asked_for_is_that_of_all_mcp_arms(tmp_path) -> None:
    """It replaces the scenario's. A version that is unknown, or wrong for an arm, is refused."""
    path = tmp_path / "mine.yaml"
    path.write_text(MCP)
    arms = read(RunOptions(scenario=str(path), protocol="2025-06-18")).scenario.arms
    assert (arms["mcp"].protocol, arms["rest"].protocol) == ("2025-06-18", "auto")
    with pytest.raises(Refusal, match="--protocol 2020-01-01: write one of auto, 2026-07-28"):
        read(RunOptions(scenario=str(path), protocol="2020-01-01"))
    path.write_text(MCP.replace("{stdio: [server]}", "{sse: 'http://127.0.0.1:2'}"))
    with pytest.raises(Refusal, match=r"arms\.mcp: 2026-07-28 has no HTTP\+SSE transport"):
        read(RunOptions(scenario=str(path), protocol="2026-07-28"))


@pytest.mark.parametrize(
    ("more", "pointed", "users", "told"),
    [
        ("", {}, 16, ["mcp: 16 server processes will be started"]),
        ("max_in_flight: 40, ", {}, 40, ["mcp: 40 server processes will be started"]),
        ("", {"mcp": "http://127.0.0.1:1/mcp"}, 200, []),
        ("", {"mcp": "system:echo/mcp"}, 200, []),
        ("", {"mcp": "system:nobody/stdio"}, 200, []),
        ("", {"mcp": "system:echo/stdio"}, 16, ["mcp: 16 server processes will be started"]),
    ],
)
def test_an_open_load_starts_few_servers_and_says_how_many(more, pointed, users, told) -> None:
    """It starts one for each journey in flight, up to 16, unless the scenario asks for more."""
    loaded = load_text(MCP.replace("{rate", f"{{{more}rate"), "mine.yaml", Path(), environ={})
    lines = lines_of(loaded, pointed)
    assert most_users(loaded, lines) == users
    assert [line.partition(",")[0] for line in processes_told(loaded, lines, users)] == told
    closed = load_text(MCP.replace("rate: 300/s", "users: 50"), "mine.yaml", Path(), environ={})
    assert most_users(closed, lines) == 50
    assert [*processes_told(closed, lines, 50)] == []


def test_processes_are_to_be_shared_only_where_the_file_can_say_so() -> None:
    """A bundled system does not take `process`, so the hint to write it is left out."""
    text = MCP.replace("{stdio: [server]}", "system:echo/stdio")
    for scenario, told in ((MCP, True), (text, False)):
        loaded = load_text(scenario, "mine.yaml", Path(), environ={})
        [line] = processes_told(loaded, {"mcp": "stdio:server"}, 16)
        assert ("process: shared" in line) is told


def test_a_run_says_how_long_it_may_take_once_users_are_connected() -> None:
    """Drains are included. Connecting before a turn takes further time, which nobody knows."""
    loaded = load_text(SCENARIO, "demo.yaml", Path(), environ={})
    turns = tuple(plan(["control"], [Level(1)], 5.0, 1.0))
    run = Prepared(RunOptions(), loaded, "demo-1", 1, 1.0, turns, 1, Path("out"), Systems(Path()))
    said = "6.00 s of load, at most 28.0 s if calls are not answered"
    assert run.announced() == [said.replace(" s ", "\u202fs ")]
    few = MCP.replace("rate: 300/s", "users: 1, journeys: 60")
    run.loaded = load_text(few, "mine.yaml", Path(), environ={})
    assert run.announced()[0].startswith("60 journeys in each round, or 6.00")


def test_a_folder_that_holds_a_run_is_not_written_over(demo, tmp_path) -> None:
    """--out with an earlier run in it is refused, and so is a file."""
    (tmp_path / "journal.jsonl").touch()
    with pytest.raises(Refusal, match=": the folder contains an earlier run; name a new one"):
        prepare(RunOptions(scenario=str(demo), out=str(tmp_path)))
    with pytest.raises(Refusal, match="is a file"):
        prepare(RunOptions(scenario=str(demo), out=str(demo)))


def test_nobody_at_the_address_is_unreachable(demo, tmp_path) -> None:
    """A refused connection is 108, with arm, address and reason; no folder is made."""
    with pytest.raises(Refusal, match=r"control: cannot reach http://127.0.0.1:1 .*refused") as no:
        prepare(RunOptions(scenario=str(demo), out=str(tmp_path / "run")))
    assert no.value.exit_code == 108
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("workers", "target", "pointed", "asked"),
    [
        (False, "http://127.0.0.1:1", {}, ["http://127.0.0.1:1"]),
        (True, "http://127.0.0.1:1", {}, []),
        (True, "system:echo/rest", {}, ["system:echo/rest"]),
        (True, "system:echo/rest", {"control": "http://127.0.0.1:1"}, []),
        (True, "http://127.0.0.1:1", {"control": "system:echo/rest"}, ["system:echo/rest"]),
    ],
)
def test_open_files_are_checked_in_the_process_with_the_connections(
    demo, tmp_path, monkeypatch, workers, target, pointed, asked
) -> None:
    """It is this one, unless workers have the users. Bundled systems inherit its limit."""
    required = []

    def require(_loaded, users, lines):
        required.append((users, lines))
        raise Refusal("enough seen", code=104)

    monkeypatch.setattr(open_files, "require", require)
    demo.write_text(SCENARIO.replace("http://127.0.0.1:1", target))
    targets = [f"{arm}={line}" for arm, line in pointed.items()]
    options = RunOptions(str(demo), targets, out=str(tmp_path / "run"), users=50, workers=workers)
    with pytest.raises(Refusal):
        prepare(options)
    assert required == [(50, {"control": line}) for line in asked]


def test_a_load_that_is_calibrated_has_no_baseline(tmp_path):
    """Each run finds a different number of users, so two runs have different loads."""
    options = RunOptions("dual-vs-control", baseline=str(tmp_path / "base.json"))
    with pytest.raises(Refusal) as refused:
        prepare(options)
    [line] = refused.value.lines
    assert "load.calibrate finds a different number of users in each run" in line
    assert "--set load.calibrate=null --set load.users=5" in line


def test_a_load_that_is_calibrated_needs_the_processor_time_of_every_target(demo, tmp_path):
    """Without it the users cannot be found. The refusal says which arm's is missing, and why."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        arm = f'{{http: "http://127.0.0.1:{server.getsockname()[1]}", resources: none}}'
        text = SCENARIO.replace('{http: "http://127.0.0.1:1"}', arm)
        demo.write_text(f"{text}load: {{users: 4, calibrate: 70%}}\n")
        with pytest.raises(Refusal) as refused:
            prepare(RunOptions(scenario=str(demo), out=str(tmp_path / "run")))
    assert refused.value.lines == [
        "load.calibrate needs the processor time of control. The scenario says resources: none."
    ]


@pytest.mark.parametrize("file", ["no/calls.jsonl", "."])
def test_a_file_for_calls_that_cannot_be_written_is_refused_before_anything_starts(
    file, demo, tmp_path
):
    """Its folder is missing, or it is a folder itself. No run begins that would have to stop."""
    with pytest.raises(
        Refusal, match=(r"^--log-calls .*: the file cannot be written; name another one$")
    ):
        prepare(RunOptions(scenario=str(demo), log_calls=str(tmp_path / file)))
