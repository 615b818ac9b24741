"""The operations on state that a route may name: propose, insert, list, find, update."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from mcp_targets.upstream.inputs import RefusedError
from mcp_targets.upstream.provider import Propose, Provider, Route
from mcp_targets.upstream.store import Store
from mcp_targets.upstream.templates import Compiler

Values = dict[str, Any]
Do = Callable[[str, Values], None]
"""Does the operation for an account and adds results to the values. Raises RefusedError."""


class Action(msgspec.Struct, frozen=True):
    """An operation and the names of its results."""

    do: Do
    results: frozenset[str]


@dataclass(eq=False)
class Actions:
    """Compile the operations of one provider."""

    provider: Provider
    store: Store
    compiler: Compiler

    def of(self, route: Route, known: set[str]) -> Action:
        """Return the route's operation; the default renders `record`. Raises ValueError."""
        actions = (route.propose, route.insert, route.list, route.find, route.update)
        if sum(action is not None for action in actions) > 1:
            raise ValueError("a route has at most one of propose, insert, list, find and update")
        if route.propose is not None:
            return Action(self._propose(route.propose, known), frozenset({"records"}))
        if route.list is not None:
            names = {"records", "page", "page_size", "next_page_uri"}
            return Action(self._list(route.list), frozenset(names))
        if route.insert is not None:
            return Action(self._insert(route.insert, route.record, known), frozenset({"record"}))
        if wanted := route.find or route.update:
            change = route.record if route.update else {}
            return Action(self._change(wanted, change, known), frozenset({"record"}))
        return Action(self._render(route.record, known), frozenset({"record"}))

    def _render(self, template: Any, known: set[str]) -> Do:
        record = self.compiler.compile(template, known)

        def render(_: str, values: Values) -> None:
            values["record"] = record(values)

        return render

    def _propose(self, asked: Propose, known: set[str]) -> Do:
        self._check_collection(asked.avoid)
        if unknown := set(asked.per) - known:
            raise ValueError(f"propose.per: {min(unknown)!r} is not an input")
        value = self.compiler.compile(asked.value, known | {"serial"})
        record = self.compiler.compile(asked.record, known | {"serial", "value"})
        serials = range(asked.first, asked.last + 1)

        def propose(account: str, values: Values) -> None:
            found = self.store.propose(
                (asked.avoid, *(values[name] for name in asked.per)),
                serials,
                asked.count,
                lambda serial: value({**values, "serial": serial}),
                self._scope(asked.avoid, account),
            )
            values["records"] = [
                record({**values, "serial": serial, "value": proposed})
                for serial, proposed in found
            ]

        return propose

    def _insert(self, name: str, template: Any, known: set[str]) -> Do:
        self._check_collection(name)
        collection = self.provider.collections[name]
        record = self.compiler.compile(template, known)

        def insert(account: str, values: Values) -> None:
            made = record(values)
            unique, scope = collection.unique, self._scope(name, account)
            if unique is not None and not self.store.claim(scope, made[unique]):
                raise RefusedError(collection.error or "conflict", values)
            self.store.insert(account, name, made)
            values["record"] = made

        return insert

    def _change(self, name: str, template: Any, known: set[str]) -> Do:
        self._check_collection(name)
        if "id" not in known:
            raise ValueError("find and update need an {id} in the path")
        change = self.compiler.compile(template, known)

        def apply(account: str, values: Values) -> None:
            record = self.store.find(account, name, values["id"])
            if record is None:
                raise RefusedError("not-found", values)
            record |= {key: new for key, new in change(values).items() if new is not None}
            values["record"] = record

        return apply

    def _list(self, name: str) -> Do:
        self._check_collection(name)
        paging = self.provider.paging

        def list_page(account: str, values: Values) -> None:
            page = max(0, int(values.get(paging.page) or 0))
            size = min(paging.max_size, max(1, int(values.get(paging.size) or paging.default_size)))
            values["records"] = self.store.page(account, name, page * size, size)
            values["page"] = page
            values["page_size"] = size
            more = self.store.count(account, name) > (page + 1) * size
            query = f"{paging.size}={size}&{paging.page}={page + 1}"
            values["next_page_uri"] = f"{values['path']}?{query}" if more else None

        return list_page

    def _check_collection(self, name: str) -> None:
        if name not in self.provider.collections:
            raise ValueError(f"collection {name!r} is not defined")

    def _scope(self, name: str, account: str) -> tuple[str, str]:
        everywhere = self.provider.collections[name].within == "provider"
        return (name, "" if everywhere else account)
