"""`mcp-perf agent`: AI agents at the same tasks with MCP and without it, recorded and compared."""

import sys
from importlib import import_module
from pathlib import Path

import click

from mcp_perf.cli.init import COMMAND, TargetCommand
from mcp_perf.cli.refused import FOLDER, Refused


@click.group()
def agent() -> None:
    """Record and compare AI agents that do the same tasks with MCP and without it.

    \b
    Examples:
      mcp-perf agent import metrics/
      mcp-perf agent summary --out leaderboard
      mcp-perf agent run --mode mcp --task 1
    """


@agent.command()
@click.option("--task", type=click.IntRange(1, 3), required=True, help="1, 2 or 3.")
@click.option("--mode", type=click.Choice(["control", "mcp"]), required=True)
def instructions(task: int, mode: str) -> None:
    """Print a task as an agent is given it, in Markdown.

    \b
    Example:
      mcp-perf agent instructions --task 1 --mode mcp
    """
    from mcp_perf.agent import tasks  # noqa: PLC0415

    click.echo(tasks.instructions(task, mode), nl=False)


@agent.command(cls=TargetCommand)
@click.option("--url", metavar="URL", help="The server, if it is reached by HTTP.")
@click.option("-o", "--output", type=FOLDER, default="recording.jsonl", show_default=True)
@click.option("--keep-arguments", is_flag=True, help="Keep arguments and results as they are.")
def record(url: str | None, output: Path, *, keep_arguments: bool) -> None:
    """Sit between an agent and an MCP server, and record each call.

    \b
    Examples:
      mcp-perf agent record -- npx -y my-server
      mcp-perf agent record --url http://127.0.0.1:8000/mcp
    """
    command = click.get_current_context().meta.get(COMMAND)
    if bool(command) == bool(url):
        raise Refused("Write the server's command behind --, or its address: --url URL")
    start = import_module("mcp_perf.agent.recording.command").record
    sys.exit(start(command, url, output, keep_arguments=keep_arguments))
