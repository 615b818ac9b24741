"""`mcp-perf check`: what a server says of itself, and what matters of it under load."""

import json
import tempfile
from pathlib import Path
from typing import Any

import click

from mcp_perf.cli.target import TargetCommand, target_of, target_options, told


@click.command(cls=TargetCommand)
@click.argument("target", default="", metavar="[URL | -- COMMAND...]")
@target_options
@click.option("--tools", is_flag=True, help="Also list the tools with their arguments.")
@click.option("--json", "as_json", is_flag=True, help="Write all of it as JSON.")
def check(target: str, *, tools: bool, as_json: bool, **how: Any) -> None:
    """Look at a server without load: how it speaks, what it offers, what is odd.

    \b
    Examples:
      mcp-perf check http://127.0.0.1:8000/mcp --tools
      mcp-perf check --json -- npx -y my-server
    """
    from mcp_perf.load.hub.redaction import clean, redactor  # noqa: PLC0415
    from mcp_perf.load.survey.facts import facts  # noqa: PLC0415

    with told(), tempfile.TemporaryDirectory(prefix="mcp-perf-") as folder:
        found = facts(target_of(target, how), Path(folder))
    if as_json:
        click.echo(json.dumps(redactor.everywhere(found), indent=2))
        return
    listed = found.pop("listed")
    for key, value in found.items():
        for name, one in value.items() if isinstance(value, dict) else [("", value)]:
            shown = ", ".join(one) if isinstance(one, list) else "-" if one is None else one
            label = f"{name}, {key}" if name else key.replace("_", " ")
            click.echo(f"{label:<28} {clean(str(shown))}")
    for name, tool in listed.items() if tools else ():
        click.echo(clean(f"  {name} ({tool['use']}): {', '.join(tool['arguments']) or '-'}"))
