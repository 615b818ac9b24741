"""What of an arm differs from user to user: headers, a server's environment, credentials."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mcp_perf.client.channels.inprocess import Code
from mcp_perf.client.channels.stdio import Command
from mcp_perf.client.http.endpoint import Endpoint
from mcp_perf.client.mcp.messenger import Credentials
from mcp_perf.load.targets.credentials import CredentialStore
from mcp_perf.load.targets.roster import Identity
from mcp_perf.scenario.loader import Loaded
from mcp_perf.scenario.model.identities import names_in
from mcp_perf.scenario.model.scenario import Arm
from mcp_perf.scenario.values.generators import IDENTITY
from mcp_perf.scenario.values.templates import compile_template

_Destination = Endpoint | Command | Code


class Personal:
    """One arm's, ready to be filled in for each user."""

    def __init__(self, arm: Arm, loaded: Loaded, store: CredentialStore | None = None) -> None:
        theirs = {name: text for name, text in arm.headers.items() if any(names_in(text))}
        self._headers = compile_template(theirs, loaded.env)
        theirs = {name: text for name, text in arm.env.items() if any(names_in(text))}
        self._env = compile_template(theirs, loaded.env)
        self._store = store

    def headers(self, identity: Identity) -> dict[str, str]:
        return _texts(self._headers.render({IDENTITY: identity}))

    def destination(self, shared: _Destination, identity: Identity) -> _Destination:
        """Return where an arm is, as one user sees it. Raises ValueError on a bad header."""
        if isinstance(shared, Endpoint) and shared.personal:
            return shared.for_user(self.headers(identity))
        if isinstance(shared, Command) and not self._env.constant:
            own = _texts(self._env.render({IDENTITY: identity}))
            return replace(shared, env={**shared.env, **own})
        return shared

    def credentials(self, identity: Identity) -> Credentials | None:
        """Return what gives a user its token; users of one identity share it."""
        return None if self._store is None else self._store.of(identity)


def shared_by_all(texts: Mapping[str, str], loaded: Loaded) -> dict[str, str]:
    """Fill in the environment's variables, in those that are the same for all users."""
    shared = {name: text for name, text in texts.items() if not any(names_in(text))}
    rendered: dict[str, str] = compile_template(shared, env=loaded.env).render({})
    return rendered


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in values.items()}
