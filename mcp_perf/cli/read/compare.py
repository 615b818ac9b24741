"""`mcp-perf compare`: what got worse from one run to the next."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from mcp_perf import folders
from mcp_perf.cli.answer import answer, console, no_json, say
from mcp_perf.cli.read.runs import FOLDER, check, read_base, read_report, read_run, writing
from mcp_perf.cli.refused import PAGES, Refused, again, formats_option, told
from mcp_perf.scenario.values.units import TOLERANCE

if TYPE_CHECKING:
    from mcp_perf.cli.output.ci import Job
    from mcp_perf.results.compare.report import CompareReport

_NOTHING: Final = "Nothing was compared. The output of this step says why."
_PAIRS: Final = click.IntRange(min=3)
_EXITS: Final = """\b
Exit codes: 0 nothing is worse, 90 INCONCLUSIVE, 91 a run is INVALID,
99 something is worse, 104 the runs cannot be compared."""


@click.command(epilog=_EXITS)
@click.argument("named", nargs=-1, required=True, metavar="[BASE NEW... | SCENARIO]")
@click.option(
    "--base", "base", metavar="COMMAND|URL", help="The old release of a server: a command or a URL."
)
@click.option(
    "--head", "head", metavar="COMMAND|URL", help="The new release of a server: a command or a URL."
)
@click.option(
    "--repeat",
    type=_PAIRS,
    default=5,
    help="Pairs of runs, base and head, each with freshly started servers; default 5.",
)
@click.option("--arm", metavar="ARM", help="The arm of SCENARIO that the releases replace.")
@click.option(
    "--set", "settings", multiple=True, metavar="PATH=VALUE", help="Change a value of SCENARIO."
)
@click.option(
    "--tolerance",
    default=TOLERANCE,
    show_default=True,
    help="How much worse than BASE a metric may be.",
)
@click.option("--out", type=FOLDER, help="Also write compare.html, .md and .json to this folder.")
@formats_option(PAGES)
@click.option("--ci", is_flag=True, help="Plain text, and a summary and annotations for a CI job.")
def compare(named: Sequence[str], formats: tuple[str, ...], *, ci: bool, **how: Any) -> None:
    """Compare runs with an earlier one: BASE is a run's folder, or a baseline.

    With --base and --head: compare two releases of a server, which take turns at
    the work of SCENARIO's mcp arm, and print Markdown for a pull request.

    \b
    Examples:
      mcp-perf compare mcp-perf-out/RUN-1 mcp-perf-out/RUN-2
      mcp-perf compare baselines/echo.json mcp-perf-out/RUN --tolerance 10% --ci
      mcp-perf compare --base "node old.js" --head "node new.js" my.yaml
    """
    from mcp_perf.load.prepare.baseline import read_tolerance  # noqa: PLC0415

    def compared(page: "Job | None") -> int:
        with told():
            allowed = read_tolerance(how["tolerance"])
        output = _Output(how["out"], formats, page)
        if how["base"] or how["head"]:
            return _releases(named, how, allowed, output)
        if len(named) == 1:
            raise click.UsageError("Missing argument 'NEW...'.")
        base, *runs = map(Path, named)
        return _compare(base, runs, allowed, output)

    if not ci:
        sys.exit(compared(None))
    from mcp_perf.cli.output.ci import job  # noqa: PLC0415

    no_json()
    with job(os.environ) as page:
        try:
            code = compared(page)
        except Refused as refused:
            refused.show()
            page.refuse(refused.exit_code, refused.message.splitlines())
            code = refused.exit_code
    sys.exit(code)


class _Output(NamedTuple):
    """Where a comparison goes: files in a folder, the terminal, the page of a CI job."""

    folder: Path | None
    formats: tuple[str, ...]
    page: "Job | None"

    def write(self, report: "CompareReport", folder: Path) -> str:
        """Write the files to the folder; return where the first is, in words."""
        from mcp_perf.results.render.files.compare_report import RENDERINGS  # noqa: PLC0415
        from mcp_perf.results.render.files.write import write  # noqa: PLC0415

        with writing(f"--out {folder}:", "folder"):
            folder.mkdir(parents=True, exist_ok=True)
            for name in self.formats:
                write(folder / f"compare.{name}", [RENDERINGS[name](report)])
        return f"Report: {folder / f'compare.{self.formats[0]}'}"

    def show(self, report: "CompareReport") -> None:
        """Print the comparison."""
        from mcp_perf.results.render.console.terminal import comparison  # noqa: PLC0415

        style = self.page.style if self.page is not None else {}
        answer(report, draw=lambda _screen: comparison(report, console(**style)))
        self.tell(report)

    def tell(self, report: "CompareReport") -> None:
        """Put the comparison on the page of the CI job, if there is one."""
        if self.page is None:
            return
        from mcp_perf.results.render.console.annotations import of_comparison  # noqa: PLC0415
        from mcp_perf.results.render.files.compare_report import sections  # noqa: PLC0415

        self.page.tell(sections(report), of_comparison(report))


def _compare(base: Path, runs: Sequence[Path], tolerance: float, output: _Output) -> int:
    from mcp_perf.results.compare.report import compare_all  # noqa: PLC0415

    befores = read_base(base)
    news = [read_run(folder) for folder in runs]
    for folder, new in zip(runs, news, strict=True):
        check(base, befores, folder, new)
    report = compare_all(befores, news, tolerance)
    written = output.write(report, output.folder) if output.folder is not None else ""
    output.show(report)
    if written:
        say(written)
    return report.exit_code


def _releases(
    named: Sequence[str], how: Mapping[str, Any], tolerance: float, output: _Output
) -> int:
    """Let base and head take turns, pair by pair, and print what differs as Markdown."""
    from mcp_perf import settings  # noqa: PLC0415
    from mcp_perf.load.survey import releases  # noqa: PLC0415 -- it loads Locust
    from mcp_perf.results.compare.baseline import of_report  # noqa: PLC0415
    from mcp_perf.results.compare.report import compare_releases  # noqa: PLC0415
    from mcp_perf.results.render.files.compare_report import as_markdown  # noqa: PLC0415

    if not (how["base"] and how["head"]) or len(named) != 1:
        raise Refused("write --base COMMAND|URL, --head COMMAND|URL and one SCENARIO")
    pairs = how["repeat"]
    with told(), tempfile.TemporaryDirectory(prefix="mcp-perf-") as directory:
        made = releases.Releases(named[0], how["arm"], how["settings"], how["base"], how["head"])
        name = f"compare-{made.loaded.scenario.name}"
        folder = output.folder or folders.unused(settings.runs() / name)
        words = made.written(Path(directory), pairs)
        for number in range(1, pairs + 1):
            say(f"Pair {number} of {pairs}", err=True)
            outs = ("--out", str(folder / f"pair-{number}"), "--format", "json")
            code, _ = again(["run", *words, *outs], stdout=subprocess.DEVNULL)
            if code >= Refused.exit_code:  # it has said why
                if output.page is not None:
                    output.page.refuse(code, [_NOTHING])
                return code
    reports = [read_report(folder / f"pair-{number}")[0] for number in range(1, pairs + 1)]
    runs = [of_report(one) for one in reports]
    report = compare_releases(runs, made.lines, tolerance, made.remarks(reports))
    answer(report, *as_markdown(report).splitlines())
    output.tell(report)
    say(output.write(report, folder), err=True)
    return report.exit_code
