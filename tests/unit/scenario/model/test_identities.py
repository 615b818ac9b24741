"""Identities as a scenario writes them: where they come from, and who may ask for what."""

import pytest

from mcp_perf.scenario.loader import ScenarioError, load_text
from mcp_perf.scenario.model.confidential import is_secret, secret_names
from mcp_perf.scenario.model.identities import read_rows
from mcp_perf.scenario.model.scenario import Scenario
from mcp_perf.scenario.problems.wording import InputError

FILE = """
name: many
title: Many people
env: [USERS]
identities: SOURCE
arms:
  mcp: {mcp: "http://127.0.0.1:1/mcp", headers: {X-Key: "HEADER"}}
  local: {mcp: {stdio: [server]}, env: {A: "ENV"}}
journeys:
  ask:
    with: {who: {template: "WITH"}}
    steps: [{call: ask, arguments: {a: "ARGUMENT"}}]
"""
CSV = "name,code,note\nada,c-1,\nbob,c-2,x\n"
PROVISION = (
    'provision: {post: "http://127.0.0.1:1/", json: {n: "${identity.number}"}, take: {jwt: "a.b"}}'
)


@pytest.fixture
def read(tmp_path):
    """Load the scenario with some of its places filled in; return it."""
    (tmp_path / "users.csv").write_text(CSV)
    (tmp_path / "short.csv").write_text("name,code\nada\n")
    (tmp_path / "twice.csv").write_text("name,name\na,b\n")
    (tmp_path / "number.csv").write_text("number\n1\n")
    (tmp_path / "empty.csv").write_text("name\n")

    def load(source="{csv: users.csv}", users="users.csv", **places):
        text = FILE.replace("SOURCE", source)
        for place in ("HEADER", "ENV", "WITH", "ARGUMENT"):
            text = text.replace(f'"{place}"', '"' + places.get(place.lower(), "x") + '"')
        return load_text(text, "many.yaml", tmp_path, environ={"USERS": users}).scenario

    return load


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"source": "{csv: none.csv}"}, "there is no file 'none.csv'"),
        ({"source": "{csv: /etc/passwd}"}, "outside the scenario's folder"),
        (
            {"source": '{csv: "${env:USERS}"}', "users": "gone.csv"},
            "the path in '${env:USERS}' is not a file",
        ),
        ({"source": '{csv: "${env:USERS}/../x.csv"}'}, "outside the scenario's folder"),
        ({"source": '{csv: "$${/../../x.csv"}'}, "outside the scenario's folder"),
        ({"source": '{csv: "${user}.csv"}'}, "only ${env:NAME} can be used here"),
        ({"source": "{csv: short.csv}"}, "line 2 of 'short.csv' has 1 values, not 2"),
        ({"source": "{csv: twice.csv}"}, "two columns with the same name"),
        (
            {"source": "{csv: number.csv}"},
            "has a column 'number'",
        ),
        ({"source": "{csv: empty.csv}"}, "'empty.csv' has no rows"),
        ({"source": "{}"}, "no identities"),
        ({"source": "{file: users.csv}"}, "unknown key 'file'"),
        (
            {"header": "${identity.cod}"},
            "${identity.cod}: identities do not have this value - did you mean 'code'",
        ),
        ({"argument": "${identity}"}, "${identity}: identities do not have this value"),
        ({"header": "${identity.note}"}, "line 2 of 'users.csv' has no value for note"),
        ({"header": "${user}"}, "${user} cannot be used here"),
        (
            {"source": f"{{{PROVISION}}}", "header": "${identity.code}"},
            "}: identities do not have this value",
        ),
        (
            {"source": f"{{csv: users.csv, {PROVISION.replace('jwt', 'code')}}}"},
            "taken from the reply",
        ),
        ({"source": f"{{{PROVISION.replace('a.b', 'a[')}}}"}, "is not JMESPath"),
        (
            {"source": f"{{{PROVISION.replace('jwt', 'number')}}}"},
            "'number' is the name of each identity's number",
        ),
        (
            {"source": f"{{{PROVISION.replace('identity.number', 'seq')}}}"},
            "${seq} cannot be used here",
        ),
        (
            {"source": f"{{{PROVISION.replace('identity.number', 'identity.jwt')}}}"},
            "no column jwt",
        ),
        ({"source": f"{{{PROVISION.replace('json:', 'form: {}, json:')}}}"}, "form and json"),
    ],
)
def test_what_cannot_be_meant_is_told(read, written, said) -> None:
    """Files, names and requests are checked before anything is sent."""
    with pytest.raises(ScenarioError) as error:
        read(**written)
    assert said in str([str(problem) for problem in error.value.problems])


