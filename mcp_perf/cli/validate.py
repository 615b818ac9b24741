"""`mcp-perf validate` and `schema`: check scenarios without sending anything."""

from collections.abc import Sequence

import click

from mcp_perf.cli.answer import answer, in_json
from mcp_perf.cli.refused import Refused, scenario_names


@click.command()
@click.argument(
    "files", nargs=-1, required=True, metavar="SCENARIO...", shell_complete=scenario_names
)
def validate(files: Sequence[str]) -> None:
    """Check scenarios, and say what they would do; nothing is sent.

    \b
    Examples:
      mcp-perf validate my.yaml
      mcp-perf validate scenarios/start/*.yaml
    """
    from mcp_perf.load.plan.drain import shortened  # noqa: PLC0415
    from mcp_perf.scenario.catalog import find  # noqa: PLC0415
    from mcp_perf.scenario.effects import told  # noqa: PLC0415
    from mcp_perf.scenario.loader import load  # noqa: PLC0415
    from mcp_perf.scenario.problems.problem import ScenarioError  # noqa: PLC0415

    problems: list[object] = []
    found: list[dict[str, object]] = []
    lines: list[str] = []
    for name in files:
        try:
            loaded = load(find(name))
        except ScenarioError as error:
            problems += error.problems
        else:
            scenario = loaded.scenario
            targets = {arm: part.address for arm, part in scenario.arms.items()}
            does = told(scenario, targets, loaded.env)
            warnings = list(shortened(scenario))
            about = {"file": name, "name": scenario.name, "gates": len(scenario.gates)}
            parts = {"arms": list(scenario.arms), "journeys": list(scenario.journeys)}
            found.append(about | parts | {"does": does, "warnings": warnings})
            lines.append(
                f"{name}: ok ({scenario.name}; arms: {', '.join(scenario.arms)}; "
                f"journeys: {len(scenario.journeys)}; gates: {len(scenario.gates)})"
            )
            lines += [f"{name}: {said}" for said in does]
            lines += [f"{name}: warning: {warning}" for warning in warnings]
    if not (problems and in_json()):
        answer(found, *lines)
    if problems:
        raise Refused(*map(str, problems))


@click.command()
@click.option("--report", is_flag=True, help="Print the schema of report.json instead.")
def schema(*, report: bool) -> None:
    """Print the JSON Schema of scenario files.

    An editor uses it to complete and check a file, if the first line of the file names it. Only
    `mcp-perf validate` checks whether the parts of a file agree.

    \b
    Examples:
      mcp-perf schema > mcp-perf.schema.json
      mcp-perf schema --report
    """
    from mcp_perf.results.document.document import report_schema  # noqa: PLC0415 -- pydantic
    from mcp_perf.scenario.schema import as_text, scenario_schema  # noqa: PLC0415

    found = report_schema() if report else scenario_schema()
    answer(found, as_text(found))
