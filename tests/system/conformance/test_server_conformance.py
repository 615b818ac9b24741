"""Our systems, judged by the official conformance suite as far as their tools allow.

Most of the suite's scenarios call tools, read resources and get prompts with certain names
(`test_simple_text`, `test://static-text`). The systems have other tools, so the lists here say
which scenarios can judge them, and which cannot, with the reason. Every scenario has to be in a
list.
"""

from concurrent.futures import ThreadPoolExecutor

import pytest

pytestmark = pytest.mark.network

PASSES = {
    *("server-initialize", "server-session-lifecycle", "ping", "tools-list", "resources-list"),
    *("prompts-list", "dns-rebinding-protection", "server-sse-multiple-streams", "caching"),
    *("sep-2164-resource-not-found", "http-header-validation"),
    *("http-custom-header-server-validation", "input-required-result-unsupported-methods"),
    *("input-required-result-validate-input", "resources-subscribe", "resources-unsubscribe"),
}
"""They pass completely, without a failure or a warning."""

OF_THE_SUITE = {
    *("tools-call-simple-text", "tools-call-image", "tools-call-audio", "tools-call-error"),
    *("tools-call-embedded-resource", "tools-call-mixed-content", "tools-call-with-progress"),
    *("tools-call-sampling", "tools-call-elicitation", "elicitation-sep1034-defaults"),
    *("elicitation-sep1330-enums", "json-schema-2020-12", "resources-read-text"),
    *("resources-read-binary", "resources-templates-read", "prompts-get-simple"),
    *("prompts-get-with-args", "prompts-get-embedded-resource", "prompts-get-with-image"),
    *("input-required-result-basic-elicitation", "input-required-result-basic-sampling"),
    *("input-required-result-basic-list-roots", "input-required-result-request-state"),
    *("input-required-result-multiple-input-requests", "input-required-result-multi-round"),
    *("input-required-result-missing-input-response", "input-required-result-non-tool-request"),
    *("input-required-result-result-type", "input-required-result-tampered-state"),
    *("input-required-result-capability-check", "input-required-result-ignore-extra-params"),
    "server-sse-polling",
}
"""Left out: they need tools, resources and prompts that only the suite's server has."""

NOT_OFFERED = {
    *("completion-complete", "logging-set-level", "tools-call-with-logging"),
}
"""Left out: methods that the echo does not announce and answers with -32601."""

DUAL = tuple(f"dual_runtime/mcp?preset={preset}" for preset in ("dual", "control"))

EXTENSIONS = {
    *("tasks-lifecycle", "tasks-capability-negotiation", "tasks-wire-fields", "tasks-mrtr-input"),
    *("tasks-request-state-removal", "tasks-request-headers", "tasks-dispatch-and-envelope"),
    *("tasks-status-notifications", "tasks-required-task-error", "tasks-mrtr-composition"),
}
"""Left out: the extension of tasks, which the echo does not have."""

PARTLY = {
    "server-stateless": {
        "sep-2575-server-rejects-undeclared-capability",
        "sep-2575-missing-capability-http-400",
        "sep-2575-http-server-no-independent-requests-on-stream",
        "sep-2575-server-no-log-without-loglevel",
        "sep-2575-server-sends-prompts-list-changed-on-subscription",
        "sep-2575-server-sends-tools-list-changed-on-subscription",
    }
}
"""All but these checks pass; they need tools of the suite, such as `test_logging_tool`."""

LEFT_OUT = OF_THE_SUITE | NOT_OFFERED | EXTENSIONS

ON_THE_SDK = ("twilio/mcp", "ladder/mcp", *DUAL)
"""The other systems, all built on the Python SDK's server: they pass and lack the same things."""

NOT_OF_THE_SDK = {"resources-subscribe", "resources-unsubscribe"}
"""Left out: methods that it answers with -32601 unless a server adds them."""

