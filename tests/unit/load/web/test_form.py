"""What the form of the page may ask for."""

from dataclasses import replace

import pytest

from mcp_perf.load.prepare.prepare import RunOptions
from mcp_perf.load.targets.refusal import Refusal
from mcp_perf.load.web import form

SHOWN = {*form.LOCUSTS, "scenario", "target"}
STARTED = RunOptions(
    scenario="dir/given.yaml", targets=("mcp=stdio:server",), baseline="base.json", store="sqlite:x"
)


def seconds(text):
    """Read seconds, as Locust reads times."""
    if not text.isdecimal():
        raise ValueError("no time")
    return int(text)


PRESSED = dict.fromkeys(sorted(SHOWN), "")


@pytest.mark.parametrize(
    "field",
    ["html_file", "store", "baseline", "csv_prefix", "json_file", "out", "set", "arm", "tags", ""],
)
def test_promise_26_an_option_that_the_form_does_not_show_is_refused(field):
    """Locust would accept any option of its command line as a field."""
    form.require_known(PRESSED, SHOWN)
    with pytest.raises(Refusal, match=f"no field '{field}'"):
        form.require_known([*PRESSED, field], SHOWN)


def test_promise_26_a_class_is_chosen_only_if_the_form_shows_classes():
    """The picker's fields are recognized by their names."""
    for field in form.OF_PICKER:
        with pytest.raises(Refusal):
            form.require_known([field], SHOWN)
    form.require_known(form.OF_PICKER, {*SHOWN, *form.OF_PICKER})


@pytest.mark.parametrize(
    "scenario",
    [
        "coded.yaml",
        "./scenarios/coded.yaml",
        "/etc/passwd",
        "scenarios/start/echo.yaml",
        "echo.yaml",
    ],
)
def test_promise_26_no_path_of_a_scenario_is_taken(scenario):
    """A file can say what is read and where it is sent, so a path is for the command line."""
    with pytest.raises(Refusal, match=r"there is no scenario .* in the list: .* \./scenarios"):
        form.asked({**PRESSED, "scenario": scenario}, STARTED, seconds)


@pytest.mark.parametrize("scenario", ["echo", "twilio-tasks", "twilio_tasks", "dir/given.yaml"])
def test_promise_26_a_scenario_goes_by_its_name(scenario):
    """The scenario that Locust was started with is allowed, too, wherever it is."""
    assert form.asked({**PRESSED, "scenario": scenario}, STARTED, seconds).scenario == scenario


@pytest.mark.parametrize(
    "target",
    [
        *("mcp=stdio:touch", "mcp=python:a:b", "mcp=system:echo/mcp", "mcp=sse:http://a/sse"),
        *("mcp=file:///etc/passwd", "mcp=HTTP://a", "mcp=a", "mcp=", "rest=http://a mcp=stdio:x"),
    ],
)
def test_promise_26_a_target_that_is_typed_is_an_address(target):
    """A target that runs code or starts a system is for the command line."""
    with pytest.raises(Refusal, match="is not an address"):
        form.asked({**PRESSED, "target": target}, STARTED, seconds)


def test_promise_26_the_host_of_other_users_is_an_address_too():
    """It is for users of another locustfile."""
    form.asked({**PRESSED, "host": "http://127.0.0.1:9"}, STARTED, seconds)
    with pytest.raises(Refusal, match="is not an address"):
        form.asked({**PRESSED, "host": "file:///etc"}, STARTED, seconds)


def test_what_stands_on_the_command_line_may_stand_in_the_form():
    """The page shows it in the form; other targets have to be addresses."""
    text = "mcp=stdio:server, rest=https://a/b"
    assert form.asked({**PRESSED, "target": text}, STARTED, seconds).targets == (
        "mcp=stdio:server", "rest=https://a/b",
    )  # fmt: skip


def test_an_arm_without_a_target_is_left_to_who_knows_the_arms():
    """Whoever reads the scenario says whether the arm exists, and what to write."""
    assert form.asked({**PRESSED, "target": "mcp"}, STARTED, seconds).targets == ("mcp",)


def test_an_empty_form_asks_for_what_locust_was_started_with():
    """The form never decides where runs are compared and stored."""
    asked = form.asked({}, STARTED, seconds)
    assert (asked.scenario, asked.targets) == ("dir/given.yaml", ())
    assert (asked.users, asked.spawn_rate, asked.run_time_s) == (None, None, None)
    assert (asked.baseline, asked.store) == ("base.json", "sqlite:x")


def test_a_run_has_the_options_that_locust_was_started_with():
    """Each run gets a new folder; another scenario does not get what belongs to the first one."""
    started = RunOptions(
        scenario="echo", arms=("mcp",), settings=("load.rounds=4",), tags=("quick",),
        protocol="2025-11-25", log_calls="calls.jsonl", workers=True, out="results",
    )  # fmt: skip
    same = form.asked({"user_count": "7"}, started, seconds)
    assert same == replace(started, users=7, out="")
    other = form.asked({"scenario": "twilio-tasks"}, started, seconds)
    assert (other.arms, other.settings, other.tags) == ((), (), ())
    assert (other.protocol, other.log_calls, other.workers) == ("2025-11-25", "calls.jsonl", True)
    assert form.named("echo", started).settings == ("load.rounds=4",)


def test_numbers_are_read_from_the_form():
    """Text that is not a number is refused in words."""
    load = {"user_count": "7", "spawn_rate": "2.5", "run_time": "60"}
    asked = form.asked({**PRESSED, **load}, STARTED, seconds)
    assert (asked.users, asked.spawn_rate, asked.run_time_s) == (7, 2.5, 60)
    for field, text, said in (
        ("user_count", "1.5", "the number of users is '1.5'; write a whole number above 0"),
        ("spawn_rate", "x", "the spawn rate is 'x'; write a number above 0"),
        ("run_time", "soon", "no time"),
    ):
        with pytest.raises(ValueError, match=said):
            form.asked({**PRESSED, field: text}, STARTED, seconds)


def test_a_change_of_users_is_told_from_a_start():
    """The form for a change has no host."""
    assert form.is_edit(["user_count", "spawn_rate", "scenario", "target"])
    assert not form.is_edit(PRESSED)


def test_the_host_points_the_only_arm():
    """It does not if a target points the arm, or if there are several arms."""
    one, two = RunOptions(scenario="your-server"), RunOptions(scenario="echo")
    host = {"host": "http://127.0.0.1:9/mcp"}
    assert form.aimed(one, host).targets == ("mcp=http://127.0.0.1:9/mcp",)
    pointed = RunOptions(scenario="your-server", targets=("mcp=http://127.0.0.1:8/mcp",))
    assert form.aimed(pointed, host) == pointed
    assert form.aimed(two, host) == two
    assert form.aimed(one, {"host": ""}) == one


def test_targets_of_the_command_line_belong_to_its_scenario():
    """Another scenario is shown as in its file, and goes by its name."""
    started = RunOptions(scenario="echo", targets=("mcp=http://127.0.0.1:9/mcp",))
    assert form.named("echo", started).targets == started.targets
    assert form.named("", started).scenario == "echo"
    assert form.named("twilio-tasks", started).targets == ()
    with pytest.raises(Refusal, match="there is no scenario"):
        form.named("./scenarios/start/echo.yaml", started)
