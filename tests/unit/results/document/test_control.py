"""Which arm another one is compared with: by its ending, or the plain control."""

import pytest

from mcp_perf.results.document.comparison import control_of

ARMS = ["control", "dual", "control-8ms", "dual-8ms", "dual-fast", "controlled"]


@pytest.mark.parametrize(
    ("arm", "control"),
    [
        ("control", ""),
        ("dual", "control"),
        ("dual-8ms", "control-8ms"),
        ("control-8ms", "control"),
        ("dual-fast", "control"),
        ("controlled", "control"),
    ],
)
def test_an_arm_has_the_control_with_its_ending_or_the_plain_one(arm, control):
    """The plain control has none."""
    assert control_of(arm, ARMS) == control


@pytest.mark.parametrize("arm", ["mcp", "mcp-8ms", "control-8ms"])
def test_without_a_control_there_is_none(arm):
    """Whoever asks decides what else to compare with."""
    assert control_of(arm, ["mcp", "mcp-8ms", "control-8ms", "control-9ms"]) in ("", "control-8ms")
    assert control_of("mcp", ["mcp", "rest"]) == ""
