"""The settings of the tool, and where each comes from. No setting says what a run measures.

| source; the first that has a setting wins | may set |
|---|---|
| `MCP_PERF_NAME` in the environment | all |
| the file that `mcp-perf --env-file` names | all |
| `mcp-perf.toml` in the current folder, which may be somebody else's | how things look |
| `$XDG_CONFIG_HOME/mcp-perf.toml`, or by default `~/.config/mcp-perf.toml` | all |
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import click
from pydantic import BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from mcp_perf import folders
from mcp_perf.scenario.problems.suggestions import suggest

PREFIX: Final = "MCP_PERF_"
FILE: Final = "mcp-perf.toml"
DEFAULT: Final = "default"
_LOOK: Final = ("log_format", "colour")
_NOT_SET: Final = SecretStr("")
_OUT: Final = "The folder for all runs. Default: reports/out in a checkout, else mcp-perf-out."
_STORE: Final = "The URL of the database that remembers runs. Default: a file next to them."
_named: list[Path] = []
"""The file of `--env-file`, once it is given."""


class SettingsError(click.ClickException):
    """A setting that cannot be used; nothing was sent."""

    exit_code = 104

    def show(self, file: object = None) -> None:  # noqa: ARG002 -- click's signature
        """Say why, without a prefix."""
        click.echo(self.message, err=True)


class Settings(BaseSettings):
    """All settings. The type of a setting says which values it may have."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, frozen=True, hide_input_in_errors=True
    )

    out: str = Field("", description=_OUT)
    store: str = Field("", description=_STORE)
    scenario: str = Field("twilio-tasks", description="The scenario to run if none is named.")
    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR"],
        BeforeValidator(lambda text: str(text).upper()),
    ] = Field("INFO", description="The lowest level that is logged: DEBUG, INFO, WARNING or ERROR.")
    log_format: Literal["text", "json"] = Field(
        "text", description="The format of logs: text or json."
    )
    colour: Literal["auto", "always", "never"] = Field(
        "auto", description="When tables are coloured: auto, always or never."
    )
    web_password: SecretStr = Field(
        _NOT_SET, description="The password of the web page, for --web-login."
    )
    agent_key: SecretStr = Field(
        _NOT_SET, description="The key of the session API. Default: a new random one."
    )
    run_key: SecretStr = Field(_NOT_SET, description="The key shared by a master and its workers.")


@dataclass(frozen=True)
class InForce:
    """The settings, and where each comes from."""

    values: Settings
    origins: Mapping[str, str]
    unknown: tuple[str, ...]
    """Environment variables that are named like settings but are unknown."""


def name_env_file(path: Path) -> None:
    """Take settings from this file, too. Raises SettingsError if there is none."""
    if not path.is_file():
        raise SettingsError(f"--env-file {path}: there is no such file")
    _named[:] = [path]


def current() -> Settings:
    """Read the settings. Raises SettingsError."""
    return in_force().values


def in_force() -> InForce:
    """Read the settings with their origins. Raises SettingsError."""
    values: dict[str, Any] = {}
    origins = dict.fromkeys(Settings.model_fields, DEFAULT)
    unknown = []
    for origin, found in _sources():
        for name, value in found.items():
            if name not in origins and origin == PREFIX:
                unknown.append(f"{PREFIX}{name.upper()}")
            elif name not in origins:
                hint = suggest(name, origins)
                raise SettingsError(f"{origin}: the setting {name} does not exist - {hint}")
            elif name not in values:
                values[name] = value
                origins[name] = origin + name.upper() if origin == PREFIX else origin
    try:
        return InForce(Settings(**values), origins, tuple(unknown))
    except ValidationError as error:
        wrong = {str(one["loc"][0]): one["msg"] for one in error.errors()}
        lines = (f"{origins[name]}: {name}: {why}" for name, why in wrong.items())
        raise SettingsError("\n".join(lines)) from None


def runs(here: Path = Path()) -> Path:
    """Return the folder of all runs that begin `here`. Raises SettingsError."""
    chosen = current().out
    return here / Path(chosen).expanduser() if chosen else folders.runs(here)


def _sources() -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield PREFIX, _variables(EnvSettingsSource(Settings))
    for path in _named:
        yield str(path), _variables(DotEnvSettingsSource(Settings, env_file=path))
    own = Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser() / FILE
    here = Path(FILE)
    if here.resolve() != own.resolve():
        yield FILE, _harmless(_table(here))
    yield str(own), _table(own)


def _variables(source: EnvSettingsSource) -> dict[str, str]:
    """Return the settings among environment variables. An empty one sets nothing."""
    prefix = PREFIX.lower()
    return {
        name.removeprefix(prefix): value
        for name, value in source.env_vars.items()
        if name.startswith(prefix) and value
    }


def _table(path: Path) -> dict[str, Any]:
    try:
        return TomlConfigSettingsSource(Settings, path)()
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path}: cannot be read: {error}") from None


def _harmless(found: dict[str, Any]) -> dict[str, Any]:
    for name in found:
        if name not in _LOOK:
            raise SettingsError(
                f"{FILE} in the current folder sets {name}, but may only set {', '.join(_LOOK)}. "
                f"Set {PREFIX}{name.upper()}, or name a file with --env-file"
            )
    return found
