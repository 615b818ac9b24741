"""Gate files: what is read, and what is refused with its line and what to write."""

import pytest

from mcp_perf.pytest_plugin.gate_file import GateFileError, read

GOOD = """\
# why
test_a.py::test_b[echo/x]:
  - mcp.p50 <= 3x rest
  - mcp.throughput >= 0.5x rest
test_a.py::TestC::test_d:
  - dual.throughput >= 3x control
"""


def test_a_file_is_read_with_its_lines(tmp_path):
    """Each benchmark has its gates, and the file and name that pytest uses."""
    path = tmp_path / "gates.yaml"
    path.write_text(GOOD)
    first, second = read(path)
    assert [gate.text for gate in first.gates] == [
        "mcp.p50 <= 3x rest",
        "mcp.throughput >= 0.5x rest",
    ]
    assert first.test == (tmp_path / "test_a.py", "test_b[echo/x]")
    assert first.location == f"{path}:2"
    assert second.test == (tmp_path / "test_a.py", "TestC::test_d")
    assert second.unknown_sides(["dual", "other"]) == ["control"]
    path.write_text("# nothing yet\n")
    assert read(path) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("t.py::t:\n  - mcp.p50 < 20ms\n", ":2: mcp.p50 < 20ms is not a ratio of two sides"),
        (
            "t.py::t:\n  - a.p50 - b.p50 < 2ms\n",
            ":2: a.p50 - b.p50 < 2ms is not a ratio of two sides",
        ),
        ("t.py::t:\n  - a.tool[x].p50 < 2x b\n", ":2: a.tool[x].p50 < 2x b is not a ratio of two"),
        ("t.py::t:\n  - mcp.speed < 2x b\n", ":2: unknown metric 'speed'"),
        ("t.py::t:\n  - a.p50 < 2x a\n", ":2: 'a.p50 < 2x a' compares a with itself"),
        ("t.py::t: a.p50 < 2x b\n", ":1: write a list of gates here"),
        ("t.py::t: []\n", ":1: write a list of gates here"),
        ("t.py:\n  - a.p50 < 2x b\n", ":1: 't.py' is not a test: write FILE.py::TEST"),
        (
            "t.py::t:\n  - a.p50 < 2x b\nt.py::t:\n  - a.p50 < 3x b\n",
            ":3: t.py::t is already in line 1",
        ),
        ("- a\n", ":1: write one benchmark per line"),
        ("a: [\n", "cannot be read"),
        ("? [a]\n: [a.p50 < 2x b]\n", "is not a test: write FILE.py::TEST"),
        ("t.py::t:\n  - {a: 1}\n", ":2:"),
    ],
)
def test_a_wrong_file_is_refused_with_the_line(text, said, tmp_path):
    """A duplicate would silently drop gates, and an absolute bound would judge the machine."""
    path = tmp_path / "gates.yaml"
    path.write_text(text)
    with pytest.raises(GateFileError) as caught:
        read(path)
    assert said in str(caught.value)


def test_all_problems_are_told_at_once(tmp_path):
    """A user corrects the file only once."""
    path = tmp_path / "gates.yaml"
    path.write_text("t.py::t:\n  - a.p50 < 1ms\n  - nonsense\nt.py::u: 3\n")
    with pytest.raises(GateFileError) as caught:
        read(path)
    assert [line.split(":")[1] for line in str(caught.value).splitlines()] == ["2", "3", "4"]
