"""`mcp-perf agent`: AI agents at the same tasks with MCP and without it, recorded and compared."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcp_perf.cli.answer import Commands, answer, in_json, is_quiet, say
from mcp_perf.cli.dashboard import serve_pages
from mcp_perf.cli.read.runs import FOLDER, history, store_option, writing
from mcp_perf.cli.refused import PAGES, Refused, formats_option, told
from mcp_perf.cli.target import COMMAND, TargetCommand
from mcp_perf.numbers import counted, said

if TYPE_CHECKING:
    from mcp_perf.agent.store import AgentStore
    from mcp_perf.agent.tasks import Mode

_INSTEAD = "Use this server, not the bundled system. May be repeated."
_SET = "Change a value of the scenario. May be repeated."
_RECORDING = "The recording. Default: a name with the time."
_KEEP = "Also record arguments and results; init --from needs them."
_WEB_PORT = "The port to listen on; 0 is any free one."
_TASK = "The task's number, or all of them."
_MODE = "How the task is done: directly (control) or with MCP tools (mcp)."
_PORT = "The local port that the agent connects to. Default: any free one."
_SESSION_API = "Also send the calls to `mcp-perf agent serve` at this address."
_target = click.option("--target", multiple=True, metavar="ARM=URL", help=_INSTEAD)
_set = click.option("--set", "settings", multiple=True, metavar="PATH=VALUE", help=_SET)


@click.group(cls=Commands)
def agent() -> None:
    """Record and compare AI agents that do the same tasks with MCP and without it.

    \b
    Examples:
      mcp-perf agent import metrics/
      mcp-perf agent summary
      mcp-perf agent serve
    """


@contextmanager
def _opened(url: str) -> "Iterator[AgentStore]":
    """Open the store. Raises Refused, also for what is done with it."""
    from mcp_perf.agent.store import AgentStore  # noqa: PLC0415

    with history(url) as store:
        yield AgentStore(store)


@agent.command("import")
@click.argument("folder", type=FOLDER, metavar="DIR")
@store_option
def import_(folder: Path, store: str) -> None:
    """Import the records in DIR; they replace earlier imports from DIR.

    \b
    Each task record and each row of a summary counts once. Everything that
    cannot be read, or has to be changed, is listed.

    \b
    Example:
      mcp-perf agent import metrics/
    """
    from mcp_perf.agent.folder import read_folder  # noqa: PLC0415

    try:
        found = read_folder(folder)
    except OSError as error:
        raise Refused(f"{folder}: {error.strerror}") from None
    for line in found.remarks:
        say(line)
    for line in found.unread:
        say(f"Not read: {line}", err=True)
    if not found.records:
        raise Refused(
            f"{folder} does not contain a task record, a JSON file of an agent that did a task; "
            "mcp-perf agent run writes one"
        )
    with _opened(store) as kept:
        kept.replace(str(folder.resolve()), found.records)
    left = f", {len(found.unread)} not read" if found.unread else ""
    document = {"records": len(found.records), "remarks": found.remarks, "unread": found.unread}
    answer(document, f"{folder}: {counted(len(found.records), 'record')}{left}")


@agent.command()
@click.option("--out", type=FOLDER, help="Also write the leaderboard and the records to a folder.")
@formats_option(PAGES)
@store_option
def summary(out: Path | None, formats: Sequence[str], store: str) -> None:
    """Show the leaderboard: control against mcp, overall, by task and by model.

    \b
    --out writes leaderboard.html, .md and .json, rows.csv, summary.json, and
    tasks/ with a record for each run.

    \b
    Example:
      mcp-perf agent summary --out leaderboard
    """
    from mcp_perf.agent.rendering import show, write  # noqa: PLC0415
    from mcp_perf.agent.store import board_of  # noqa: PLC0415

    with _opened(store) as kept:
        board, records = board_of(kept)
    if not records:
        none = "There are no records. Add some with mcp-perf agent import or agent run."
        raise Refused(none, *board.remarks)
    answer(board, draw=lambda console: show(board, console))
    if out is not None:
        with writing(f"--out {out}", "folder"):
            write(board, records, out, formats)
        say(f"Leaderboard: {out / f'leaderboard.{formats[0]}'}")


@agent.command()
@click.option("--mode", type=click.Choice(["control", "mcp"]), required=True, help=_MODE)
@click.option("--task", type=click.Choice(["1", "2", "3", "all"]), required=True, help=_TASK)
@_target
@_set
@store_option
def run(mode: "Mode", task: str, store: str, **where: Sequence[str]) -> None:
    """Do a task with scripted calls instead of an agent, and record a session.

    \b
    Example:
      mcp-perf agent run --mode mcp --task 1
    """
    from mcp_perf.agent.tasks import TASKS  # noqa: PLC0415

    wanted = TASKS if task == "all" else (int(task),)
    sys.exit(_replay([(mode, number) for number in wanted], store, **where))


@agent.command("run-all")
@click.option(
    "--repeat", type=click.IntRange(min=1), default=1, help="How many times to do all tasks."
)
@_target
@_set
@store_option
def run_all(repeat: int, store: str, **where: Sequence[str]) -> None:
    """Do all tasks in both modes with scripted calls.

    \b
    Example:
      mcp-perf agent run-all --repeat 5
    """
    from mcp_perf.agent.tasks import MODES, TASKS  # noqa: PLC0415

    every = [(mode, number) for _ in range(repeat) for number in TASKS for mode in MODES]
    sys.exit(_replay(every, store, **where))


def _replay(
    runs: "Sequence[tuple[Mode, int]]", store: str, target: Sequence[str], settings: Sequence[str]
) -> int:
    """Return the exit code: 99 if a task was not done."""
    from mcp_perf.agent.records import as_record  # noqa: PLC0415
    from mcp_perf.agent.replay import replay  # noqa: PLC0415
    from mcp_perf.load.prepare.permission import User, at_terminal  # noqa: PLC0415

    user = User(at_terminal, lambda line: say(line, err=True))
    done = []
    with _opened(store) as kept, told():
        for mode, task in runs:
            mine = [one for one in target if one.startswith(f"{mode}=") or len(runs) == 1]
            one = replay(kept, task, mode, user, mine, settings).record
            done.append(one)
            how = "done" if one.success else "failed"
            took = f"{counted(one.api_calls, 'call')}, {said(one.duration, 'ms')}"
            say(f"{mode}, task {task}: {how}, {took}")
    answer([as_record(one) for one in done])
    return 0 if all(one.success for one in done) else 99


@agent.command()
@click.option(
    "--web-host", default="127.0.0.1", show_default=True, help="The address to listen on."
)
@click.option(
    "--web-port", default=8090, show_default=True, type=click.IntRange(0, 65535), help=_WEB_PORT
)
@click.option(
    "--web-login",
    is_flag=True,
    help="Visitors log in with the password that MCP_PERF_WEB_PASSWORD holds.",
)
@store_option
def serve(web_host: str, web_port: int, store: str, *, web_login: bool) -> None:
    """Serve the session API, and the leaderboard as a page.

    \b
    Programs send Authorization: Bearer KEY. The key is part of the address that
    is printed, or MCP_PERF_AGENT_KEY. /docs on this server lists all requests.

    \b
    Example:
      mcp-perf agent serve --web-port 8090
    """
    try:
        from mcp_perf.agent.serving import locked  # noqa: PLC0415
    except ImportError as error:
        raise Refused(f"{error}: pip install 'mcp-perf[dashboard]'") from None
    with _opened(store) as kept:
        serve_pages(locked, kept, web_host, web_port, login=web_login)


@agent.command()
@click.option("--task", type=click.IntRange(1, 3), required=True, help="The task's number.")
@click.option("--mode", type=click.Choice(["control", "mcp"]), required=True, help=_MODE)
def instructions(task: int, mode: str) -> None:
    """Print a task as an agent gets it, in Markdown.

    \b
    Example:
      mcp-perf agent instructions --task 1 --mode mcp
    """
    from mcp_perf.agent import tasks  # noqa: PLC0415

    text = tasks.instructions(task, mode)
    answer({"task": task, "mode": mode, "text": text}, *text.splitlines())


@agent.command(cls=TargetCommand)
@click.option(
    "--url",
    metavar="URL",
    help="The server over streamable HTTP or HTTP+SSE, such as http://127.0.0.1:8000/mcp.",
)
@click.option("-o", "--output", type=FOLDER, metavar="FILE", help=_RECORDING)
@click.option("--keep-arguments", is_flag=True, help=_KEEP)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help=_PORT)
@click.option("--session-api", metavar="URL", help=_SESSION_API)
@click.option(
    "--task", type=click.IntRange(1), default=1, help="The number of the task, with --session-api."
)
@click.option(
    "--model",
    metavar="NAME",
    help="The name of the agent's AI model, a label for the session of --session-api.",
)
def record(url: str | None, **how: Any) -> None:
    """Record the calls between an agent and its server.

    \b
    Every byte is passed on unchanged. The agent starts a stdio server through
    this command; over HTTP it connects to the address that is printed.

    \b
    Examples:
      mcp-perf agent record -o calls.jsonl -- npx -y my-server
      mcp-perf agent record --keep-arguments --url http://127.0.0.1:8000/mcp
    """
    from mcp_perf.agent.recording.command import record as start  # noqa: PLC0415

    command = click.get_current_context().meta.get(COMMAND)
    if bool(command) == bool(url):
        raise Refused("write --url URL, or -- COMMAND for a stdio server")
    if command and in_json():
        raise Refused("--json cannot be used with -- COMMAND, because stdout belongs to the server")
    given = {key: value for key, value in how.items() if value}
    with told():
        code, recorded = start(command, url, quiet=is_quiet(), **given)
    answer(recorded)
    sys.exit(code)
