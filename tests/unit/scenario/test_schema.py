"""The JSON Schema of scenario files: what it accepts, and what an editor marks as wrong."""

import json

import jsonschema
import pytest
from click.testing import CliRunner

from mcp_perf.cli.main import main
from mcp_perf.results.document.document import report_schema
from mcp_perf.scenario.loader import shipped
from mcp_perf.scenario.schema import FIRST_LINE, as_text, keep, scenario_schema
from mcp_perf.scenario.source.yaml_reader import read
from tests.support import ROOT


@pytest.fixture(scope="module")
def validator():
    """Give a validator by the schema, itself checked."""
    schema = scenario_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("path", shipped(), ids=lambda path: path.stem)
def test_every_shipped_scenario_validates(path, validator):
    """An editor does not mark anything in a file that runs."""
    validator.validate(read(path.read_text("utf-8")).tree)


@pytest.mark.parametrize(
    "written",
    [
        "load: {round: 500ms, think: {min: 1s, max: 2s}}",
        "arms: {mcp: {mcp: {stdio: [npx, server]}, resources: {pid: 1}}}",
        "journeys: {j: {mcp: [{call: a, expect: {class: ok}}, {parallel: [{read: 'a:b'}]}]}}",
        "journeys: {j: {mcp: [{call: a, expect: {text: hi, exists: a, less: {a: 5}}}]}}",
        "journeys: {j: {mcp: [{call: a, expect: {text: {contains: a}, less: {a: '${seq}'}}}]}}",
        "journeys: {j: {steps: [{listen: tools}, {listen: [tools, prompts]}]}}",
        "identities: {csv: users.csv, provision: {post: 'http://a', take: {a: b}}}",
    ],
)
def test_what_may_be_written_in_several_ways_validates(written, valid, validator):
    """A list of one may be that one; targets, pauses and resources texts or mappings."""
    validator.validate({**read(valid).tree, **read(written).tree})


@pytest.mark.parametrize(
    "wrong",
    [
        "titel: x",
        "name: 5",
        "load: {usres: 5}",
        "load: {users: many}",
        "load: {round: 5}",
        "load: {think: {min: 1s}}",
        "load: {think: {min: 1s, max: 2s, mean: 1s}}",
        "limits: {generator_cpu: 0.9}",
        "gates: mcp.p95 < 5ms",
        "arms: {}",
        "arms: {mcp: {}}",
        "arms: {mcp: {mcp: 'http://a', http: 'http://a'}}",
        "arms: {mcp: {mcp: {ws: 'http://a'}}}",
        "journeys: {j: {weight: 0}}",
        "journeys: {j: {mcp: []}}",
        "journeys: {j: {mcp: [{cal: a}]}}",
        "journeys: {j: {mcp: [{call: a, get: /b}]}}",
        "journeys: {j: {mcp: [{call: a, query: {x: 1}}]}}",
        "journeys: {j: {mcp: [{call: a, expect: {status: 200}}]}}",
        "journeys: {j: {mcp: [{get: /a, form: {x: 1}}]}}",
        "journeys: {j: {mcp: [{wait: 1}]}}",
        "journeys: {j: {mcp: [{list: files}]}}",
        "journeys: {j: {mcp: [{parallel: [{cal: a}]}]}}",
        "identities: {mint: {post: 'http://a', take: {a: b}}}",
    ],
)
def test_typical_mistakes_do_not_validate(wrong, valid, validator):
    """Examples are misspelt keys, values of another type, and keys that do not fit the step."""
    with pytest.raises(jsonschema.ValidationError):
        validator.validate({**read(valid).tree, **read(wrong).tree})


def test_a_key_is_explained_where_it_is_typed():
    """Its field's docstring explains it, or its line in the table of kinds, even if shared."""
    parts = scenario_schema()["$defs"]
    keys = [("Limits", "drain"), ("CallStep", "call"), ("CallStep", "name")]
    said = [parts[part]["properties"][key]["description"] for part, key in keys]
    assert [text.split()[:4] for text in said] == [
        ["How", "long", "the", "last"],
        ["The", "name", "of", "a"],
        ["Its", "label", "in", "reports,"],
    ]


@pytest.mark.parametrize(
    ("words", "schema"), [((), scenario_schema), (("--report",), report_schema)]
)
def test_the_command_prints_the_schema(words, schema):
    """It prints the schema of scenarios or of report.json: JSON, with its draft."""
    printed = CliRunner().invoke(main, ["schema", *words])
    assert json.loads(printed.stdout) == schema()
    assert schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize(
    "path", list((ROOT / "scenarios").rglob("*.yaml")), ids=lambda path: path.stem
)
def test_the_first_line_of_a_shipped_file_leads_to_the_schema(path):
    """It needs no network; `make goldens` renews it."""
    first = path.read_text("utf-8").splitlines()[0]
    start, _, named = first.partition("=")
    assert start == FIRST_LINE.partition("=")[0]
    assert (path.parent / named).read_text("utf-8") == f"{as_text(scenario_schema())}\n"


def test_the_schema_is_kept_beside_a_file(tmp_path):
    """An older schema that mcp-perf wrote is renewed; what somebody else wrote stays."""
    kept = tmp_path / "mcp-perf.schema.json"
    keep(tmp_path)
    written = kept.read_text("utf-8")
    assert json.loads(written) == scenario_schema()
    kept.write_text('{"$id": "mcp-perf/scenario/1"}')
    keep(tmp_path)
    assert kept.read_text("utf-8") == written
    kept.write_text("{}")
    keep(tmp_path)
    assert kept.read_text("utf-8") == "{}"


def test_every_key_is_explained():
    """Editors and the reference show what each key means."""
    whole = scenario_schema()
    keys = [
        (name, key, value)
        for name, part in (("Scenario", whole), *whole["$defs"].items())
        for key, value in part.get("properties", {}).items()
    ]
    assert [(name, key) for name, key, value in keys if not value.get("description")] == []
