"""The command `mcp-perf`: the same engine as `locust -f locustfiles`, with progress.

Nothing heavy is imported before it is needed: only `run` loads Locust, which patches the process.
"""

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NoReturn

import click

from mcp_perf.cli import compare

# A mistyped option is a mistake like any other: nothing was sent.
click.UsageError.exit_code = 104
FORMATS: Final = ("html", "json", "md", "csv", "junit")
_RUN_TIME: Final = re.compile(r"(\d+h)?(\d+m)?(\d+s?)?")
"""What Locust takes, too."""
_EXITS: Final = """\b
Exit codes: 0 PASS, 90 INCONCLUSIVE, 91 INVALID, 92 worker lost, 99 FAIL,
104 scenario invalid (nothing was sent), 105 stopped by a signal (partial
report), 107 a fault of mcp-perf, 108 target not reached."""


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="mcp-perf")
def main() -> None:
    """Load and performance tests for MCP servers.

    \b
    Examples:
      mcp-perf run                          the default scenario, about a minute
      mcp-perf run echo -u 50 -t 30s        50 users, 30 s measured
      mcp-perf run my.yaml --target mcp=http://127.0.0.1:8000/mcp
      mcp-perf validate my.yaml             check a scenario, send nothing
      mcp-perf report reports/out/RUN       write the reports of a run again
      mcp-perf doctor                       can this machine measure?
      mcp-perf compare OLD NEW              what got worse from run to run
    """


@main.command(epilog=_EXITS)
@click.argument("scenario", default="twilio-tasks")
@click.option("--target", multiple=True, metavar="ARM=URL", help="Point an arm at a server.")
@click.option("--arm", multiple=True, metavar="ARM", help="Run only this arm.")
@click.option("--set", "settings", multiple=True, metavar="PATH=VALUE", help="Change the scenario.")
@click.option("--users", "-u", type=click.IntRange(min=1), help="Virtual users at work.")
@click.option("--spawn-rate", "-r", type=float, help="Users started per second.")
@click.option("--run-time", "-t", metavar="TIME", help="Bound on the measured time: 30s, 5m.")
@click.option("--processes", type=click.IntRange(min=1), help="Generator processes.")
@click.option("--out", metavar="DIR", help="The run's folder.")
@click.option("--baseline", metavar="PATH", help="Fail when slower than this baseline.")
@click.option("--tolerance", metavar="SHARE", help="By how much worse it may be: 5% (default).")
@click.option("--store", metavar="URL", help="Where runs are remembered, for `trend`.")
@click.option(
    "--format", "formats", default=",".join(FORMATS), show_default=True, help="Reports to write."
)
@click.option("--ci", is_flag=True, help="Plain text; the job gets summary and annotations.")
def run(
    *,
    scenario: str,
    target: Sequence[str],
    arm: Sequence[str],
    settings: Sequence[str],
    users: int | None,
    spawn_rate: float | None,
    run_time: str | None,
    processes: int | None,
    out: str | None,
    baseline: str | None,
    tolerance: str | None,
    store: str | None,
    formats: str,
    ci: bool,
) -> None:
    """Run SCENARIO (a name or a YAML file) and judge it.

    \b
    Examples:
      mcp-perf run
      mcp-perf run echo --set load.users=50 --set load.rounds=10
      mcp-perf run twilio-tasks --arm mcp --out results
      mcp-perf run your-server --target mcp=http://127.0.0.1:8000/mcp
      mcp-perf run my.yaml --ci --out results     as a step of a CI job
    """
    chosen = _formats(formats)
    if run_time is not None and not (run_time and _RUN_TIME.fullmatch(run_time)):
        _refuse([f"--run-time: {run_time!r} is not a time; write 30s, 5m or 1h30m"])
    arguments = ["--scenario", scenario]
    for name, values in (("--target", target), ("--arm", arm), ("--set", settings)):
        for value in values:
            arguments += [name, value]
    for name, single in (
        ("--users", users),
        ("--spawn-rate", spawn_rate),
        ("--run-time", run_time),
        ("--processes", processes),
        ("--out", out),
        ("--baseline", baseline),
        ("--tolerance", tolerance),
        ("--store", store),
    ):
        if single is not None:
            arguments += [name, str(single)]
    from mcp_perf.cli import ci as ci_job  # noqa: PLC0415 -- loads Locust
    from mcp_perf.load import headless  # noqa: PLC0415 -- loads Locust

    if not ci:
        sys.exit(headless.run(arguments, chosen))
    with ci_job.job(os.environ) as job:
        code = headless.run(arguments, chosen, job)
        job.conclude(code)
    sys.exit(code)


