"""The parts of the reference pages that MkDocs fills in from the code at each build.

A line `<!-- from the code: NAME -->` of a page becomes the text that the function of that name in
`PARTS` returns.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import click
from mkdocs.structure.pages import Page

from mcp_perf.cli.main import main
from mcp_perf.results.document.document import Report
from mcp_perf.results.document.part import DocumentPart
from mcp_perf.results.judge import order
from mcp_perf.results.render.words import wording
from mcp_perf.scenario import schema
from mcp_perf.scenario.model import gates

Schema = dict[str, Any]
DOCS: Final = Path(__file__).parents[1]


def row(*cells: str) -> str:
    """Return a row of a table: one line, in which bars are escaped."""
    return "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |"


def table(*head: str) -> list[str]:
    """Begin a table."""
    return ["", row(*head), "|" + "---|" * len(head)]


def kind(value: Schema) -> str:
    """Say which values a JSON Schema allows, in a few words."""
    if "$ref" in value:
        name = value["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if several := value.get("anyOf", value.get("oneOf")):
        return " or ".join(dict.fromkeys(map(kind, several)))
    if options := value.get("enum", [value["const"]] if "const" in value else []):
        return ", ".join(f"`{option}`" for option in options)
    if value.get("type") == "array":
        return f"list of {kind(value.get('items', {}))}"
    if isinstance(inner := value.get("additionalProperties"), dict):
        return f"by name: {kind(inner)}"
    return str(value.get("type", "any value"))


def fields(name: str, part: Schema) -> Iterator[str]:
    """Describe one object of a JSON Schema: a heading, its description, a row for each key."""
    yield from ("", f"## {name}", "", part.get("description", ""))
    keys = part.get("properties", {})
    yield from table("key", "value", "meaning") if keys else ("", kind(part))
    for key, value in keys.items():
        name = f"`{key}`, required" if key in part.get("required", ()) else f"`{key}`"
        yield row(name, kind(value), value.get("description", "").replace("](#", "](scenarios.md#"))


def objects(first: str, whole: Schema) -> Iterator[str]:
    """Describe a JSON Schema, the whole document first."""
    for name, part in ((first, whole), *sorted(whole["$defs"].items())):
        yield from fields(name, part)


def report() -> Iterator[str]:
    """Return every field of report.json."""
    found = Report.model_json_schema(mode="serialization")
    for model in DocumentPart.__subclasses__():
        part = found if model is Report else found["$defs"].get(model.__name__, {})
        part.pop("required", None)  # every key is always there
        said = schema.docstrings(model)
        for name, value in part.get("properties", {}).items():
            value.setdefault("description", said.get(name, ""))
    return objects("Report", found)


def metrics() -> Iterator[str]:
    """Return every metric that a gate may bound."""
    yield from table("metric", "meaning", "units", "also of")
    for name, metric in gates.METRICS.items():
        units = " ".join(f"`{unit}`" for unit in gates.NOTATIONS[metric.kind].scales if unit)
        yield row(f"`{name}`", wording.metric(name), units, ", ".join(metric.parts))


def notation() -> Iterator[str]:
    """Return how gates are written."""
    yield (gates.__doc__ or "").split("\n", 1)[1]
    yield from table("kind of metric", "units", "example")
    for name, units_of in gates.NOTATIONS.items():
        one = next(metric for metric, found in gates.METRICS.items() if found.kind == name)
        units = " ".join(f"`{unit}`" for unit in units_of.scales if unit) or "none"
        yield row(name, units, f"`mcp.{one} < {units_of.example}`")


def reasons() -> Iterator[str]:
    """Return the codes of all reasons, the gravest first."""
    page = (DOCS / "explanation" / "measurement.md").read_text("utf-8")
    when = dict(re.findall(r"^\| \d \| .*?`(\w+)` \| (.*) \|$", page, re.MULTILINE))
    yield from table("code", "verdict", "exit code", "when")
    for code, rank in order.RANKS.items():
        said = when[code].replace("](#", "](../explanation/measurement.md#")
        yield row(f"`{code}`", *map(str, order.VERDICTS[rank]), said)


def exit_codes() -> Iterator[str]:
    """Return the exit codes, with the reasons that lead to them."""
    page = (DOCS.parent / "README.md").read_text("utf-8")
    yield from table("exit code", "verdict", "meaning", "reasons")
    for code, verdict, said in re.findall(r"^\| (\d+) \| (.*?) \| (.*) \|$", page, re.MULTILINE):
        ranks = [rank for rank, (_, number) in order.VERDICTS.items() if number == int(code)]
        names = [f"`{name}`" for name, rank in order.RANKS.items() if rank in ranks]
        yield row(code, verdict, said, " ".join(names))


def commands(command: click.Command = main, path: str = "mcp-perf") -> Iterator[str]:
    """Return the help of a command and of all below it."""
    context = click.Context(command, info_name=path, terminal_width=90, max_content_width=90)
    yield from ("", f"## {path}", "", "```text", command.get_help(context), "```")
    for name, inner in getattr(command, "commands", {}).items():
        yield from commands(inner, f"{path} {name}")


PARTS: Final[dict[str, Callable[[], Iterator[str]]]] = {
    "keys": lambda: objects("Scenario", schema.scenario_schema()),
    "notation": notation,
    "metrics": metrics,
    "commands": commands,
    "exit codes": exit_codes,
    "reasons": reasons,
    "report": report,
}


def on_page_markdown(markdown: str, *, page: Page, **_: object) -> str:
    """Fill in a page's parts from the code, and write links to files outside docs/ as paths."""
    here = (DOCS / page.file.src_uri).parent

    def outside(found: re.Match[str]) -> str:
        path = (here / found[2]).resolve()
        if path.is_relative_to(DOCS):
            return found[0]
        shown = f"`{path.relative_to(DOCS.parent)}`"
        return shown if found[1].strip("`") in shown else f"{found[1]} ({shown})"

    markdown = re.sub(r"\[([^\[\]]*)\]\(([^)\s:#]+)[^)\s:]*\)", outside, markdown)
    pattern = r"<!-- from the code: (.*?) -->.*"
    return re.sub(pattern, lambda found: "\n".join(PARTS[found[1]]()), markdown)
