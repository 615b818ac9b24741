"""The OAuth credentials of one arm: one token for all users of an identity."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import gevent

from mcp_perf.client.mcp.messenger import Credentials
from mcp_perf.load.hub.redaction import hide
from mcp_perf.load.targets.refusal import CONFIGURATION, Refusal
from mcp_perf.scenario.loader import Loaded
from mcp_perf.scenario.model.scenario import Arm
from mcp_perf.scenario.values.generators import IDENTITY
from mcp_perf.scenario.values.templates import compile_template

_TEXTS = ("client_id", "client_secret", "issuer", "metadata_url")


class CredentialStore:
    """Makes credentials where they are first asked for; equal ones are the same."""

    def __init__(self, arm: Arm, loaded: Loaded, url: str) -> None:
        """Load what OAuth needs. Raises Refusal, naming the extra, where it is not installed."""
        assert arm.auth is not None  # noqa: S101 -- asked before
        # It takes most of a second to import, which only a run that needs it has to spend; on a
        # busy machine some seconds, in which a worker has to tell its master that it is there.
        try:
            self._oauth = gevent.get_hub().threadpool.apply(
                import_module, ("mcp_perf.client.mcp.oauth",)
            )
        except ModuleNotFoundError as error:
            needed = f"auth: oauth needs {error.name}, which is not installed"
            raise Refusal(CONFIGURATION, [f"{needed}: pip install 'mcp-perf[oauth]'"]) from error
        self._written = arm.auth.oauth
        self._url = url
        texts = {name: getattr(self._written, name) for name in _TEXTS}
        self._texts = compile_template(texts, env=loaded.env)
        verify = arm.tls.verify if arm.tls.ca is None else str(loaded.base / arm.tls.ca)
        self._http = self._oauth.connections(verify=verify)
        self._made: dict[tuple[str, ...], Credentials] = {}

    def of(self, identity: Mapping[str, Any]) -> Credentials:
        """Return the credentials of an identity. Raises ValueError on a bad value."""
        rendered = self._texts.render({IDENTITY: identity})
        texts = {name: str(value) for name, value in rendered.items()}
        key = tuple(texts.values())
        if key not in self._made:
            written = self._written
            who = self._oauth.Registration(
                **texts, grant=written.flow, method=written.method, scopes=written.scopes
            )
            self._made[key] = self._oauth.OAuthCredentials(
                self._url, who, http=self._http, hide=hide
            )
        return self._made[key]
