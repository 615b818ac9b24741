"""The address of this node as seen from outside: services are raced, the answer is cached."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import anyio
import msgspec

from mcp_targets.dual_runtime.errors import ToolFailure, Transient
from mcp_targets.dual_runtime.network import Fanout, gather

KEPT_S: Final = 300.0
_VIEWS: Final = 2
"""How many services are compared to find the kind of NAT."""

Nat = Literal["none", "cone", "symmetric", "unknown"]


class Seen(msgspec.Struct, frozen=True):
    """The address that a service saw."""

    ip: str
    port: int


Ask = Callable[[], Awaitable[Seen]]


async def race(services: Mapping[str, Ask], fanout: Fanout) -> tuple[str, Seen]:
    """Return the first answer with its service, and cancel the others. Raises Transient.

    With `fanout` "seq", services are asked in turn until one answers.
    """
    won: list[tuple[str, Seen]] = []

    async with anyio.create_task_group() as group:

        async def run(name: str, ask: Ask) -> None:
            try:
                seen = await ask()
            except ToolFailure:
                return
            won.append((name, seen))
            group.cancel_scope.cancel()

        for name, ask in services.items():
            if fanout == "par":
                group.start_soon(run, name, ask)
            elif not won:
                await run(name, ask)
    if not won:
        raise Transient("NO_PUBLIC_ADDRESS", f"none of {len(services)} services answered")
    return won[0]


def nat_type(local: Seen, seen: Sequence[Seen]) -> Nat:
    """Classify by how services on different addresses see one local port (RFC 4787, section 4.1).

    Every service sees the local address: no translation. All see the same other mapping:
    endpoint-independent ("cone"). They see different mappings: address-dependent ("symmetric").
    With fewer than two views it is unknown.
    """
    if not seen:
        return "unknown"
    if all(view == local for view in seen):
        return "none"
    if len(seen) < 2:
        return "unknown"
    return "cone" if len(set(seen)) == 1 else "symmetric"


class Address(msgspec.Struct, frozen=True):
    """The address of this node as seen from outside, and the service that saw it."""

    service: str
    seen: Seen
    nat: Nat


@dataclass(eq=False)
class PublicAddress:
    """The public address; services are asked again only if the last answer is old."""

    services: Mapping[str, Ask]
    local: Seen
    clock: Callable[[], float]
    fanout: Fanout
    _known: tuple[float, Address] | None = None

    async def get(self) -> Address:
        """Return the address. Raises Transient if no service answers."""
        now_s = self.clock()
        if self._known is None or now_s - self._known[0] >= KEPT_S:
            service, seen = await race(self.services, self.fanout)
            views = await gather(list(self.services.values())[:_VIEWS], self.fanout)
            self._known = (now_s, Address(service, seen, nat_type(self.local, views)))
        return self._known[1]
