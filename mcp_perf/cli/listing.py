"""`mcp-perf list`, `systems`, `locustfile`: what ships with the suite."""

import click

from mcp_perf.cli.refused import say


@click.command("list")
def list_scenarios() -> None:
    """List the scenarios that can be run by name, in folders by question."""
    from mcp_perf.scenario.catalog import own, shipped  # noqa: PLC0415
    from mcp_perf.scenario.loader import load  # noqa: PLC0415
    from mcp_perf.scenario.problems.problem import ScenarioError  # noqa: PLC0415

    folder = None
    for path in dict.fromkeys([*shipped(), *own()]):
        if path.parent != folder:
            folder = path.parent
            say(f"{folder.name}/")
        try:
            scenario = load(path).scenario
            say(f"  {scenario.name:<20} {scenario.title}")
        except ScenarioError as error:
            say(f"  {path.stem:<20} (invalid: mcp-perf validate {path}; {error})")


@click.command()
def systems() -> None:
    """List the systems that ship with the suite: targets such as system:echo/mcp."""
    from mcp_perf.load.targets.bundled import available  # noqa: PLC0415

    for system in available():
        faces = ", ".join(f"system:{system.name}/{face}" for face in system.faces)
        click.echo(f"{system.name:<10} {system.summary}\n{'':<10} {faces}")


@click.command(hidden=True)
def locustfile() -> None:
    """Print the path of the locustfile, for Locust's -f.

    \b
    Example:
      locust -f "$(mcp-perf locustfile)" --scenario echo --headless
    """
    from mcp_perf import folders  # noqa: PLC0415

    click.echo(folders.shipped("locustfiles") / "scenario.py")
