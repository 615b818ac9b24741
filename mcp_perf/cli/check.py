"""`mcp-perf check`: what a server says about itself, and what matters under load."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from mcp_perf.cli.answer import answer
from mcp_perf.cli.refused import told
from mcp_perf.cli.target import TargetCommand, target_of, target_options


@click.command(cls=TargetCommand)
@click.argument("target", default="", metavar="[URL | -- COMMAND...]")
@target_options
@click.option("--tools", is_flag=True, help="Also list the tools with their arguments.")
def check(target: str, *, tools: bool, **how: Any) -> None:
    """Look at a server without load: its version of MCP, its tools, its oddities.

    \b
    Examples:
      mcp-perf check http://127.0.0.1:8000/mcp --tools
      mcp-perf check --json -- npx -y my-server
    """
    from mcp_perf.load.hub.redaction import clean, redactor  # noqa: PLC0415
    from mcp_perf.load.survey.facts import facts  # noqa: PLC0415

    with told(), tempfile.TemporaryDirectory(prefix="mcp-perf-") as folder:
        found = facts(target_of(target, how), Path(folder))
    answer(redactor.everywhere(found), *(clean(line) for line in _lines(found, tools=tools)))


def _lines(found: dict[str, Any], *, tools: bool) -> Iterator[str]:
    from mcp_perf.results.render.words.wording import plain  # noqa: PLC0415 -- it is for reports

    for key, value in found.items():
        parts = {} if key == "listed" else value if isinstance(value, dict) else {"": value}
        for name, one in parts.items():
            label = f"{name}, {key}" if name else key.replace("_", " ")
            yield f"{label:<28} {plain(one) or '-'}"
    for name, tool in found["listed"].items() if tools else ():
        yield f"{name} ({tool['use']}): {', '.join(tool['arguments']) or '-'}"
