"""docs/troubleshooting.md explains messages that exist."""

import ast
import re

import pytest

from tests.support import ROOT

PAGE = (ROOT / "docs" / "troubleshooting.md").read_text("utf-8")
MESSAGES = re.findall(r"^\| `(.+?)` \|", PAGE, re.MULTILINE)


def written(node: ast.AST) -> str:
    """Return a text of the code, with `…` for what is filled in."""
    if isinstance(node, ast.JoinedStr):
        return "".join(map(written, node.values))
    return str(node.value) if isinstance(node, ast.Constant) else "…"


@pytest.fixture(scope="module")
def texts() -> str:
    """Return all texts of the engine."""
    files = (ROOT / "mcp_perf").rglob("*.py")
    nodes = (node for path in files for node in ast.walk(ast.parse(path.read_text("utf-8"))))
    found = (written(node) for node in nodes if isinstance(node, ast.JoinedStr | ast.Constant))
    return "\n".join(" ".join(text.split()) for text in found)


def test_there_are_messages():
    """The pattern finds the first column of the tables."""
    assert len(MESSAGES) >= 20


@pytest.mark.parametrize("message", MESSAGES)
def test_a_message_of_the_page_is_one_of_the_code(message, texts):
    """The code has every part of it that does not differ from run to run."""
    missing = [part for part in re.split(r"\s*…[:.]?\s*", message) if part not in texts]
    assert missing == []
