"""docs/reference/systems.md is complete, and its examples work."""

import re
import subprocess
import sys

import msgspec
import pytest

from mcp_targets.echo.protocol.calls import TOOLS
from mcp_targets.launcher.catalog import SYSTEMS
from mcp_targets.serving.faults import Rates
from mcp_targets.twilio.tools import OPERATIONS
from mcp_targets.upstream.provider import load
from mcp_targets.upstream.simulator import Simulator
from tests.support import ROOT

pytestmark = pytest.mark.process

DOC = (ROOT / "docs" / "reference" / "systems.md").read_text("utf-8")


def block(language):
    """Return the one example in a language."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", DOC, re.DOTALL)
    return found


def test_every_system_tool_and_fault_is_documented():
    """Readers cannot find what is not described."""
    names = [*SYSTEMS, *(operation.tool for operation in OPERATIONS)]
    names += [field.name for field in msgspec.structs.fields(Rates)]
    assert [name for name in names if f"`{name}`" not in DOC] == []
    assert [name for name in TOOLS if f"`{name}(" not in DOC] == []


@pytest.mark.parametrize(
    "module", ["echo", "upstream", "twilio", "ladder", "dual_runtime", "business_tools"]
)
def test_every_switch_is_documented(module):
    """All that the program's help lists."""
    command = [sys.executable, "-m", f"mcp_targets.{module}", "--help"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    switches = set(re.findall(r"--[a-z-]+", shown)) - {"--help"}
    assert {switch for switch in switches if switch not in DOC} == set()


def test_the_python_example_works(tmp_path):
    """Unchanged, in an empty folder."""
    command = [sys.executable, "-c", block("python")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/mcp AC[0-9a-f]{32}\n", done.stdout)


def test_the_example_of_a_provider_works(tmp_path, peer):
    """An order is created, refused the second time, and listed."""
    path = tmp_path / "shop.yaml"
    path.write_text(block("yaml"), "utf-8")
    client = peer(Simulator(load(str(path))))
    order = {"number": "17", "express": True}
    replies = [client.ask("POST", "/shops/a/orders", json=order) for _ in range(2)]
    assert [status for status, _, _ in replies] == [201, 409]
    created = replies[0][1]
    assert created["id"].startswith("or_")
    assert created["express"] is True
    assert client.get("/shops/a/orders?per_page=1")[1] == {"orders": [created], "next": None}
