"""Identities that come from requests: one for each user, before the run."""

from collections.abc import Collection, Sequence
from functools import partial
from typing import Any, Final

import gevent
from gevent.pool import Pool
from jmespath.exceptions import JMESPathError

from mcp_perf.client.http.endpoint import Endpoint, with_body
from mcp_perf.client.http.rest import RestClient, encode_fields
from mcp_perf.client.reply import UNREADABLE, Reply
from mcp_perf.load.hub.redaction import hide
from mcp_perf.load.hub.waiting import caught
from mcp_perf.load.steps.expressions import TooMuch, getter
from mcp_perf.load.steps.step import encode_form, encode_json
from mcp_perf.load.targets.personal import Identity, tls_of
from mcp_perf.load.targets.refusal import CONFIGURATION, UNREACHABLE, Refusal
from mcp_perf.outcomes import HTTP_ERROR, OK
from mcp_perf.results.journal.redact import WORD
from mcp_perf.scenario.loader import Loaded
from mcp_perf.scenario.model.confidential import is_secret, secret_names
from mcp_perf.scenario.model.identities import MOST_AT_ONCE, NUMBER, Provision
from mcp_perf.scenario.problems.wording import quote
from mcp_perf.scenario.values.generators import IDENTITY
from mcp_perf.scenario.values.templates import compile_template

MOST_S: Final = 120.0
"""For all identities together."""


def provision_all(
    provision: Provision, rows: Sequence[dict[str, Any]], loaded: Loaded, run: str
) -> list[Identity]:
    """Get an identity for each row, several at a time. Raises Refusal."""
    provisioner = _Provisioner(provision, loaded, run)
    provisioned: list[Identity] = []
    pool = Pool(MOST_AT_ONCE)
    told = f"did not answer for all {len(rows)} users within {MOST_S:g} s"
    late = Refusal(f"identities: {provision.post} {told}", code=UNREACHABLE)
    try:
        with gevent.Timeout(MOST_S, late):
            for made, error in pool.imap(partial(caught, provisioner.one), rows):
                if error is not None:
                    raise error
                provisioned.append(made)
    finally:
        pool.kill()
    return provisioned


class _Provisioner:
    def __init__(self, provision: Provision, loaded: Loaded, run: str) -> None:
        self._provision = provision
        self._run = run
        self._hidden = secret_names(loaded.scenario)
        content = provision.json_ if provision.form is None else provision.form
        written = {"headers": provision.headers, "content": content}
        self._request = compile_template(written, env=loaded.env)
        self._take = {name: getter(path) for name, path in provision.take.items()}
        try:
            self._endpoint = Endpoint.of(
                provision.post,
                timeout_s=provision.timeout,
                tls=tls_of(provision.tls, loaded),
                personal=provision.headers,
            )
        except ValueError as error:
            raise Refusal(f"identities: {error}") from error

    def one(self, row: dict[str, Any]) -> Identity:
        """Ask for one. Raises Refusal."""
        rendered = self._request.render({IDENTITY: row, "run": self._run})
        try:
            endpoint = self._endpoint.for_user(
                {name: str(value) for name, value in rendered["headers"].items()}
            )
        except ValueError as error:
            raise self._refusal(row, CONFIGURATION, str(error)) from error
        client = RestClient(endpoint)
        try:
            reply = client.send(_encode(endpoint, self._provision, rendered["content"]))
        finally:
            client.close()
        if reply.outcome != OK:
            refused = reply.outcome == HTTP_ERROR and reply.status < 500
            fault = CONFIGURATION if refused else UNREACHABLE
            raise self._refusal(row, fault, reply.detail)
        identity = {**row, **self._taken(row, reply)}
        hide_secrets(identity, self._hidden, self._take)
        return identity

    def _taken(self, row: dict[str, Any], reply: Reply) -> dict[str, Any]:
        try:
            root = reply.json()
        except UNREADABLE as error:
            why = reply.detail or "the reply is not JSON"
            message = f"HTTP {reply.status}, and {why}"
            raise self._refusal(row, CONFIGURATION, message) from error
        try:
            found = {name: get(root) for name, get in self._take.items()}
        except JMESPathError as error:
            # The text of jmespath is not shown, because it holds the value.
            wrong = "a function gets a value of the wrong type"
            why = str(error) if isinstance(error, TooMuch) else wrong
            raise self._refusal(row, CONFIGURATION, f"take: {why}") from error
        for name, value in found.items():
            if value is None or value == "":
                # The reply is not shown: it may hold secrets whose names nobody knows.
                known = ", ".join(map(quote, root)) if isinstance(root, dict) else "no names"
                path = quote(self._provision.take[name])
                message = f"take {name}: nothing at {path}; the reply has {known}"
                raise self._refusal(row, CONFIGURATION, message)
        return found

    def _refusal(self, row: dict[str, Any], code: int, why: str) -> Refusal:
        where = f"identities: {self._provision.post} for number {row[NUMBER]}"
        return Refusal(f"{where}: {why}", code=code)


def _encode(endpoint: Endpoint, provision: Provision, content: Any) -> bytes:
    if provision.form is not None:
        kind, body = "application/x-www-form-urlencoded", encode_form(content)
    else:
        kind, body = "application/json", b"" if content is None else encode_json(content)
    head = endpoint.line("POST", endpoint.target)
    return with_body(head + encode_fields(endpoint, [("Content-Type", kind)]), body)


def hide_secrets(identity: Identity, used: set[str], brought: Collection[str] = ()) -> None:
    """Redact the secrets of an identity from now on; `used` comes from `secret_names`.

    A value that a request `brought` may be secret whatever its name is, unless it is short.
    """
    hide(
        text
        for name, text in ((name, str(value)) for name, value in identity.items())
        if name != NUMBER and (is_secret(name, used) or (name in brought and len(text) >= WORD))
    )
