import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from mcp_perf.scenario.loader import Loaded, Problem, ScenarioError, load_text

VALID = """\
name: demo
title: A demo
arms:
  rest: {http: "http://127.0.0.1:1"}
  mcp: {mcp: "http://127.0.0.1:2/mcp"}
journeys:
  first:
    rest: [{get: /a}]
    mcp: [{call: a}]
"""


@pytest.fixture
def valid() -> str:
    """Return a small valid scenario; line 10 is the first that a test adds."""
    return VALID


@pytest.fixture
def accept(tmp_path: Path) -> Callable[..., Loaded]:
    """Load a text; it has to be valid."""

    def accept(text: str, *overrides: str, **options) -> Loaded:
        options.setdefault("environ", {})
        text = textwrap.dedent(text) if text.startswith(" ") else text
        return load_text(text, "demo.yaml", tmp_path, overrides, **options)

    return accept


@pytest.fixture
def refuse(accept: Callable[..., Loaded]) -> Callable[..., list[Problem]]:
    """Load a text that has to be refused, and return its problems."""

    def refuse(text: str, *overrides: str, **options) -> list[Problem]:
        with pytest.raises(ScenarioError) as caught:
            accept(text, *overrides, **options)
        assert caught.value.exit_code == 104
        assert str(caught.value) == "\n".join(map(str, caught.value.problems))
        return caught.value.problems

    return refuse
