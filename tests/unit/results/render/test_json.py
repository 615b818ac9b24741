import json
import math
from pathlib import Path

import jsonschema
import pytest

from mcp_perf.results.document import document
from mcp_perf.results.document.document import Report, report_schema

COMMITTED = Path(document.__file__).with_name("report.schema.json")
RENEW = (
    'python -c "import json; from mcp_perf.results.document.document import report_schema; '
    'print(json.dumps(report_schema(), indent=2))" > mcp_perf/results/document/report.schema.json'
)


def validator():
    """Give a validator by the committed schema, itself checked."""
    schema = json.loads(COMMITTED.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_the_committed_schema_is_current():
    """The published schema describes the document as the code writes it."""
    assert COMMITTED.read_text(encoding="utf-8") == (
        json.dumps(report_schema(), indent=2) + "\n"
    ), f"run: {RENEW}"


@pytest.mark.parametrize("build", ["report", "hostile", "empty"])
def test_a_rendered_report_validates(example, build):
    """Every report conforms to the published schema, whatever is in it."""
    written = json.loads(getattr(example, build)().as_json())
    validator().validate(written)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda written: written.pop("schema"),
        lambda written: written.update(verdict="GOOD"),
        lambda written: written.update(surprise=1),
        lambda written: written["arms"]["mcp"].update(calls="many"),
    ],
)
def test_the_schema_refuses_what_is_no_report(example, spoil):
    """A missing version, an unknown verdict, an extra key and a wrong type do not validate."""
    written = json.loads(example.report().as_json())
    spoil(written)
    with pytest.raises(jsonschema.ValidationError):
        validator().validate(written)


def test_the_schema_names_itself():
    """The schema says its draft, its identity and its title."""
    schema = report_schema()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == "mcp-perf/report/1"
    assert schema["title"] == "mcp-perf report"


def test_a_report_survives_the_way_to_json_and_back(example):
    """Nothing is lost in report.json: read again, it is the same document."""
    report = example.hostile()
    assert Report.model_validate_json(report.as_json()) == report


def test_the_json_is_strict_and_pretty(example):
    """The key is `schema`, lines are indented, and NaN is null because JSON does not have it."""
    report = example.report(environment={"load": math.nan})
    text = report.as_json()
    assert text.startswith('{\n  "schema": "mcp-perf/report/1",\n')
    assert json.loads(text, parse_constant=pytest.fail)["environment"] == {"load": None}
