"""Routes ready to run: a provider file's operations, checked and compiled."""

import random
import re
from typing import Any, Final

import msgspec

from mcp_targets.serving.service_time import ServiceTime, read
from mcp_targets.upstream.actions import Action, Actions
from mcp_targets.upstream.inputs import Field, fields
from mcp_targets.upstream.provider import Provider, Route
from mcp_targets.upstream.store import Store
from mcp_targets.upstream.templates import Compiler, Template, names_in

_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
_PARAMETER: Final = re.compile(r"\{(\w+)\}")


class Operation(msgspec.Struct, frozen=True):
    """A route, compiled."""

    name: str
    route: Route
    method: bytes
    path: re.Pattern[str]
    account: Template
    """Renders the account that the state belongs to, from the path's parameters."""
    fields: list[Field]
    action: Action
    body: Template
    service_time: ServiceTime
    rng: random.Random
    id_rng: random.Random

    def run(
        self, account: str, path: str, parameters: dict[str, str], given: dict[str, Any]
    ) -> Any:
        """Return the reply's body. Raises RefusedError."""
        values: dict[str, Any] = {**parameters, "account": account, "path": path}
        for field in self.fields:
            values[field.name] = field.value(given.get(field.name), values)
        if self.route.new_id is not None:
            values["id"] = f"{self.route.new_id}{self.id_rng.getrandbits(128):032x}"
        self.action.do(account, values)
        return self.body(values)


def build(provider: Provider, store: Store, compiler: Compiler, seed: int) -> list[Operation]:
    """Compile all routes of a provider. Raises a ValueError that names the route."""
    actions = Actions(provider, store, compiler)
    _check_errors(provider)
    built: list[Operation] = []
    for name, route in provider.routes.items():
        try:
            built.append(_operation(name, route, provider, actions, compiler, seed))
        except (ValueError, re.error) as error:
            raise ValueError(f"provider {provider.provider}, route {name}: {error}") from error
    return built


def _operation(
    name: str, route: Route, provider: Provider, actions: Actions, compiler: Compiler, seed: int
) -> Operation:
    method, _, path = route.request.partition(" ")
    if method not in _METHODS or not path.startswith("/"):
        raise ValueError(f"request must be like 'GET /path', not {route.request!r}")
    parameters = _PARAMETER.findall(path)
    given = {*parameters, "account", "path"}
    known = given | set(route.input) | ({"id"} if route.new_id is not None else set())
    action = actions.of(route, known)
    return Operation(
        name=name,
        route=route,
        method=method.encode(),
        path=_pattern(path, provider.patterns),
        # A path without the account's parameters belongs to no account.
        account=compiler.compile(
            provider.account if names_in(provider.account) <= set(parameters) else "", parameters
        ),
        fields=fields(route.input, given, compiler),
        action=action,
        body=compiler.compile(route.body, known | action.results),
        service_time=read(
            provider.service_time if route.service_time is None else route.service_time
        ),
        # Each route draws its own times and identifiers, independently of other requests.
        rng=random.Random(f"{seed}:{name}:times"),
        id_rng=random.Random(f"{seed}:{name}:ids"),
    )


def _pattern(path: str, patterns: dict[str, str]) -> re.Pattern[str]:
    pieces = _PARAMETER.split(path)
    return re.compile(
        "".join(
            f"(?P<{piece}>{patterns.get(piece, '[^/]+')})" if at % 2 else re.escape(piece)
            for at, piece in enumerate(pieces)
        )
    )


def _check_errors(provider: Provider) -> None:
    named = {collection.error for collection in provider.collections.values()}
    for route in provider.routes.values():
        for wanted in route.input.values():
            named |= {wanted.required, wanted.error}
    if missing := {name for name in named if name} - set(provider.errors):
        raise ValueError(f"provider {provider.provider}: no error {min(missing)!r} under errors")
