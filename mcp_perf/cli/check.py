"""`mcp-perf check`: what a server says of itself, and what matters of it under load."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from mcp_perf.cli.init import TargetCommand, given_of, target_options, told
from mcp_perf.cli.refused import Refused


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
    from mcp_perf.load.hub.redaction import clean  # noqa: PLC0415
    from mcp_perf.load.survey.facts import facts  # noqa: PLC0415

    given = given_of(target, how)
    if given is None:
        raise Refused(f"{target or 'nothing'}: write a URL, or -- COMMAND for a stdio server")
    with told(), tempfile.TemporaryDirectory(prefix="mcp-perf-") as folder:
        found = facts(given, Path(folder))
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    for line in _lines(found):
        click.echo(clean(line))
    for tool in found["tools"] if tools else ():
        click.echo(
            clean(f"  {tool['name']} ({tool['use']}): {', '.join(tool['arguments']) or '-'}")
        )


def _lines(found: dict[str, Any]) -> Iterator[str]:
    server, listed = found["server"], found["tools_list"]
    yield f"server         {server['name'] or 'unnamed'} {server['version'] or ''}"
    yield f"target         {found['target']}, {found['transport']}"
    yield f"versions       {', '.join(found['versions'])}"
    yield f"authorization  {found['authorization']}"
    yield f"session        {found['session']}"
    if "answers" in found:
        keeps = "kept" if found["keep_alive"] else "closed after a call"
        yield f"connection     {keeps}, answers by {found['answers']}"
    for name, verb in (("stream", "GET stream"), ("delete", "DELETE")):
        if found[name]:
            yield f"{verb:<14} HTTP {found[name]}"
    yield (
        f"tools          {listed['tools']} on {listed['pages']} pages, {listed['bytes']} bytes, "
        f"about {listed['tokens']} tokens"
    )
    for method, taken in found["methods"].items():
        yield f"{method:<26} {taken if isinstance(taken, str) else f'{taken} ms'}"
    for fault in found["faults"]:
        yield f"odd: {fault}"
