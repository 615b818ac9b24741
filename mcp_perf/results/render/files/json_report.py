"""`report.json` and its published JSON Schema."""

from typing import Any

from mcp_perf.results.document.document import SCHEMA, Report


def render(report: Report) -> str:
    """Write the document as JSON, indented, with a last newline; NaN and infinity become null."""
    return report.model_dump_json(by_alias=True, indent=2) + "\n"


def schema() -> dict[str, Any]:
    """Describe `report.json` in JSON Schema, draft 2020-12.

    `schema` is required although our model has a default for it: a document without it could be
    any version.
    """
    described = Report.model_json_schema(by_alias=True)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA,
        **described,
        "title": "mcp-perf report",
        "required": ["schema", *described["required"]],
    }
