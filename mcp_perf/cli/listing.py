"""`mcp-perf list`, `systems`, `locustfile`: what ships with the suite."""

import tempfile
import time
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from mcp_perf.cli.answer import Commands, answer
from mcp_perf.cli.refused import Fault, Refused


def _system_names(_context: object, _param: object, begun: str) -> list[CompletionItem]:
    from mcp_perf.load.targets.bundled import available  # noqa: PLC0415

    return [CompletionItem(one.name) for one in available() if one.name.startswith(begun)]


@click.command("list")
def list_scenarios() -> None:
    """List the scenarios that can be run by name, in folders by question."""
    from mcp_perf.scenario.catalog import own, shipped  # noqa: PLC0415
    from mcp_perf.scenario.loader import load  # noqa: PLC0415
    from mcp_perf.scenario.problems.problem import ScenarioError  # noqa: PLC0415

    folder, lines, found = None, list[str](), list[dict[str, str]]()
    for path in dict.fromkeys([*shipped(), *own()]):
        if path.parent != folder:
            folder = path.parent
            lines.append(f"{folder.name}/")
        try:
            scenario = load(path).scenario
            named = {"name": scenario.name, "title": scenario.title}
            lines.append(f"  {scenario.name:<20} {scenario.title}")
        except ScenarioError as error:
            named = {"name": path.stem, "invalid": str(error)}
            lines.append(f"  {path.stem:<20} (invalid: mcp-perf validate {path}; {error})")
        found.append({**named, "file": str(path)})
    answer(found, *lines)


@click.group(cls=Commands, invoke_without_command=True)
@click.pass_context
def systems(context: click.Context) -> None:
    """List the systems that ship with the suite: targets such as system:echo/mcp.

    \b
    Examples:
      mcp-perf systems                      list them
      mcp-perf systems start echo           start one by hand
    """
    from mcp_perf.load.targets.bundled import available  # noqa: PLC0415

    if context.invoked_subcommand is not None:
        return
    found, lines = list[dict[str, object]](), list[str]()
    for one in available():
        targets = [f"system:{one.name}/{face}" for face in one.faces]
        found.append({"name": one.name, "summary": one.summary, "targets": targets})
        lines.append(f"{one.name:<14} {one.summary}\n{'':<14} {', '.join(targets)}")
    answer(found, *lines)


@systems.command()
@click.argument("name", shell_complete=_system_names)
@click.option(
    "--set",
    "flags",
    multiple=True,
    metavar="FLAG=VALUE",
    help="Change how NAME behaves; docs/reference/systems.md lists its flags. May be repeated.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    help="The port on which the system serves. Default: any free one.",
)
def start(name: str, flags: tuple[str, ...], port: int) -> None:
    """Start a system, show its addresses, and run it until Ctrl-C.

    \b
    Example:
      mcp-perf systems start business_tools --set cache=off --port 8000
    """
    from mcp_perf.load.targets.bundled import (  # noqa: PLC0415
        SystemFailed,
        Systems,
        UnknownSystem,
        faces_of,
    )

    query = f"?{'&'.join(flags)}" if flags else ""
    with tempfile.TemporaryDirectory(prefix="mcp-perf-") as logs, Systems(Path(logs), port) as ran:
        try:
            found = {
                face: ran.face(f"{name}/{face}{query}").url.removeprefix("stdio:")
                for face in faces_of(name)
            }
            lines = (f"{name}/{face:<6} {address}" for face, address in found.items())
            answer(found, *lines, "Ctrl-C stops it.")
            while not (dead := ran.dead()):
                time.sleep(0.2)
        except UnknownSystem as error:
            raise Refused(str(error)) from error
        except SystemFailed as error:
            of_argparse = str(error).rpartition(": error: ")[2]
            raise Refused(f"{name}: {of_argparse.strip()}") from error
        except KeyboardInterrupt:
            return
        raise Fault(f"The process {', '.join(dead)} has ended")


@click.command(hidden=True)
def locustfile() -> None:
    """Print the path of the locustfile, for Locust's -f.

    \b
    Example:
      locust -f "$(mcp-perf locustfile)" --scenario echo --headless
    """
    from mcp_perf import folders  # noqa: PLC0415

    path = str(folders.shipped("locustfiles") / "scenario.py")
    answer({"file": path}, path)
