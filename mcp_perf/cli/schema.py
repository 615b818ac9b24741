"""`mcp-perf schema`: the JSON Schemas of what is written by hand, and of what runs leave."""

import json

import click


@click.command()
@click.option("--report", is_flag=True, help="The schema of report.json instead.")
def schema(*, report: bool) -> None:
    """Print the JSON Schema of scenario files.

    An editor completes and checks a file by it. What only the parts of a file can tell together,
    `mcp-perf validate` checks.

    \b
    Examples:
      mcp-perf schema > scenario.schema.json
      mcp-perf schema --report
    """
    if report:
        from mcp_perf.results.document.document import (  # noqa: PLC0415 -- these load pydantic
            report_schema,
        )

        found = report_schema()
    else:
        from mcp_perf.scenario.schema import scenario_schema  # noqa: PLC0415

        found = scenario_schema()
    click.echo(json.dumps(found, indent=2, ensure_ascii=False))
