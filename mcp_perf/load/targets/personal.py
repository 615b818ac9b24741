"""What differs from user to user: identity, headers, a server's environment, credentials."""

import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from importlib import import_module
from types import MappingProxyType
from typing import Any, Final

from mcp_perf.client.channels.inprocess import Code
from mcp_perf.client.channels.stdio import Command
from mcp_perf.client.http.endpoint import Endpoint, secured
from mcp_perf.client.mcp.messenger import Credentials
from mcp_perf.load.hub.redaction import hide
from mcp_perf.load.hub.waiting import in_a_thread
from mcp_perf.load.targets.refusal import Refusal
from mcp_perf.scenario.loader import Loaded
from mcp_perf.scenario.model.identities import names_in
from mcp_perf.scenario.model.scenario import Arm
from mcp_perf.scenario.model.targets import Tls
from mcp_perf.scenario.values.files import named
from mcp_perf.scenario.values.generators import IDENTITY
from mcp_perf.scenario.values.templates import compile_template

Identity = Mapping[str, Any]
NOBODY: Final[Identity] = MappingProxyType({})
"""The identity of every user if the scenario has no identities."""
_OF_CREDENTIALS = ("client_id", "client_secret", "issuer", "metadata_url")
Destination = Endpoint | Command | Code
"""Where calls go, with everything that the users of an arm share."""


class NoneLeft(Exception):  # noqa: N818 -- a user too many, not a fault
    """During the run, more users were asked for than there are identities."""


class Roster:
    """The identities of one process. A user takes one, and gives it back when it leaves."""

    def __init__(self, identities: Sequence[Identity] | None) -> None:
        """Fill the roster. None is for a scenario without identities."""
        self._used = identities is not None
        self._free = list(identities or ())[::-1]

    def take(self) -> Identity:
        """Return an identity that no other user has. Raises NoneLeft."""
        if not self._used:
            return NOBODY
        if not self._free:
            raise NoneLeft("there are more users than identities, so this user does nothing")
        return self._free.pop()

    def give_back(self, identity: Identity) -> None:
        if self._used:
            self._free.append(identity)


class CredentialStore:
    """Makes credentials when they are first asked for. Users with equal ones share them."""

    def __init__(self, arm: Arm, loaded: Loaded, where: Endpoint) -> None:
        """Load what OAuth needs. Raises Refusal that names the extra if it is not installed."""
        assert arm.auth is not None  # noqa: S101 -- the caller has checked
        # The import takes most of a second, so only runs that need it make it. On a busy machine
        # it takes some seconds, in which a worker's heartbeats to its master must go on.
        try:
            self._oauth = in_a_thread(lambda: import_module("mcp_perf.client.mcp.oauth"))
        except ModuleNotFoundError as error:
            needed = f"auth: oauth needs {error.name}, which is not installed"
            raise Refusal(f"{needed}: pip install 'mcp-perf[oauth]'") from error
        self._written = arm.auth.oauth
        self._url = where.url
        texts = {name: getattr(self._written, name) for name in _OF_CREDENTIALS}
        self._texts = compile_template(texts, env=loaded.env)
        login = {"Proxy-Authorization": where.origin.login} if where.origin.login else {}
        tls = tls_of(arm.tls, loaded)
        way = partial(Endpoint.of, tls=tls, proxy=arm.proxy, headers=login)
        self._http = self._oauth.Exchanges(way, where.origin)
        self._made: dict[tuple[str, ...], Credentials] = {}

    def of(self, identity: Mapping[str, Any]) -> Credentials:
        """Return the credentials of an identity. Raises ValueError on a bad value."""
        rendered = self._texts.render({IDENTITY: identity})
        texts = {name: str(value) for name, value in rendered.items()}
        key = tuple(texts.values())
        if key not in self._made:
            written = self._written
            how = {"grant": written.flow, "method": written.method, "scopes": written.scopes}
            who = self._oauth.Registration(**texts, **how)
            made = self._oauth.OAuthCredentials(self._url, who, http=self._http, hide=hide)
            self._made[key] = made
        return self._made[key]


class Personal:
    """What differs from user to user on one arm, ready to be filled in for each."""

    def __init__(self, arm: Arm, loaded: Loaded, where: Destination | None = None) -> None:
        """Compile it. Raises Refusal if credentials for `where` need what is not installed."""
        self._headers = compile_template(of_users(arm.headers), loaded.env)
        self._env = compile_template(of_users(arm.env), loaded.env)
        self._store: CredentialStore | None = None
        if arm.auth is not None and isinstance(where, Endpoint):
            self._store = CredentialStore(arm, loaded, where)

    def headers(self, identity: Identity) -> dict[str, str]:
        return _texts(self._headers.render({IDENTITY: identity}))

    def destination(self, shared: Destination, identity: Identity) -> Destination:
        """Return the destination of an arm for one user. Raises ValueError on a bad header."""
        if isinstance(shared, Endpoint) and shared.personal:
            return shared.for_user(self.headers(identity))
        if isinstance(shared, Command) and not self._env.constant:
            own = _texts(self._env.render({IDENTITY: identity}))
            return replace(shared, env={**shared.env, **own})
        return shared

    def credentials(self, identity: Identity) -> Credentials | None:
        """Return what gives a user its token. Users with the same identity share it."""
        return None if self._store is None else self._store.of(identity)


def tls_of(tls: Tls, loaded: Loaded) -> Callable[[], ssl.SSLContext]:
    """Return a function that reads the files of `tls`. Raises InputError if one is missing."""
    files = {key: str(named(text, loaded.env, loaded.base)) for key, text in tls.files.items()}
    return partial(secured, verify=tls.verify, **files)


def of_users(texts: Mapping[str, str]) -> dict[str, str]:
    """Return the texts that differ from user to user, because they look up an identity."""
    return {name: text for name, text in texts.items() if any(names_in(text))}


def shared_by_all(texts: Mapping[str, str], loaded: Loaded) -> dict[str, str]:
    """Fill in the environment's variables, in the texts that are the same for all users."""
    shared = {name: text for name, text in texts.items() if not any(names_in(text))}
    rendered: dict[str, str] = compile_template(shared, env=loaded.env).render({})
    return rendered


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in values.items()}