BY_CHANCE = {
    *("tools-call-simple-text", "tools-call-error", "input-required-result-ignore-extra-params"),
}
"""They pass but prove nothing: the SDK answers a call of an unknown tool with an error text."""

PARTLY_ON_THE_SDK = {
    "server-stateless": {
        "sep-2575-server-rejects-undeclared-capability",
        "sep-2575-missing-capability-http-400",
        "sep-2575-server-sends-prompts-list-changed-on-subscription",
        "sep-2575-server-sends-tools-list-changed-on-subscription",
    },
    "http-custom-header-server-validation": {
        "sep-2243-server-no-xmcp-tool",
        "sep-2243-server-decode-base64",
        "sep-2243-server-validate-param-match",
        "sep-2243-server-reject-invalid-param-chars",
        "sep-2243-server-reject-param-mismatch",
    },
}
"""All but these checks pass; they need tools of the suite, or a tool with header parameters."""


def complaints(made):
    """Return the failed checks, or a note if the scenario proved nothing."""
    bad = {check["id"] for check in made if check["status"] in ("FAILURE", "WARNING")}
    proven = any(check["status"] == "SUCCESS" for check in made)
    return bad if proven or bad else {"nothing was checked"}


@pytest.mark.parametrize("replies", ["json", "sse"])
@pytest.mark.parametrize(
    ("version", "options", "least"),
    [
        ("0.1.16", ("--suite", "all"), 7),
        ("0.2.0-alpha.12", ("--requirements", "2025-11-25"), 8),
        ("0.2.0-alpha.12", ("--requirements", "2026-07-28"), 11),
    ],
    ids=["0.1.16", "0.2.0 on 2025-11-25", "0.2.0 on 2026-07-28"],
)
def test_the_echo_passes_what_its_tools_allow(checks, systems, version, options, least, replies):
    """Each scenario ends as its list says; one that is left out but passes is in the wrong list."""
    url = systems.face(f"echo/mcp?replies={replies}").url
    found = {name: complaints(made) for name, made in checks(version, url, *options).items()}
    assert found.keys() - PASSES - LEFT_OUT - PARTLY.keys() == set(), "nobody has decided"
    assert {name: bad for name, bad in found.items() if bad and name in PASSES} == {}
    assert {name for name, bad in found.items() if not bad and name in LEFT_OUT} == set()
    assert {
        name: bad for name, bad in found.items() if name in PARTLY and bad != PARTLY[name]
    } == {}
    assert len(found.keys() & PASSES) >= least


@pytest.mark.parametrize(("requirements", "least"), [("2025-11-25", 7), ("2026-07-28", 9)], ids=str)
def test_the_systems_on_the_sdk_pass_what_their_tools_allow(checks, systems, requirements, least):
    """Each scenario ends as its list says. All run at once: the suite mostly waits."""
    urls = [systems.face(face).url for face in ON_THE_SDK]
    passes = PASSES - NOT_OF_THE_SDK - PARTLY_ON_THE_SDK.keys()
    left_out = LEFT_OUT | NOT_OF_THE_SDK

    def judged(url):
        made = checks("0.2.0-alpha.12", url, "--requirements", requirements)
        return {name: complaints(one) for name, one in made.items() if name not in BY_CHANCE}

    with ThreadPoolExecutor(len(urls)) as pool:
        for face, found in zip(ON_THE_SDK, pool.map(judged, urls), strict=True):
            assert found.keys() - passes - left_out - PARTLY_ON_THE_SDK.keys() == set(), face
            assert {name: bad for name, bad in found.items() if bad and name in passes} == {}, face
            assert {name for name, bad in found.items() if not bad and name in left_out} == set()
            partly = {name: found[name] for name in found.keys() & PARTLY_ON_THE_SDK.keys()}
            assert partly == {name: PARTLY_ON_THE_SDK[name] for name in partly}, face
            assert len(found.keys() & passes) >= least, face
