"""Overrides: `load.users=50` sets one value, and is checked like the file."""

import pytest


@pytest.mark.parametrize(
    ("text", "found", "value"),
    [
        ("load.users=50", lambda s: s.load.users, 50),
        ("load.round=500ms", lambda s: s.load.round, 0.5),
        ("load.spawn_rate=", lambda s: s.load.spawn_rate, None),
        ("load.think.min=1s", None, None),
        ("title=a = b", lambda s: s.title, "a = b"),
        ('title="5"', lambda s: s.title, "5"),
        ("arms.mcp.timeout=1s", lambda s: s.arms["mcp"].timeout, 1),
        ("arms.mcp.tls.verify=false", lambda s: s.arms["mcp"].tls.verify, False),
        ("arms.mcp.headers.X-A=b", lambda s: s.arms["mcp"].headers, {"X-A": "b"}),
        ("arms.mcp.mcp=system:echo/mcp", lambda s: s.arms["mcp"].address, "system:echo/mcp"),
        ("journeys.first.weight=3", lambda s: s.journeys["first"].weight, 3),
        ("journeys.first.mcp.0.call=b", lambda s: s.journeys["first"].of("mcp")[0].call, "b"),
        ("vars.region=us", lambda s: s.vars["region"], "us"),
        ("gates.0=mcp.p95 < 1s", lambda s: s.gates[0].value, 1000),
        ("load.abort=off", lambda s: s.load.abort, None),
        ("vars.region=off", None, None),
        ("journeys.first.mcp.0.arguments.abort=off", None, None),
        ("limits.late_starts=5%", lambda s: s.limits.late_starts, 0.05),
    ],
)
def test_an_override_sets_one_value(text, found, value, valid, accept, refuse):
    """The value is read like one in the file, in a section that is there or not."""
    file = valid + "vars: {region: eu}\ngates: [mcp.p95 < 5ms]\n"
    if found is None:
        assert refuse(file, text)
    else:
        assert found(accept(file, text).scenario) == value


def test_the_last_override_wins_and_the_text_stays(valid, accept):
    """Overrides are set in their order, and the file's text is kept as it is."""
    loaded = accept(valid, "load.users=5", "load.users=6", "load.think.min=1s", "load.think.max=2s")
    assert loaded.scenario.load.users == 6
    assert loaded.scenario.load.think == (1, 2)
    assert loaded.text == valid


@pytest.mark.parametrize(
    ("load", "texts", "expected"),
    [
        (
            "{users: 9, rounds: 3, round: 1s, warmup: 2s, think: 1s}",
            ["load.shape=breakpoint"],
            {"users": None, "rate": 10_000, "rounds": 60, "round": 3, "warmup": 2},
        ),
        (
            "{stages: [{rate: 5/s, for: 9s}], max_in_flight: 7}",
            ["load.shape=breakpoint"],
            {"stages": None, "rate": 10_000, "max_in_flight": 7},
        ),
        (
            "{rate: 50/s, rounds: 3}",
            ["load.rounds=9", "load.shape=breakpoint", "load.rate=2k/s"],
            {"rate": 2000, "rounds": 9},
        ),
        ("{users: 9, rounds: 7}", ["load.shape=smoke"], {"users": 9, "rounds": 6, "round": 1}),
        (
            "{users: 9, rounds: 30, warmup: 2s}",
            ["load.shape=soak"],
            {"users": 9, "rounds": 120, "round": 30, "warmup": 2},
        ),
        ("{users: 9, rounds: 30}", ["load.shape=ramp"], {"users": 9, "rounds": 30}),
    ],
)
def test_a_shape_brings_its_own_numbers(load, texts, expected, valid, accept):
    """The file's rounds, users and rate belong to the file's load; other overrides stay."""
    lines = [line for line in valid.splitlines() if not line.startswith("load:")]
    found = accept("\n".join([*lines, f"load: {load}"]), *texts).scenario.load
    assert {name: getattr(found, name) for name in expected} == expected


