"""`mcp-perf init`: a scenario is made from a server; and how any command is pointed at one."""

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from click.core import ParameterSource

from mcp_perf.cli.refused import Refused, Unreached

if TYPE_CHECKING:
    from mcp_perf.load.survey.given import Given
    from mcp_perf.load.survey.survey import Survey

_COMMAND: Final = "mcp_perf.command"
_TIME: Final = "rounds: 6, round: 5s, warmup: 3s"
_USERS: Final = 5
_MARGIN: Final = 3
"""Times what calls took with one user, for each of the users: a proposal has to hold."""
_LEAST_MS: Final = 50


class TargetCommand(click.Command):
    """A command that takes another one behind `--`: how a stdio server is started."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put what stands behind `--` aside."""
        if "--" in args:
            at = args.index("--")
            ctx.meta[_COMMAND] = args[at + 1 :]
            args = args[:at]
        return super().parse_args(ctx, args)


def target_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say how a target is reached."""
    for name, metavar, text in (
        ("--bearer-env", "NAME", "A variable with a bearer token."),
        ("--header", "'NAME: VALUE'", "A header for the target."),
        ("--from", "FILE", "Take a server of an MCP client's configuration."),
    ):
        command = click.option(name, metavar=metavar, help=text, multiple=name == "--header")(
            command
        )
    return command


def tool_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say which tools are called."""
    tool = click.option("--tool", multiple=True, metavar="NAME", help="Call only this tool.")
    arguments = click.option("--args", metavar="JSON", help="The arguments of the tool.")
    return tool(arguments(command))


def given_of(name: str, options: dict[str, Any]) -> "Given | None":
    """Return what the command was pointed at; None if that is no target. Raises Refused."""
    from mcp_perf.load.survey import given  # noqa: PLC0415
    from mcp_perf.scenario.problems.wording import InputError  # noqa: PLC0415

    context = click.get_current_context()
    command = context.meta.get(_COMMAND)
    file, headers, bearer = (options.pop(key) for key in ("from", "header", "bearer_env"))
    try:
        if command is not None:
            found = given.of_command(command)
        elif file:
            is_default = context.get_parameter_source("scenario") is ParameterSource.DEFAULT
            found = given.of_file(Path(file), "" if is_default else name, os.environ, _ask)
        elif given.LINE.match(name):
            found = given.of_line(name)
        else:
            return None
    except InputError as error:
        raise Refused(f"{error.message} - {error.hint}") from None
    pairs = [header.partition(":") for header in headers]
    if not all(colon for _, colon, _ in pairs):
        raise Refused("--header: write 'NAME: VALUE'")
    texts = {name.strip(): value.strip() for name, _, value in pairs}
    if bearer:
        texts["Authorization"] = f"Bearer ${{env:{bearer}}}"
    if texts and found.line.startswith(("stdio:", "python:")):
        raise Refused("--header and --bearer-env are for what is reached by HTTP")
    return found.with_headers(texts)


def target_of(name: str, options: dict[str, Any]) -> "Given":
    """Return what the command was pointed at. Raises Refused if that is no target."""
    found = given_of(name, options)
    if found is None:
        raise Refused(f"{name or 'nothing'}: write a URL, or -- COMMAND for a stdio server")
    return found


def _ask(what: str) -> str:
    from mcp_perf.scenario.problems.wording import InputError  # noqa: PLC0415

    if not sys.stdin.isatty():
        raise InputError(f"{what} is asked for", "run it on a terminal, or write ${env:NAME}")
    return str(click.prompt(what, hide_input=True, err=True))


def _confirm(names: Sequence[str]) -> bool:
    """Ask a person whether tools may be called that are not known to be harmless."""
    if not sys.stdin.isatty():
        return False
    question = f"Not known to be harmless: {', '.join(names)}. May they be called?"
    return click.confirm(question, default=False, err=True)


def _say(*lines: str) -> None:
    from mcp_perf.load.hub.redaction import clean  # noqa: PLC0415

    for line in lines:
        click.echo(clean(line), err=True)


@contextmanager
def told() -> Iterator[None]:
    """Show a refusal as ours, with its exit code."""
    from mcp_perf.load.targets.refusal import Refusal  # noqa: PLC0415

    try:
        yield
    except Refusal as refusal:
        kind = Refused if refusal.exit_code == Refused.exit_code else Unreached
        raise kind(*refusal.lines) from None


def surveyed(given: "Given", tools: Sequence[str], arguments: str | None) -> "Survey":
    """Try the tools of a target. Raises Refused."""
    from mcp_perf.load.survey.survey import survey  # noqa: PLC0415

    own = None if arguments is None else _read_arguments(arguments, tools)
    with told(), tempfile.TemporaryDirectory(prefix="mcp-perf-") as folder:
        return survey(given, Path(folder), dict.fromkeys(tools, own), _confirm)


