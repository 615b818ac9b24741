"""The settings of the tool: where each may come from, and what somebody else's file may set."""

import io
import re

import pytest
from click.testing import CliRunner
from pydantic import SecretStr
from rich.console import Console

from mcp_perf import folders, settings
from mcp_perf.cli import answer
from mcp_perf.cli.main import main
from mcp_perf.cli.output import in_force
from tests.support import ROOT

ALL = {f"MCP_PERF_{name.upper()}": field for name, field in settings.Settings.model_fields.items()}


@pytest.fixture(autouse=True)
def sources(tmp_path, monkeypatch):
    """Enter an empty folder without settings from anywhere; return the user's own file."""
    (tmp_path / "here").mkdir()
    (tmp_path / "config").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr(settings, "_named", [])
    for name in ALL:
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "config" / "mcp-perf.toml"


def shown(field):
    """Return a default in the form of a file of variables."""
    value = field.default
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def test_the_example_lists_every_setting_with_its_default_and_what_it_is():
    """It lists nothing else, and does not set anything as it stands."""
    text = (ROOT / ".env.example").read_text("utf-8")
    listed = re.findall(r"^# (.+)\n#(\w+)=(.*)$", text, re.MULTILINE)
    assert listed == [(field.description, name, shown(field)) for name, field in ALL.items()]
    assert not re.search(r"^[^#\n]", text, re.MULTILINE)
    page = (ROOT / "docs" / "reference" / "settings.md").read_text("utf-8")
    assert set(re.findall(r"^\| `(MCP_PERF_\w+)` ", page, re.MULTILINE)) == set(ALL)


def test_the_first_source_that_has_a_setting_wins(sources, tmp_path, monkeypatch):
    """First the environment, then the named file, the folder's for the look, and the user's own."""
    sources.write_text(
        'store = "sqlite:///own"\nlog_format = "json"\nscenario = "own"\nout = "o"\n'
    )
    (tmp_path / "here" / "mcp-perf.toml").write_text('log_format = "text"\ncolour = "never"\n')
    (tmp_path / ".env").write_text(
        "MCP_PERF_SCENARIO=named\nMCP_PERF_STORE=sqlite:///named\nKEY=1\n"
    )
    settings.name_env_file(tmp_path / ".env")
    monkeypatch.setenv("MCP_PERF_STORE", "sqlite:///variable")
    monkeypatch.setenv("MCP_PERF_OUT", "")  # sets nothing
    monkeypatch.setenv("MCP_PERF_LOG_LEVEL", "debug")
    found = settings.in_force()
    values = {name: getattr(found.values, name) for name in found.origins}
    assert {name: (values[name], origin) for name, origin in found.origins.items()} == {
        "out": ("o", str(sources)),
        "store": ("sqlite:///variable", "MCP_PERF_STORE"),
        "scenario": ("named", str(tmp_path / ".env")),
        "log_level": ("DEBUG", "MCP_PERF_LOG_LEVEL"),
        "log_format": ("text", "mcp-perf.toml"),
        "colour": ("never", "mcp-perf.toml"),
        "web_password": (SecretStr(""), "default"),
        "agent_key": (SecretStr(""), "default"),
        "run_key": (SecretStr(""), "default"),
    }  # fmt: skip


def test_a_file_of_variables_is_read_only_if_it_is_named(tmp_path):
    """A file that lies in the folder may be somebody else's."""
    (tmp_path / "here" / ".env").write_text("MCP_PERF_SCENARIO=theirs\n")
    assert settings.current().scenario == "twilio-tasks"
    CliRunner().invoke(main, ["--env-file", ".env", "list"])
    assert settings.current().scenario == "theirs"


@pytest.mark.parametrize("name", list(settings.Settings.model_fields))
def test_a_file_in_the_current_folder_sets_the_look_and_nothing_else(name, tmp_path):
    """Paths, hosts, scenarios and keys in it are refused, with what to do instead."""
    (tmp_path / "here" / "mcp-perf.toml").write_text(f'{name} = "never"\n')
    if name == "colour":
        assert settings.current().colour == "never"
    elif name == "log_format":
        (tmp_path / "here" / "mcp-perf.toml").write_text('log_format = "json"\n')
        assert settings.current().log_format == "json"
    else:
        with pytest.raises(settings.SettingsError, match=f"mcp-perf.toml .* sets {name}"):
            settings.current()


def test_in_the_folder_of_the_users_own_file_it_is_the_users_own(sources, monkeypatch):
    """It is the same file."""
    sources.write_text('scenario = "mine"\n')
    monkeypatch.chdir(sources.parent)
    assert settings.current().scenario == "mine"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('log_format = "xml"', "log_format: Input should be 'text' or 'json'"),
        ("out = 5", "out: Input should be a valid string"),
        ("log_level = 5", "log_level: Input should be 'DEBUG', 'INFO', 'WARNING' or 'ERROR'"),
        ("run_key = [5]", "run_key: Input should be a valid string"),
        ('stor = "x"', "the setting stor does not exist - did you mean 'store'?"),
        ("store =", "cannot be read: "),
    ],
)
def test_a_mistake_is_told_with_the_place_of_the_setting(sources, text, said):
    """The exit code is 104, and the value is never shown, because it may be secret."""
    sources.write_text(text)
    ended = CliRunner().invoke(main, ["trend"])
    assert ended.exit_code == 104
    assert ended.output.startswith(f"{sources}: {said}")
    ended = CliRunner().invoke(main, ["--env-file", "none", "list"])
    assert (ended.exit_code, ended.output) == (104, "--env-file none: there is no such file\n")


def test_runs_go_where_the_settings_say(tmp_path, monkeypatch):
    """Without a setting they go where they went before."""
    assert settings.runs() == folders.runs()
    monkeypatch.setenv("MCP_PERF_OUT", "runs")
    assert settings.runs(tmp_path) == tmp_path / "runs"
    monkeypatch.setenv("MCP_PERF_OUT", str(tmp_path / "elsewhere"))
    assert settings.runs() == tmp_path / "elsewhere"


def test_doctor_shows_what_is_in_force_and_no_secret(monkeypatch):
    """It shows the variable that each comes from, and variables that only look like settings."""
    monkeypatch.setenv("MCP_PERF_STORE", "postgresql://me:secret-word@host/runs")
    monkeypatch.setenv("MCP_PERF_RUN_KEY", "secret-key-of-the-run")
    monkeypatch.setenv("MCP_PERF_STOR", "x")
    out = Console(file=io.StringIO(), width=80)
    in_force.show(settings.in_force(), out)
    text = out.file.getvalue()
    said = r"^store +postgresql://\[redacted\]@host/runs +MCP_PERF_STORE *$"
    assert re.search(said, text, re.MULTILINE)
    assert re.search(r"^run_key +set +MCP_PERF_RUN_KEY *$", text, re.MULTILINE)
    assert re.search(r"^web_password +default *$", text, re.MULTILINE)
    assert "MCP_PERF_STOR is set, but there is no such setting" in text
    assert "secret" not in text


@pytest.mark.parametrize(
    ("chosen", "coloured"), [("auto", False), ("never", False), ("always", True)]
)
def test_colours_are_as_the_settings_say(chosen, coloured, monkeypatch):
    """They hold without a terminal, too. What a CI job asks for wins."""
    monkeypatch.setenv("MCP_PERF_COLOUR", chosen)
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    assert answer.console(file=io.StringIO()).is_terminal is coloured
    assert not answer.console(file=io.StringIO(), force_terminal=False).is_terminal
