"""Every help text, on a screen of 80 columns."""

import os
import re
import subprocess
import sys

import click
import pytest

from tests.support import ROOT

COMMANDS = (
    *("", "run", "web", "check", "init", "validate", "list", "systems", "systems start"),
    *(
        "report",
        "doctor",
        "compare",
        "baseline",
        "baseline save",
        "baseline show",
        "trend",
        "dashboard",
        "agent",
        "agent import",
        "agent instructions",
        "agent record",
        "agent run",
        "agent run-all",
        "agent serve",
        "agent summary",
        "schema",
    ),
)
SYSTEMS = ("business_tools", "dual_runtime", "echo", "ladder", "twilio", "upstream")


def file_of(*words: str) -> str:
    """Return the file of a command's help."""
    return "-".join(filter(None, words)).replace(" ", "-") + ".txt"


def ask(*argv: str) -> str:
    """Return the help of a Python program."""
    ended = subprocess.run(
        [sys.executable, "-m", *argv, "--help"],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "80", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return ended.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_has_the_same_help(command, cli, golden):
    """What `mcp-perf COMMAND --help` says changes only on purpose."""
    asked = cli(*command.split(), "--help")
    assert asked.exit_code == 0
    golden(f"helps/{file_of('mcp-perf', command)}", asked.output)


@pytest.mark.parametrize("name", ["list", "systems"])
def test_what_ships_is_listed_the_same(name, runs, cli, golden):
    """The scenarios and systems keep their names and descriptions."""
    asked = cli(name)
    assert asked.exit_code == 0, (runs, asked.output)
    golden(f"lists/{name}.txt", asked.output)


def test_the_options_of_locust_are_the_same(locust_help, golden):
    """What our locustfile adds to Locust's options changes only on purpose."""
    golden("helps/locust.txt", locust_help)


@pytest.mark.process
def test_the_options_of_pytest_are_the_same(golden):
    """So do the options that our plugin adds to pytest."""
    group = re.search(r"^mcp-perf:\n(?: .*\n)+", ask("pytest"), re.MULTILINE)
    golden("helps/pytest.txt", group[0])


@pytest.mark.process
@pytest.mark.parametrize("name", SYSTEMS)
def test_a_system_has_the_same_help(name, systems_package, golden):
    """The switches of the systems that ship with the suite change only on purpose."""
    module = f"{systems_package}.{name}"
    usage, empty, rest = ask(module).partition("\n\n")  # its line breaks vary with the name
    usage = " ".join(usage.replace(module, "SYSTEM").split())
    golden(f"helps/{file_of('system', name)}", usage + empty + rest)


def test_the_helps_are_all_there(main, names):
    """No command is left out, and every stored file is tested."""
    assert set(COMMANDS) == {"", *_commands(main)}
    commands = {file_of("mcp-perf", command) for command in COMMANDS}
    systems = {file_of("system", name) for name in SYSTEMS}
    assert names("helps") == commands | systems | {"locust.txt", "pytest.txt"}


def _commands(group: click.Group, before: str = "") -> set[str]:
    """Return the names of a group's visible commands, and of all commands below them."""
    found = set()
    for name, command in group.commands.items():
        if command.hidden:
            continue
        found.add(before + name)
        if isinstance(command, click.Group):
            found |= _commands(command, f"{before}{name} ")
    return found