@pytest.mark.parametrize("shape", ["wave", "5", ""])
def test_a_shape_that_is_none_is_refused_as_in_the_file(shape, valid, refuse):
    """A word that is not a shape takes nothing from the file's load."""
    lines = [line for line in valid.splitlines() if not line.startswith("load:")]
    text = "\n".join([*lines, "load: {users: 9, rounds: 3}"])
    assert refuse(text, f"load.shape={shape}")


@pytest.mark.parametrize(
    ("text", "source", "said", "hinted"),
    [
        ("load.users", "--set", "'load.users' does not set a value", "load.users=50"),
        ("=5", "--set", "'=5' does not set a value", "load.users=50"),
        ("load.users=0", "--set load.users", "0 is out of range", "at least 1"),
        ("load.users=yes", "--set load.users", "'yes' is a boolean", "quotes"),
        ("load.users=[1]", "--set load.users", "'[1]' is more than one value", "one value"),
        ("load.users={", "--set load.users", "this is not YAML", "brackets"),
        ("load.users=&a 1", "--set load.users", "the anchor &a", "remove"),
        ("load.usres=5", "--set load.usres", "unknown key 'usres'", "'users'"),
        ("load.usres.x=5", "--set load.usres.x", "unknown key 'usres'", "'users'"),
        ("laod.users=5", "--set laod.users", "unknown key 'laod'", "'load'"),
        ("name.x=5", "--set name.x", "name is a single value", "as a whole"),
        ("arms.mpc.timeout=5s", "--set arms.mpc.timeout", "arms has no 'mpc'", "'mcp'"),
        ("arms.mcp.timeout=5", "--set arms.mcp.timeout", "5 has no unit", "5s"),
        ("journeys.fist.weight=5", "--set journeys.fist.weight", "has no 'fist'", "'first'"),
        (
            "journeys.first.mcp.1.call=a",
            "--set journeys.first.mcp.1.call",
            "without an item '1'",
            "0 to 0",
        ),
        ("journeys.first.mcp.x=a", "--set journeys.first.mcp.x", "without an item 'x'", "0 to 0"),
        (
            "journeys.first.mcp.0000001=a",
            "--set journeys.first.mcp.0000001",
            "is a list without an item",
            "0 to 0",
        ),
        ("vars.regoin=a", "--set vars.regoin", "vars has no 'regoin'", "'region'"),
        ("gates.0=mcp.p95 < 5", "--set gates.0", "no unit", "mcp.p95 < 200ms"),
    ],
)
def test_a_wrong_override_is_a_problem_of_its_own(text, source, said, hinted, valid, refuse):
    """The override is named instead of a line of the file, once."""
    problems = refuse(valid + "vars: {region: eu}\ngates: [mcp.p95 < 5ms]\n", text)
    assert len(problems) == 1, problems
    assert (problems[0].source, problems[0].line) == (source, 0)
    assert said in problems[0].message
    assert hinted in problems[0].hint
    assert str(problems[0]).startswith(f"{source}: ")


def test_the_path_of_an_override_is_told_once(valid, refuse):
    """The message does not repeat what the override already names."""
    problems = refuse(valid, "load.users=0")
    assert str(problems[0]) == "--set load.users: 0 is out of range - write at least 1"


def test_a_wrong_override_does_not_hide_the_file_s_problems(valid, refuse):
    """Both are reported at once."""
    problems = refuse(valid + "load: {usres: 1}\n", "load.round=5", "gates.0=x")
    assert [problem.line for problem in problems] == [0, 0, 10]


def test_overrides_of_a_text_that_is_no_mapping_are_refused(refuse):
    """Nothing can be set in a file that holds something else."""
    assert (
        "is a single value, so nothing can be set inside it"
        in refuse("just a text", "load.users=5")[0].message
    )
