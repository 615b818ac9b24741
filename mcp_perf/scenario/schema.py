"""The JSON Schema of scenario files, by which editors complete and check them as they are typed."""

from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, models_json_schema

from mcp_perf.scenario.model.fields import Part
from mcp_perf.scenario.model.kinds import KINDS
from mcp_perf.scenario.model.scenario import Scenario

_MODE: JsonSchemaMode = "validation"


class _Schema(GenerateJsonSchema):
    """Leaves out titles that repeat the keys, and defaults, which are not as a file has them."""

    def field_title_should_be_set(self, _schema: Any) -> bool:
        return False

    def default_schema(self, schema: Any) -> dict[str, Any]:
        return self.generate_inner(schema["schema"])

    def nullable_schema(self, schema: Any) -> dict[str, Any]:
        """Ask for a value: a key without one is left out of a file."""
        return self.generate_inner(schema["schema"])


def scenario_schema() -> dict[str, Any]:
    """Return the schema; what only the parts of a file can tell together, `validate` checks."""
    models: list[type[Part]] = [Scenario, *KINDS.values()]
    found, schema = models_json_schema(
        [(model, _MODE) for model in models], schema_generator=_Schema
    )
    definitions = schema["$defs"]
    definitions["Step"] = {"anyOf": [found[kind, _MODE] for kind in KINDS.values()]}
    return {
        "$schema": GenerateJsonSchema.schema_dialect,
        "$id": "mcp-perf/scenario/1",
        **definitions.pop("Scenario"),
        "$defs": definitions,
    }
