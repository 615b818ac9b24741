"""How a command is pointed at a server: by a URL, a command, or a client's file."""

import json
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from click.core import ParameterSource

from mcp_perf.cli.answer import say
from mcp_perf.cli.refused import Refused, told

if TYPE_CHECKING:
    from mcp_perf.load.survey.given import Given
    from mcp_perf.load.survey.survey import Survey

COMMAND: Final = "mcp_perf.command"


class TargetCommand(click.Command):
    """A command that takes another one after `--`: the one that starts a stdio server."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Set aside what comes after `--`."""
        if "--" in args:
            at = args.index("--")
            ctx.meta[COMMAND] = args[at + 1 :]
            args = args[:at]
        return super().parse_args(ctx, args)


def target_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say how a target is reached."""
    for name, metavar, text in (
        ("--bearer-env", "NAME", "Environment variable that holds a bearer token."),
        ("--header", "'NAME: VALUE'", "Header for the target. May be repeated."),
        ("--from", "FILE", "Configuration of an MCP client, or a recording."),
    ):
        option = click.option(name, metavar=metavar, help=text, multiple=name == "--header")
        command = option(command)
    return command


def tool_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say which tools are called."""
    only = "Call only this tool. May be repeated."
    tool = click.option("--tool", multiple=True, metavar="NAME", help=only)
    arguments = click.option("--args", metavar="JSON", help="Arguments of the tool, an object.")
    return tool(arguments(command))


def given_of(name: str, options: dict[str, Any]) -> "Given | None":
    """Return what the command was pointed at; None if it is not a target. Raises Refused."""
    from mcp_perf.load.survey import given  # noqa: PLC0415

    context = click.get_current_context()
    command = context.meta.get(COMMAND)
    file, headers, bearer = (options.pop(key) for key in ("from", "header", "bearer_env"))
    with told():
        if command is not None:
            found = given.of_command(command)
        elif file:
            is_default = context.get_parameter_source("scenario") is ParameterSource.DEFAULT
            found = given.of_file(Path(file), "" if is_default else name, os.environ, _ask)
        elif given.LINE.match(name):
            found = given.of_line(name)
        else:
            return None
    pairs = [header.partition(":") for header in headers]
    if not all(colon for _, colon, _ in pairs):
        raise Refused("--header: write 'NAME: VALUE'")
    texts = {name.strip(): value.strip() for name, _, value in pairs}
    if bearer:
        texts["Authorization"] = f"Bearer ${{env:{bearer}}}"
    if texts and found.line.startswith(("stdio:", "python:")):
        raise Refused("--header and --bearer-env can only be used for a server reached over HTTP")
    return found.with_headers(texts)


def target_of(name: str, options: dict[str, Any]) -> "Given":
    """Return what the command was pointed at. Raises Refused if it is not a target."""
    found = given_of(name, options)
    if found is None:
        raise Refused(f"{name or 'nothing'}: write a URL, or -- COMMAND for a stdio server")
    return found


def _ask(what: str) -> str:
    from mcp_perf.scenario.problems.wording import InputError  # noqa: PLC0415

    if not sys.stdin.isatty():
        hint = "run the command on a terminal, or write ${env:NAME}"
        raise InputError(f"{what} must be entered", hint)
    return str(click.prompt(what, hide_input=True, err=True))


def _confirm(names: Sequence[str]) -> bool:
    """Ask a person whether to call tools that are not known to be harmless."""
    if not sys.stdin.isatty():
        return False
    question = f"These tools are not known to be harmless: {', '.join(names)}. Call them?"
    return click.confirm(question, default=False, err=True)


def tell(*lines: str) -> None:
    """Say on stderr what may hold secrets or words of a server."""
    from mcp_perf.load.hub.redaction import clean  # noqa: PLC0415

    for line in lines:
        say(clean(line), err=True)


def surveyed(given: "Given", tools: Sequence[str], arguments: str | None) -> "Survey":
    """Try the tools of a target. Raises Refused."""
    from mcp_perf.load.survey.survey import survey  # noqa: PLC0415

    own = None if arguments is None else _read_arguments(arguments, tools)
    with told(), tempfile.TemporaryDirectory(prefix="mcp-perf-") as folder:
        return survey(given, Path(folder), dict.fromkeys(tools, own), _confirm)


def _read_arguments(text: str, tools: Sequence[str]) -> dict[str, Any]:
    from mcp_perf.load.survey.arguments import SEQ  # noqa: PLC0415

    if len(tools) != 1:
        raise Refused("--args needs exactly one tool: name it with --tool")
    try:
        read = json.loads(text.replace("${seq}", SEQ))
    except ValueError:
        read = None
    if not isinstance(read, dict):
        raise Refused('--args: write an object, such as {"name": "value"}')
    return read
