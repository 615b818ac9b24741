"""`mcp-perf run`, `web`: run and judge a scenario, at once or from Locust's page."""

import json
import os
import re
import subprocess
import sys
from typing import Any, Final

import click

from mcp_perf.cli.answer import answer, in_json, is_quiet, no_json, say
from mcp_perf.cli.init import made
from mcp_perf.cli.refused import FORMATS, Refused, again, formats_option, scenario_names, told
from mcp_perf.cli.target import TargetCommand, target_options, tool_options
from mcp_perf.scenario.values.units import TOLERANCE

_RUN_TIME: Final = re.compile(r"(\d+h)?(\d+m)?(\d+s?)?")
"""The form that Locust takes, too."""
ABOVE_0: Final = click.FloatRange(min=0, min_open=True)
_TARGET: Final = "Point an arm at another server. May be repeated."
_SET: Final = "Change a value of the scenario. May be repeated."
_ALLOW: Final = "Confirm that this public host's owners agree to the load."
_TIME: Final = "At most this much measured time: 30s, 5m."
_GIVEN: Final = "with a URL or COMMAND."
_EXITS: Final = """\b
Exit codes: 0 PASS, 90 INCONCLUSIVE, 91 INVALID, 92 worker lost, 99 FAIL,
104 scenario invalid (nothing was sent), 105 stopped by a signal (partial
report), 107 a fault in mcp-perf, 108 target not reached."""


def _scenario() -> str:
    from mcp_perf.settings import current  # noqa: PLC0415 -- it loads pydantic

    return current().scenario


@click.command(epilog=_EXITS, cls=TargetCommand)
@click.argument(
    "scenario",
    default=_scenario,
    metavar="[SCENARIO | URL | -- COMMAND...]",
    shell_complete=scenario_names,
)
@click.option("--target", multiple=True, metavar="ARM=URL", help=_TARGET)
@click.option("--arm", multiple=True, metavar="ARM", help="Run only this arm. May be repeated.")
@click.option("--set", multiple=True, metavar="PATH=VALUE", help=_SET)
@click.option("--allow", multiple=True, metavar="HOST", help=_ALLOW)
@click.option("--users", "-u", type=click.IntRange(min=1), help="Number of virtual users.")
@click.option("--spawn-rate", "-r", type=ABOVE_0, help="Users started per second.")
@click.option("--run-time", "--duration", "-t", metavar="TIME", help=_TIME)
@click.option("--processes", type=click.IntRange(min=1), help="Processes of the load generator.")
@click.option("--out", metavar="DIR", help="Folder for the results of this run.")
@click.option(
    "--baseline", metavar="PATH", help="Fail if slower than this file of `mcp-perf baseline save`."
)
@click.option(
    "--tolerance",
    metavar="SHARE",
    help=f"How much worse than the baseline it may be; default {TOLERANCE}.",
)
@click.option(
    "--protocol", metavar="VERSION", help="Version of MCP for all MCP arms: 2025-11-25, auto, …"
)
@click.option(
    "--log-calls", metavar="FILE", help="Write every request and answer to FILE, as JSONL."
)
@click.option("--store", metavar="URL", help="Database that remembers runs, for `trend`.")
@formats_option(FORMATS)
@target_options
@tool_options
@click.option("--rate", type=ABOVE_0, help=f"Calls per second, {_GIVEN}")
@click.option("--requests", type=click.IntRange(min=1), help=f"Number of calls, {_GIVEN}")
@click.option("--gate", multiple=True, metavar="GATE", help=f"Such as 'mcp.p95 < 200ms', {_GIVEN}")
@click.option(
    "--repeat", type=click.IntRange(min=1), default=1, help="Number of runs, one after the other."
)
@click.option("--dry-run", is_flag=True, help="Do each journey once; show requests and answers.")
@click.option("--ci", is_flag=True, help="Plain text, and a summary and annotations for a CI job.")
def run(scenario: str, formats: tuple[str, ...], *, repeat: int, ci: bool, **options: Any) -> None:
    """Run SCENARIO (a name or a YAML file) and judge it, or see how many users a server takes.

    \b
    With a URL or COMMAND, the tools of this server that are known to be harmless
    are called: 5 s by one user, then by 1, 2, 4 … users, at most 60 s in all. With
    --users, --rate, --requests or --gate the load stays the same.

    \b
    Examples:
      mcp-perf run http://127.0.0.1:8000/mcp
      mcp-perf run --tool search -- npx -y my-server
      mcp-perf run --from .vscode/mcp.json my-server
      mcp-perf run
      mcp-perf run echo --set load.users=50 --set load.rounds=10
      mcp-perf run twilio-tasks --arm mcp --out results
      mcp-perf run your-server --target mcp=http://127.0.0.1:8000/mcp
      mcp-perf run my.yaml --dry-run              each call once, without load
      mcp-perf run my.yaml --ci --out results     as a step of a CI job
    """
    if ci:
        no_json()
    run_time = options["run_time"]
    if run_time is not None and not (run_time and _RUN_TIME.fullmatch(run_time)):
        raise Refused(f"--run-time: {run_time!r} is not a duration; write 30s, 5m or 1h30m")
    if repeat > 1:
        sys.exit(_repeated(repeat, options["out"]))
    from mcp_perf.cli.output import ci as ci_job  # noqa: PLC0415 -- these load Locust
    from mcp_perf.cli.output.screen import run_on_screen  # noqa: PLC0415

    with made(scenario, options) as path:
        if options.pop("dry_run"):
            sys.exit(_dry(path, options))
        arguments = ["--scenario", path, *_as_written(options)]
        if not ci:
            sys.exit(run_on_screen(arguments, formats))
        with ci_job.job(os.environ) as job:
            code = run_on_screen(arguments, formats, job)
            job.conclude(code)
        sys.exit(code)


