"""What a shell gets when Tab is pressed."""

import re
import subprocess

import pytest
from click.shell_completion import BashComplete, FishComplete, ZshComplete

from mcp_perf.cli.main import main
from tests.support import ROOT

README = (ROOT / "README.md").read_text("utf-8")


def completed(*words):
    """Return what the last word is completed to."""
    *before, begun = words
    found = BashComplete(main, {}, "mcp-perf", "_MCP_PERF_COMPLETE").get_completions(before, begun)
    return [item.value if item.type == "plain" else f"({item.type})" for item in found]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("run", "ec"), ["(file)", "echo"]),
        (("run", "echo", "-u", "3", "--for"), ["--format"]),
        (("web", "twilio_t"), ["(file)", "twilio-tasks"]),
        (("validate", "echo", "session_"), ["(file)", "session-churn", "session-memory"]),
        (("trend", "my_"), ["(file)", "my-own"]),
        (("systems", "start", "la"), ["ladder"]),
        (("rep",), ["report"]),
        (("report", "reports/"), ["(file)"]),
    ],
    ids=str,
)
def test_names_of_scenarios_and_systems_are_completed(words, found, tmp_path, monkeypatch):
    """With dashes or underscores, from ./scenarios too; files, if a name may be a path."""
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "my_own.yaml").touch()
    monkeypatch.chdir(tmp_path)
    assert completed(*words) == found


LINES = {
    shell: re.findall(rf"`([^`]*_MCP_PERF_COMPLETE={shell}_source[^`]*)` \|", README)
    for shell in ("bash", "zsh", "fish")
}


@pytest.mark.parametrize("shell", [BashComplete, ZshComplete, FishComplete])
def test_the_readme_has_a_line_for_each_shell(shell):
    """Its variable is the one that the shell's function sets."""
    assert len(LINES[shell.name]) == 1
    made = shell(main, {}, "mcp-perf", "_MCP_PERF_COMPLETE")
    assert f"_MCP_PERF_COMPLETE={shell.name}_complete" in made.source_template % made.source_vars()


@pytest.mark.process
def test_bash_completes_by_the_line_of_the_readme(environment):
    """Tab after `mcp-perf run ec` writes echo."""
    typed = "COMP_WORDS=(mcp-perf run ec) COMP_CWORD=2"
    tab = f"compopt() {{ :; }}; {typed}; _mcp_perf_completion mcp-perf"
    asked = subprocess.run(
        ["bash", "-c", f'{LINES["bash"][0]}\n{tab}\necho "${{COMPREPLY[*]}}"'],
        env=environment, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert (asked.stdout, asked.stderr) == ("echo\n", "")
