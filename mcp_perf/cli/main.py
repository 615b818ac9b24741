"""The command `mcp-perf`: the same engine as `locust -f locustfiles`, with progress.

Nothing heavy is imported before it is needed: only a run loads Locust, which patches the process.
"""

from pathlib import Path

import click

from mcp_perf import folders
from mcp_perf.cli.agent import agent
from mcp_perf.cli.answer import Program
from mcp_perf.cli.check import check
from mcp_perf.cli.dashboard import dashboard
from mcp_perf.cli.doctor import doctor
from mcp_perf.cli.init import init
from mcp_perf.cli.listing import list_scenarios, locustfile, systems
from mcp_perf.cli.read.baseline import baseline
from mcp_perf.cli.read.compare import compare
from mcp_perf.cli.read.report import report
from mcp_perf.cli.read.runs import FOLDER
from mcp_perf.cli.read.trend import trend
from mcp_perf.cli.run import run, web
from mcp_perf.cli.validate import schema, validate

# A mistyped option is a mistake like any other: nothing was sent.
click.UsageError.exit_code = 104


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="mcp-perf")
@click.option(
    "--env-file", type=FOLDER, metavar="FILE", help="Read MCP_PERF_… variables from this file."
)
def main(env_file: Path | None) -> None:
    """Load and performance tests for MCP servers.

    \b
    Examples:
      mcp-perf run http://127.0.0.1:8000/mcp    how many users does a server take?
      mcp-perf check http://127.0.0.1:8000/mcp  how does it speak, what does it offer?
      mcp-perf run                          the default scenario, about a minute
      mcp-perf run echo -u 50 -t 30s        50 users, 30 s measured
      mcp-perf run my.yaml --target mcp=http://127.0.0.1:8000/mcp
      mcp-perf web                          the live page: start runs and watch them
      mcp-perf validate my.yaml             check a scenario, send nothing
      mcp-perf report RUN                   write the reports of a run again
      mcp-perf doctor                       can this machine measure?
      mcp-perf compare OLD NEW              what got worse from run to run
    """
    folders.keep_private()
    if env_file is not None:
        from mcp_perf.settings import name_env_file  # noqa: PLC0415 -- it loads pydantic

        name_env_file(env_file)


for command in (
    *(run, web, check, init, validate, list_scenarios, systems, report, doctor),
    *(compare, baseline, trend, dashboard, agent, schema, locustfile),
):
    main.add_command(command)
