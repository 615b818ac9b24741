"""`layers:` names arms, each one layer above the one before."""

import pytest

LAYERS = "layers: [rest, mcp]\n"


def test_layers_are_kept_in_their_order(accept, valid):
    """They go from the lowest upwards, as written; a file without layers has none."""
    assert accept(valid + "layers: [mcp, rest]\n").scenario.layers == ("mcp", "rest")
    assert accept(valid).scenario.layers == ()


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (
            "layers: [rest, mpc]\n",
            "demo.yaml:10: the layer 'mpc' is not an arm - did you mean 'mcp'?",
        ),
        ("layers: [rest, mcp, rest]\n", "the layer 'rest' is listed twice - list each arm once"),
        (
            "layers: [rest]\n",
            "there is only one - list at least two",
        ),
        ("layers: rest\n", "'rest' is not a list"),
        ("layers: [rest, 1]\n", "1 is not a text"),
        (f"{LAYERS}load: {{shape: breakpoint}}\n", "a load that does not change - remove layers"),
        (f"{LAYERS}load: {{shape: ramp, users: 4}}\n", "a load that does not change - remove"),
        (f"{LAYERS}load: {{stages: [{{users: 1, for: 9s}}]}}\n", "load that does not change"),
    ],
)
def test_layers_that_make_no_sense_are_refused(refuse, valid, line, complaint):
    """The message has the line, and what to write instead."""
    [problem] = refuse(valid + line)
    assert complaint in str(problem)


def test_a_run_of_some_arms_keeps_the_layers_that_are_left(accept, valid):
    """`--arm` may leave out a layer; a single layer says nothing."""
    three = valid.replace("  mcp: {mcp", '  mem: {mcp: {python: "a:b"}}\n  mcp: {mcp', 1)
    three = three.replace("    mcp: [", "    mem: [{call: a}]\n    mcp: [") + (
        "layers: [rest, mem, mcp]\n"
    )
    assert accept(three, arms=["mcp", "rest"]).scenario.layers == ("rest", "mcp")
    assert accept(three, arms=["mcp"]).scenario.layers == ()
