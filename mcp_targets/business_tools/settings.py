"""The settings, from the environment, files and switches. Secrets are never shown."""

import re
from pathlib import Path
from typing import Any, Final, Literal

import yaml
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from mcp_targets.business_tools.resilience.limits import RateLimit

OnOff = Literal["on", "off"]

_ENCRYPTED: Final = "enc:"


class Settings(BaseSettings):
    """All settings. In the environment each is BUSINESS_TOOLS_ and its name in capitals."""

    model_config = SettingsConfigDict(env_prefix="BUSINESS_TOOLS_", extra="forbid", frozen=True)

    pool: OnOff = "on"
    retry: OnOff = "on"
    breaker: OnOff = "on"
    cache: OnOff = "on"
    limits: OnOff = "on"
    client_limits: OnOff = "on"
    timeouts: OnOff = "on"
    auth: OnOff = "off"
    audit: OnOff = "on"
    frozen_heap: OnOff = "on"
    delay: float = Field(default=0.0, ge=0)
    """Seconds added to each call. Like `errors`, for trying whether gates notice."""
    errors: float = Field(default=0.0, ge=0, le=1)
    """The share of calls that fail."""
    redis_url: SecretStr = SecretStr("")
    mongodb_uri: SecretStr = SecretStr("mongodb://127.0.0.1:27017")
    read_only: bool = False
    client_rate: RateLimit = RateLimit(requests=2000, per_s=1)
    request_timeout_s: float = Field(default=30.0, gt=0)
    body_limit: int = Field(default=1_000_000, ge=1000)
    """Bytes."""
    allowed_addresses: tuple[str, ...] = ("127.0.0.0/8", "::1/128")
    """Networks of callers."""
    allowed_hosts: tuple[str, ...] = ()
    """Hosts that webhooks may go to although they are not public."""
    api_keys: dict[str, str] = {}
    """Hashes of keys by the client's name and a number, such as `shop/1`."""
    jwt_secret: SecretStr = SecretStr("")
    twilio_account: str = "AC" + "b0" * 16
    twilio_number: str = "+14165550105"
    email_from: str = "tools@example.org"
    secrets: dict[str, SecretStr] = {}
    """Keys by provider; in files `enc:…`, encrypted at rest."""
    webhook_secrets: dict[str, SecretStr] = {}
    """What incoming webhooks are signed with, by provider."""

    def on(self, switch: str) -> bool:
        """Return whether a mechanism is on."""
        return bool(getattr(self, switch) == "on")

    def variables(self) -> dict[str, str]:
        """Return the settings that tools may see."""
        names = ("twilio_account", "twilio_number", "email_from")
        return {name: getattr(self, name) for name in names}


class SecretBox:
    """Encrypt and decrypt secrets. The first key encrypts; the others only decrypt."""

    def __init__(self, keys: str) -> None:
        """`keys` are Fernet keys separated by commas, or empty."""
        found = [Fernet(part) for part in keys.split(",") if part]
        self._box = MultiFernet(found) if found else None

    def close(self, secret: str) -> str:
        """Return a secret in its encrypted form, for a file. Raises ValueError without a key."""
        if self._box is None:
            raise ValueError("set BUSINESS_TOOLS_KEY to encrypt secrets")
        return _ENCRYPTED + self._box.encrypt(secret.encode()).decode()

    def open(self, text: str) -> str:
        """Return the secret; one that is not encrypted stays as it is. Raises ValueError."""
        if not text.startswith(_ENCRYPTED):
            return text
        if self._box is None:
            raise ValueError("a secret is encrypted, and BUSINESS_TOOLS_KEY is not set")
        try:
            return self._box.decrypt(text.removeprefix(_ENCRYPTED)).decode()
        except InvalidToken:
            raise ValueError("a secret was encrypted with another BUSINESS_TOOLS_KEY") from None


def load(file: Path | None, keys: str = "", **given: Any) -> Settings:
    """Return the settings: first what is given, then the environment, then the file.

    The file is `.env…`, with names as in the environment, or YAML. Raises a ValueError that
    names the setting but not its value.
    """
    box = SecretBox(keys)
    try:
        if file is None:
            return _opened(Settings(**given), box)
        if file.suffix not in (".yaml", ".yml"):
            return _opened(Settings(**{"_env_file": file, **given}), box)
        written = yaml.safe_load(file.read_text("utf-8")) or {}
        if not isinstance(written, dict):
            raise ValueError(f"{file}: write one setting a line, as name: value")  # noqa: TRY004
        return _opened(Settings(**{**written, **given}), box)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        at = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"the setting {at}: {first['msg']}") from None
    except (OSError, yaml.YAMLError) as error:
        raise ValueError(f"cannot read {file}: {type(error).__name__}") from error


def _opened(settings: Settings, box: SecretBox) -> Settings:
    update: dict[str, Any] = {}
    for name in ("secrets", "webhook_secrets"):
        kept: dict[str, SecretStr] = getattr(settings, name)
        update[name] = {
            one: SecretStr(box.open(secret.get_secret_value())) for one, secret in kept.items()
        }
    for name in ("redis_url", "mongodb_uri", "jwt_secret"):
        update[name] = SecretStr(box.open(getattr(settings, name).get_secret_value()))
    return settings.model_copy(update=update)


def check_key(provider: str, pattern: str, secret: str) -> None:
    """Raise ValueError, without the key, if a key cannot belong to this provider."""
    if not re.fullmatch(pattern, secret):
        raise ValueError(f"the key of {provider} does not look like one: it must match {pattern}")