@main.command()
@click.argument("files", nargs=-1, required=True, metavar="SCENARIO...")
def validate(files: Sequence[str]) -> None:
    """Check scenarios: all problems at once, and nothing is sent.

    \b
    Examples:
      mcp-perf validate my.yaml
      mcp-perf validate scenarios/*.yaml
    """
    from mcp_perf.scenario.loader import ScenarioError, find, load  # noqa: PLC0415

    problems: list[str] = []
    for name in files:
        try:
            scenario = load(find(name)).scenario
        except ScenarioError as error:
            problems += map(str, error.problems)
        else:
            click.echo(
                f"{name}: ok ({scenario.name}; arms: {', '.join(scenario.arms)}; "
                f"journeys: {len(scenario.journeys)}; gates: {len(scenario.gates)})"
            )
    if problems:
        _refuse(problems)


@main.command("list")
def list_scenarios() -> None:
    """List the scenarios that can be run by name."""
    from mcp_perf.scenario.loader import ScenarioError, load, shipped  # noqa: PLC0415

    own = sorted(Path("scenarios").absolute().glob("*.yaml"))
    for path in dict.fromkeys([*shipped(), *own]):
        try:
            scenario = load(path).scenario
            click.echo(f"{scenario.name:<20} {scenario.title}")
        except ScenarioError as error:
            click.echo(f"{path.stem:<20} (invalid: mcp-perf validate {path}; {error})")


@main.command()
def systems() -> None:
    """List the systems that ship with the suite: targets such as system:echo/mcp."""
    from mcp_targets.launcher.systems import available  # noqa: PLC0415

    for system in available():
        faces = ", ".join(f"system:{system.name}/{face}" for face in system.faces)
        click.echo(f"{system.name:<10} {system.summary}\n{'':<10} {faces}")


@main.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="RUN")
@click.option(
    "--format", "formats", default=",".join(FORMATS), show_default=True, help="Reports to write."
)
def report(folder: Path, formats: str) -> None:
    """Write the reports of a run again, from its journal alone.

    \b
    Example:
      mcp-perf report reports/out/twilio-tasks-20261121T101500Z
    """
    from mcp_perf.results.journal.journal import JournalError  # noqa: PLC0415
    from mcp_perf.results.render.files.write import write_all  # noqa: PLC0415
    from mcp_perf.results.report.build import load_report  # noqa: PLC0415

    chosen = _formats(formats)
    try:
        document, samples = load_report(folder)
    except JournalError as error:
        _refuse([f"{folder}: {error}"])
    for path in write_all(document, samples, folder, chosen):
        click.echo(path)


@main.command()
def doctor() -> None:
    """Examine this machine: can it measure, and how finely? Takes about two minutes.

    \b
    The bundled echo system is put under load, whose delays are known: what comes
    out must be what went in. Ends with 0 if all is fine, else with 91.

    \b
    Example:
      mcp-perf doctor
    """
    from rich.console import Console  # noqa: PLC0415

    from mcp_perf.cli.doctor import DoctorFailed, examine  # noqa: PLC0415
    from mcp_perf.cli.findings import show  # noqa: PLC0415

    try:
        found = examine(lambda what: click.echo(f"looking at {what} ...", err=True))
    except DoctorFailed as error:
        click.echo(str(error), err=True)
        sys.exit(107)
    show(found, Console())
    sys.exit(0 if all(finding.fine for finding in found) else 91)


for command in (compare.compare, compare.baseline, compare.trend):
    main.add_command(command)


def _formats(text: str) -> tuple[str, ...]:
    """Read `html,json`; an unknown format is refused."""
    chosen = tuple(part.strip() for part in text.split(",") if part.strip())
    unknown = [part for part in chosen if part not in FORMATS]
    if unknown or not chosen:
        what = ", ".join(unknown) or "nothing"
        _refuse([f"--format: no format {what}; choose from {', '.join(FORMATS)}"])
    return chosen


def _refuse(lines: Sequence[str]) -> NoReturn:
    """Say what is wrong and leave with 104: nothing was sent."""
    for line in lines:
        click.echo(line, err=True)
    sys.exit(104)
