"""Where calls go, before any of them is made."""

import subprocess

import pytest

from mcp_perf.load.targets.refusal import UNREACHABLE, Refusal
from mcp_perf.load.targets.targets import reach
from mcp_perf.scenario.loader import load

SCENARIO = """
name: secure
title: A target with a certificate of its own
arms: {api: {http: "https://127.0.0.1:9", tls: {ca: own.pem}}}
journeys: {look: {steps: [{get: /}]}}
"""


@pytest.mark.process
def test_certificates_to_trust_lie_beside_the_scenario(tmp_path, monkeypatch):
    """The file is found from any folder, as the loader says; what fails here is the connection."""
    beside = tmp_path / "scenarios"
    beside.mkdir()
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"),
            *("-subj", "/CN=localhost", "-keyout", str(tmp_path / "key.pem")),
            *("-out", str(beside / "own.pem")),
        ],
        check=True,
        capture_output=True,
    )
    (beside / "secure.yaml").write_text(SCENARIO)
    monkeypatch.chdir(tmp_path)
    loaded = load(beside / "secure.yaml")
    with pytest.raises(Refusal, match="connection refused") as refusal:
        reach("api", loaded.scenario.arms["api"], loaded, "https://127.0.0.1:9", {})
    assert refusal.value.exit_code == UNREACHABLE