def _dry(path: str, options: dict[str, Any]) -> int:
    """Show each call of a scenario once; return the exit code."""
    from mcp_perf.load.engine.dry_run import dry_run  # noqa: PLC0415 -- these load Locust
    from mcp_perf.load.prepare import permission, prepare  # noqa: PLC0415
    from mcp_perf.numbers import said  # noqa: PLC0415

    calls: list[dict[str, Any]] = []

    def show(call: dict[str, Any]) -> None:
        calls.append(call)
        where = ", ".join(filter(None, (call["arm"], call["journey"])))
        say(f"{where}: {call['step']}: {call['class']}, {said(call['ms'], 'ms')}")
        for what in filter(call.get, ("request", "answer", "detail")):
            say(f"  {what}: {call[what]}")

    three = (options[key] for key in ("target", "arm", "set"))
    kept = {key: options[key] for key in ("protocol", "allow") if options[key]}
    user = permission.User(permission.at_terminal, lambda line: say(line, err=True))
    with told():
        all_ok = dry_run(prepare.RunOptions(path, *three, **kept), user, show)
    answer(calls)
    return 0 if all_ok else 99


@click.command(context_settings={"ignore_unknown_options": True}, options_metavar="[SCENARIO]")
@click.argument(
    "options", nargs=-1, type=click.UNPROCESSED, metavar="[OPTIONS]", shell_complete=scenario_names
)
def web(options: tuple[str, ...]) -> None:
    """Serve the live page and Locust's, to start SCENARIO there and to watch it.

    OPTIONS are all of Locust's, and --target, --arm, --set, --out and others of
    `mcp-perf run`.

    \b
    Examples:
      mcp-perf web
      mcp-perf web my.yaml --target mcp=http://127.0.0.1:8000/mcp
      mcp-perf web echo --users 50 --web-port 8090
    """
    from mcp_perf.load import headless  # noqa: PLC0415 -- loads Locust

    named = ["--scenario"] if options and not options[0].startswith("-") else []
    pages: list[str] = []

    def opened(address: str) -> None:
        pages.append(address)
        answer({"address": address})

    code = headless.serve([*named, *options, *(["-L", "ERROR"] if is_quiet() else ())], opened)
    if code and not pages:
        answer({"exit_code": code, "refused": ["The messages on stderr say why."]})
    sys.exit(code)


def _repeated(times: int, out: str | None) -> int:
    """Run the same command several times, each in a new process; return the gravest code."""
    argv = sys.argv[1:]
    at = argv.index("--") if "--" in argv else len(argv)
    stdout = subprocess.PIPE if in_json() else None
    ended = []
    for number in range(1, times + 1):
        more = ["--repeat", "1", *(["--out", f"{out}-{number}"] if out else [])]
        ended.append(again([*argv[:at], *more, *argv[at:]], stdout))
        if ended[-1][0] >= Refused.exit_code:  # refused or stopped, as the next one would be
            break
    answer([json.loads(said) for _, said in ended if said])
    return max(code for code, _ in ended)


def _as_written(options: dict[str, Any]) -> list[str]:
    return [
        word
        for name, value in options.items()
        for single in (value if isinstance(value, tuple) else (value,))
        if single is not None
        for word in (f"--{name.replace('_', '-')}", str(single))
    ]
