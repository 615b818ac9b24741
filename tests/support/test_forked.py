"""Forked commands behave like started ones."""

import subprocess

import pytest

from tests.support import commands

pytestmark = pytest.mark.process


@pytest.mark.parametrize("argv", [("run", "nope"), ("validate", "own.yaml"), ("report", "none")])
def test_a_forked_command_ends_as_one_that_is_started(argv, run_cli, environment, tmp_path):
    """Its exit code and its output on both streams, about files in its folder."""
    (tmp_path / "own.yaml").write_text("name: own\n")
    started = commands.run(commands.BIN / "mcp-perf", *argv, env=environment, cwd=tmp_path)
    assert run_cli(*argv, cwd=tmp_path) == started
    assert started.code == 104


def test_a_forked_command_that_takes_too_long_is_ended(run_cli):
    """The caller gets the error of `subprocess`, and the next command is not affected."""
    with pytest.raises(subprocess.TimeoutExpired):
        run_cli("list", timeout=0.001)
    assert run_cli("list").code == 0
