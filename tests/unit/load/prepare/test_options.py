"""What the user asks for on Locust's command line or in its form."""

import argparse

import pytest

from mcp_perf.load.prepare import options as locust_options
from mcp_perf.load.prepare.options import FormChoices, add, names, run_options, several


class Parser(argparse.ArgumentParser):
    """Accepts what Locust's parser accepts, and notes what its form would show."""

    def __init__(self):
        self.shown = {}
        super().__init__(add_help=False)

    def add_argument(self, *names, include_in_web_ui=None, **options):
        """Add an argument, as Locust does."""
        self.shown[names[0]] = include_in_web_ui
        return super().add_argument(*names, **options)


@pytest.fixture
def form(monkeypatch):
    """Turn on what only the form needs."""
    monkeypatch.setattr(FormChoices, "active", True)


def parsed(*arguments, **stock):
    """Parse our arguments; `stock` are Locust's own."""
    parser = Parser()
    add(parser)
    options = parser.parse_args(arguments)
    stock = {"num_users": None, "spawn_rate": None, "run_time": None, **stock}
    stock = {"tags": None, "exclude_tags": None, "master": False, **stock}
    vars(options).update(stock)
    return options


def test_without_options_the_default_scenario_runs():
    """`locust -f locustfiles` alone asks for a run, too."""
    asked = run_options(parsed())
    assert asked.scenario == "twilio-tasks"
    assert (asked.targets, asked.arms, asked.settings, asked.out) == ((), (), (), "")
    assert (asked.users, asked.spawn_rate, asked.run_time_s) == (None, None, None)
    assert (asked.tags, asked.excluded_tags) == ((), ())


def test_everything_asked_for_is_kept():
    """Our arguments may be repeated; Locust's own replace the file's load."""
    options = parsed(
        "--scenario=echo", "--target", "mcp=http://a/mcp", "--target", "rest=http://b",
        "--arm", "mcp", "--arm", "rest", "--set", "load.round=1s", "--set", "seed=2",
        "--out", "here", "--log-calls", "calls.jsonl", num_users=7, spawn_rate=3.0, run_time=60,
        tags=["fast"], exclude_tags=["rare"],
    )  # fmt: skip
    asked = run_options(options)
    assert asked.scenario == "echo"
    assert asked.targets == ("mcp=http://a/mcp", "rest=http://b")
    assert asked.arms == ("mcp", "rest")
    assert asked.settings == ("load.round=1s", "seed=2")
    assert (asked.out, asked.log_calls) == ("here", "calls.jsonl")
    assert (asked.tags, asked.excluded_tags) == (("fast",), ("rare",))
    assert (asked.users, asked.spawn_rate, asked.run_time_s) == (7, 3.0, 60)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, ()),
        ("", ()),
        ([], ()),
        (["a=b"], ("a=b",)),
        (["a=b", "", "c=d"], ("a=b", "c=d")),
        ("a=b", ("a=b",)),
        ("a=b, c=d", ("a=b", "c=d")),
        ("a=b c=d\n", ("a=b", "c=d")),
        (("a=b",), ("a=b",)),
    ],
)
def test_a_list_is_read_from_options_and_from_the_forms_text(value, expected):
    """The web form has one text for what the command line repeats."""
    assert several(value) == expected


def test_the_web_page_and_the_master_are_for_this_machine_only():
    """Locust would listen on every address. Ours listen on loopback unless an option says more."""
    parser = Parser()
    add(parser)
    assert parser.get_default("web_host") == "127.0.0.1"
    assert parser.get_default("master_bind_host") == "127.0.0.1"


def test_our_options_are_known_by_name():
    """A master keeps them for itself."""
    parser = Parser()
    add(parser)
    names = {name.removeprefix("--").replace("-", "_") for name in parser.shown}
    assert names == set(locust_options.OURS)


def test_the_form_shows_scenario_and_target_and_no_more():
    """Options that make no sense in a form are left to the command line."""
    parser = Parser()
    add(parser)
    assert [name for name, shown in parser.shown.items() if shown] == ["--scenario", "--target"]


@pytest.mark.usefixtures("form")
def test_the_form_lists_the_scenarios(monkeypatch, tmp_path):
    """It lists shipped scenarios and the ones in ./scenarios, by name, each once."""
    folder = tmp_path / "scenarios"
    folder.mkdir()
    (folder / "my_own.yaml").touch()
    (folder / "echo.yaml").touch()
    monkeypatch.chdir(tmp_path)
    parser = Parser()
    add(parser)
    (scenario,) = [a for a in parser._actions if a.dest == "scenario"]
    assert "my-own" in scenario.choices
    assert "twilio-tasks" in list(scenario.choices)
    assert list(scenario.choices).count("echo") == 1
    assert names() == sorted(names())


@pytest.mark.usefixtures("form")
def test_a_path_is_fine_although_the_form_lists_names():
    """The choices do not limit anything: Locust parses its command line again for each page."""
    assert parsed("--scenario", "some/where.yaml").scenario == "some/where.yaml"


def test_the_command_line_has_no_choices():
    """Any name or path there is looked up, and refused with our message."""
    parser = Parser()
    add(parser)
    (scenario,) = [a for a in parser._actions if a.dest == "scenario"]
    assert scenario.choices is None
    assert locust_options.LOOPBACK == "127.0.0.1"
