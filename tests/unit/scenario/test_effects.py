"""What a scenario does to the world around it, as announced before the run."""

from pathlib import Path

from mcp_perf.scenario.effects import WIDTH, host_of, in_short, insecure, told
from mcp_perf.scenario.loader import load_text

TEXT = """\
name: demo
env: [TOKEN, LOGIN, UNUSED, ISSUER]
vars: {login: "${env:LOGIN}"}
identities: {csv: users.csv, provision: {post: "https://users.test/u", take: {a: b}}}
arms:
  far:
    mcp: https://mcp.test:8443/mcp
    headers: {X-Token: "${env:TOKEN}"}
    resources: {prometheus: "http://metrics.test/m"}
    proxy: http://proxy.test:3128
    tls: {verify: false}
  near: {mcp: {stdio: [npx, -y, server]}, env: {TOKEN: "${env:TOKEN}"}}
  signed:
    mcp: http://signed.test/mcp
    auth: {oauth: {client_id: me, client_secret: "${env:TOKEN}", issuer: "${env:ISSUER}"}}
  here: {python: "shop:api"}
  ours: {mcp: system:echo/mcp}
journeys:
  all:
    with: {city: {csv: {file: cities.csv, column: name}}}
    here: [{run: price}]
    steps: [{call: buy}]
"""
ENV = {"TOKEN": "t0ken", "LOGIN": "me", "UNUSED": "", "ISSUER": "https://issuer.test"}


def loaded(tmp_path):
    """Load the scenario, and return it with the lines of its targets."""
    (tmp_path / "users.csv").write_text("name\nann\n")
    (tmp_path / "cities.csv").write_text("name\nrome\n")
    scenario = load_text(TEXT, "demo.yaml", Path(tmp_path), environ=ENV).scenario
    return scenario, {name: arm.address for name, arm in scenario.arms.items()}


def test_all_that_a_scenario_does_is_said_in_three_lines(tmp_path):
    """Hosts, variables with who gets them, files, commands and modules are shown, but no values."""
    assert told(*loaded(tmp_path), ENV) == [
        (
            "calls mcp.test:8443, proxy.test:3128, signed.test, metrics.test, issuer.test, "
            "users.test, system:echo/mcp"
        ),
        (
            "reads TOKEN (for mcp.test:8443, npx, signed.test), LOGIN (for mcp.test:8443, npx, "
            "signed.test, python:shop:api, system:echo/mcp), UNUSED, ISSUER (for signed.test), "
            "users.csv, cities.csv"
        ),
        "runs code: starts npx -y server, imports shop:api",
    ]


def test_a_run_says_its_highest_load_and_no_systems_of_its_own(tmp_path):
    """They are started for the run; a line cut to the terminal's width says how to see it all."""
    scenario, lines = loaded(tmp_path)
    said = told(scenario, lines, ENV, "20 users")
    assert said[0].startswith("at most 20 users call mcp.test:8443, proxy.test:3128, ")
    assert told(scenario, lines, ENV, "1 user")[0].startswith("at most 1 user calls mcp.test:8443")
    assert not any("calls system" in line for line in said)
    assert [len(line) <= WIDTH for line in in_short(said)] == [True] * 3
    assert in_short(said)[1].endswith(" … (all of it: mcp-perf validate)")


def test_a_report_notes_how_secrets_travelled(tmp_path):
    """It notes unchecked certificates, and credentials without TLS outside this machine."""
    scenario, lines = loaded(tmp_path)
    far, signed = "far: the certificate of its server was not checked", "signed: its credentials"
    assert [text.startswith((far, signed)) for text in insecure(scenario, lines)] == [True, True]
    here = {"signed": "http://127.0.0.1:9/mcp", "far": "http://localhost/mcp"}
    assert [text[:4] for text in insecure(scenario, here)] == ["far:"]


def test_the_host_of_an_address_leaves_the_login_out():
    """What cannot be read is shown as it is."""
    assert host_of("http://me:pw@host:1/x") == "host:1"
    assert host_of("http+unix://%2Frun%2Fa%40b.sock/mcp") == "/run/a@b.sock"
    assert [host_of("http://[x"), host_of("plain")] == ["http://[x", "plain"]
