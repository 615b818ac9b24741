"""Our client, judged by the official conformance suite, including authorization."""

import pytest

pytestmark = pytest.mark.network

EXTENSIONS = {
    "auth/cross-app-access-complete-flow",
    "auth/enterprise-managed-authorization",
    "auth/dpop",
    "auth/dpop-nonce",
    "auth/wif-jwt-bearer",
}
"""Authorization extensions that this client does not have: the suite runs them with every version
of the specification, but they belong to none."""

FAULT_OF_THE_SUITE = {"auth/2025-03-26-oauth-metadata-backcompat"}
"""In 0.1.16 the metadata at the root name the issuer `…/oauth`, which a client has to refuse by RFC
8414, section 3.3. Version 0.2 corrects this, and there the scenario passes."""


@pytest.mark.parametrize(
    ("version", "options", "excused", "least"),
    [
        ("0.1.16", ("--suite", "all"), FAULT_OF_THE_SUITE, 24),
        ("0.2.0-alpha.12", ("--requirements", "2025-11-25"), set(), 21),
        ("0.2.0-alpha.12", ("--requirements", "2026-07-28"), set(), 35),
        ("0.2.0-alpha.12", ("--suite", "backcompat"), set(), 2),
    ],
    ids=["0.1.16", "0.2.0 on 2025-11-25", "0.2.0 on 2026-07-28", "0.2.0 on 2025-03-26"],
)
def test_every_client_scenario_passes(suite, version, options, excused, least) -> None:
    """All of a version's client scenarios pass, without a failure or a warning."""
    said = suite(version, *options)
    failed = {
        name: line
        for name, line in said.items()
        if (line[0] != "✓" or "warnings" in line) and name not in EXTENSIONS | excused
    }
    assert failed == {}
    assert len(said.keys() - EXTENSIONS - excused) >= least