def _read_arguments(text: str, tools: Sequence[str]) -> dict[str, Any]:
    from mcp_perf.load.survey.arguments import SEQ  # noqa: PLC0415

    if len(tools) != 1:
        raise Refused("--args is for one tool: name it by --tool")
    try:
        read = json.loads(text.replace("${seq}", SEQ))
    except ValueError:
        read = None
    if not isinstance(read, dict):
        raise Refused('--args: write an object, such as {"name": "value"}')
    return read


@contextmanager
def made(name: str, options: dict[str, Any]) -> Iterator[str]:
    """Give the file of a scenario: of one that is made if `name` is a target. Raises Refused."""
    from mcp_perf.load.survey.writing import scenario  # noqa: PLC0415

    given = given_of(name, options)
    asked = {key: options.pop(key) for key in ("tool", "args", "rate", "requests", "gate")}
    if given is None:
        if key := next((key for key, value in asked.items() if value), ""):
            raise Refused(f"--{key} is for a target without a file; write it into the file")
        yield name
        return
    if given.line == name and not given.line.startswith(("stdio:", "python:")):
        options["target"] += (f"mcp={name}",)  # what is typed needs no word of its owners
    found = surveyed(given, asked["tool"], asked["args"])
    given = found.given
    _say(*found.remarks())
    os.environ.update(given.variables)
    with tempfile.TemporaryDirectory(prefix="mcp-perf-") as folder:
        path = Path(folder) / f"{given.name}.yaml"
        steady = bool(options["users"] or asked["gate"])
        load = _load(given, asked["rate"], asked["requests"], steady=steady)
        gates = [json.dumps(gate) for gate in asked["gate"]]
        path.write_text(scenario(given, found.calls, load, base=path.parent, gates=gates), "utf-8")
        try:
            yield str(path)
        finally:
            _say(f"This scenario as a file: mcp-perf init -o my.yaml {given.typed}")


def _load(given: "Given", rate: float | None, requests: int | None, *, steady: bool) -> str:
    if rate is not None:
        time = f"rounds: 1, round: {requests / rate:.6f}s, warmup: 0s" if requests else _TIME
        return f"{{rate: {rate:g}/s, {time}}}"
    if requests is not None:
        return f"{{users: 10, journeys: {requests}, rounds: 1, round: 10m, warmup: 0s}}"
    if steady:
        return f"{{users: 10, {_TIME}}}"
    from mcp_perf.load.prepare.permission import MOST_USERS  # noqa: PLC0415 -- it loads Locust

    return f"{{shape: doubling, users: {MOST_USERS if given.is_public else 256}}}"


@click.command(cls=TargetCommand)
@click.argument("target", default="", metavar="[URL | -- COMMAND...]")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, metavar="FILE")
@target_options
@tool_options
def init(target: str, output: Path, tool: Sequence[str], args: str | None, **how: Any) -> None:
    """Write a scenario for a server: its tools, with arguments that were tried.

    \b
    Its gates are proposals, from what calls took one at a time. Tools that may
    destroy something are never called; --tool names others that may be.

    \b
    Examples:
      mcp-perf init http://127.0.0.1:8000/mcp -o my.yaml
      mcp-perf init -o my.yaml -- npx -y @modelcontextprotocol/server-everything
      mcp-perf init --from .vscode/mcp.json my-server -o my.yaml
    """
    from mcp_perf.load.survey.writing import scenario  # noqa: PLC0415

    given = target_of(target, how)
    if any(value and value in given.line for value in given.variables.values()):
        raise Refused("the target's line holds what was asked for; hand it over by env or headers")
    if output.exists():
        raise Refused(f"{output} exists already; name another file")
    found = surveyed(given, tool, args)
    given = found.given
    about: dict[str, Any] = {
        "base": output.parent,
        "gates": _proposed(found),
        "remarks": found.remarks(),
    }
    try:
        text = scenario(given, found.calls, f"{{users: {_USERS}, {_TIME}}}", **about)
        output.write_text(text, "utf-8")
    except OSError as error:
        raise Refused(f"{output}: cannot be written ({error.strerror})") from None
    missing = sorted(given.variables.keys() - os.environ.keys())
    exports = [f"Before a run: export {name}=…" for name in missing]
    _say(f"{output}: {len(found.calls)} tools ({', '.join(found.calls)})")
    _say(*found.remarks(), *exports)


def _proposed(found: "Survey") -> list[str]:
    """Propose gates that hold for the load of the file if calls only wait for each other."""
    calm = sorted(time for times in found.times_ms.values() for time in times)
    if not calm:
        return ["mcp.error_rate < 1%"]
    p95 = calm[int(0.95 * (len(calm) - 1))]
    wanted = max(_LEAST_MS, p95 * _MARGIN * _USERS)
    digits = 10 ** (len(str(int(wanted))) - 1)
    bound = -(-int(wanted) // digits) * digits
    return [
        "mcp.error_rate < 1% # a proposal",
        f"mcp.p95 < {bound}ms # a proposal: 95 % of the calls took {p95:.1f} ms, one at a time",
    ]