def test_without_identities_nobody_has_one(tmp_path) -> None:
    """The hint says where identities come from; the name itself stays reserved."""
    with pytest.raises(ScenarioError) as error:
        load_text(
            FILE.replace("identities: SOURCE\n", "vars: {identity: 1}\n").replace(
                '"HEADER"', '"${identity.code}"'
            ),
            "many.yaml",
            tmp_path,
            environ={"USERS": ""},
        )
    said = [str(problem) for problem in error.value.problems]
    assert any("identities: {csv: FILE}" in line for line in said)
    assert any("'identity' is a built-in name" in line for line in said)


def test_one_process_for_all_has_no_identity(tmp_path) -> None:
    """A server that users share was started with a single environment."""
    (tmp_path / "users.csv").write_text(CSV)
    text = FILE.replace("SOURCE", "{csv: users.csv}").replace('"ENV"', '"${identity.code}"')
    text = text.replace("stdio: [server]}, ", "stdio: [server]}, process: shared, ")
    with pytest.raises(ScenarioError, match="share one"):
        load_text(text, "many.yaml", tmp_path, environ={"USERS": ""})


def test_the_environment_may_name_a_file_elsewhere(tmp_path, read) -> None:
    """Whoever sets the environment may read any of their files; a scenario may not."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "people.csv").write_text(CSV)
    scenario = read('{csv: "${env:USERS}"}', str(elsewhere / "people.csv"))
    assert scenario.identities.csv == "${env:USERS}"


def test_a_row_is_an_identity_with_its_number(tmp_path) -> None:
    """Numbers count from 1; values are texts; empty lines do not count as rows."""
    (tmp_path / "users.csv").write_text("name,code\n\nada,01\nbob,02\n")
    assert read_rows("users.csv", {}, tmp_path).identities() == [
        {"name": "ada", "code": "01", "number": 1},
        {"name": "bob", "code": "02", "number": 2},
    ]


def test_a_file_that_is_no_csv_is_told_without_its_content(tmp_path) -> None:
    """Its content may be secret."""
    (tmp_path / "users.csv").write_bytes(b"name\ns3cret\xff\n")
    with pytest.raises(InputError) as error:
        read_rows("users.csv", {}, tmp_path)
    assert "s3cret" not in str(error.value)


def test_secret_is_what_authorizes_or_is_called_so(read) -> None:
    """Names in headers, environments and `with` are; those in arguments only by their sound."""
    scenario = read(header="k ${identity.code}", argument="${identity.name}")
    assert secret_names(scenario) == {"code"}
    assert secret_names(read(env="${identity.name}")) == {"name"}
    assert secret_names(read(**{"with": "${identity.name}"})) == {"name"}
    burst = [{"get": "/", "headers": {"X-Key": "${identity.code}"}}]
    tree = {
        "name": "burst",
        "title": "Calls at once",
        "identities": {"csv": "users.csv"},
        "arms": {"api": {"http": "http://127.0.0.1:1"}},
        "journeys": {"ask": {"steps": [{"parallel": burst}]}},
    }
    assert secret_names(Scenario.model_validate(tree)) == {"code"}
    provisioned = read(
        f"{{csv: users.csv, {PROVISION.replace('identity.number', 'identity.name')}}}"
    )
    assert secret_names(provisioned) == {"name"}
    assert is_secret("Api_Key", set())
    assert not is_secret("name", {"code"})
