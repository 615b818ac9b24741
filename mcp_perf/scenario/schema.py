"""The JSON Schema of scenario files, with which editors complete and check them during typing."""

import ast
import inspect
import json
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, models_json_schema

from mcp_perf.scenario.model.fields import Part
from mcp_perf.scenario.model.kinds import KINDS
from mcp_perf.scenario.model.scenario import Scenario

FILE: Final = "mcp-perf.schema.json"
"""It is next to the scenarios: an editor finds it without a network, and it moves with them."""
FIRST_LINE: Final = f"# yaml-language-server: $schema={FILE}\n"
_ID: Final = "mcp-perf/scenario/1"
_MODE: JsonSchemaMode = "validation"


class _Schema(GenerateJsonSchema):
    """Leaves out titles that repeat the keys, and defaults, which differ from what a file says."""

    def field_title_should_be_set(self, _schema: Any) -> bool:
        return False

    def default_schema(self, schema: Any) -> dict[str, Any]:
        return self.generate_inner(schema["schema"])

    def nullable_schema(self, schema: Any) -> dict[str, Any]:
        """Ask for a value: a key without one is left out of a file."""
        return self.generate_inner(schema["schema"])


def meanings(part: type[Part]) -> dict[str, str]:
    """Return the keys of a part -> what they mean: their descriptions, or the docstrings below.

    With pydantic's `use_attribute_docstrings`, every start of a command would read the source of
    all models, which takes as long as importing Locust.
    """
    fields, written = part.model_fields, dict[str, str]()
    for base in reversed(part.__mro__):
        written |= docstrings(base) if issubclass(base, Part) else {}
    said = {key: fields[of].description or written.get(of) for key, of in part.by_key().items()}
    return {key: text for key, text in said.items() if text}


@cache
def docstrings(part: type[Part]) -> dict[str, str]:
    """Return the names of the fields -> what is written below them."""
    try:
        [written] = ast.parse(inspect.getsource(part)).body
    except OSError:
        return {}  # made without a source, as the kinds of steps are
    return {
        ast.unparse(field.target): inspect.cleandoc(ast.literal_eval(below.value))
        for field, below in pairwise(ast.iter_child_nodes(written))
        if isinstance(field, ast.AnnAssign) and isinstance(below, ast.Expr)
    }


def _parts(base: type[Part] = Part) -> Iterator[type[Part]]:
    for part in base.__subclasses__():
        yield part
        yield from _parts(part)


def scenario_schema() -> dict[str, Any]:
    """Return the schema; `validate` checks what depends on several parts of a file."""
    models: list[type[Part]] = [Scenario, *KINDS.values()]
    found, schema = models_json_schema([(one, _MODE) for one in models], schema_generator=_Schema)
    definitions = schema["$defs"]
    for part in _parts():
        keys = definitions.get(part.__name__, {}).get("properties", {})
        for key, text in meanings(part).items() if keys else ():
            keys[key].setdefault("description", text)
    for read in ("Gate", "Focus"):  # what the text of a gate is read into
        definitions.pop(read, None)
    definitions["Step"] = {"anyOf": [found[kind, _MODE] for kind in KINDS.values()]}
    return {
        "$schema": GenerateJsonSchema.schema_dialect,
        "$id": _ID,
        **definitions.pop("Scenario"),
        "$defs": definitions,
    }


def as_text(schema: dict[str, Any]) -> str:
    """Write a schema as `mcp-perf schema` prints it."""
    return json.dumps(schema, indent=2, ensure_ascii=False)


def keep(folder: Path) -> None:
    """Write the schema into a folder; a file that is not ours stays. Raises OSError."""
    path = folder / FILE
    if not path.exists() or f'"$id": "{_ID}"' in path.read_text("utf-8", "replace"):
        path.write_text(f"{as_text(scenario_schema())}\n", "utf-8")
