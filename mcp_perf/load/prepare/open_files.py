"""Open files: every connection is one, and a process may only have a limited number."""

import contextlib
from collections.abc import Mapping
from typing import Final

from mcp_perf.client.protocol.versions import MODERN
from mcp_perf.load.steps.burst import widest
from mcp_perf.load.targets.answers import script_of
from mcp_perf.load.targets.bundled import transport_of
from mcp_perf.load.targets.refusal import Refusal
from mcp_perf.scenario.loader import Loaded
from mcp_perf.scenario.model.steps import flat

_OTHERS: Final = 256
"""The most files that a process has open besides its users' connections."""
_PER_USER: Final = {"sse": 2, "stdio": 3, "python": 0}
"""Connections or pipes of one user, on transports where all of its calls share them."""


def needed(loaded: Loaded, users: int, lines: Mapping[str, str]) -> int:
    """Return how many files a process with this many users may have open.

    `lines` are the targets by arm.
    """
    return _OTHERS + users * sum(_of_user(name, loaded, line) for name, line in lines.items())


def require(loaded: Loaded, users: int, lines: Mapping[str, str]) -> None:
    """Raise this process's limit to what its users need; child processes inherit it.

    Raises Refusal if the limit cannot be raised that far. A limit that is high enough stays.
    """
    with contextlib.suppress(ImportError):  # Windows does not have this limit
        import resource  # noqa: PLC0415

        wanted = needed(loaded, users, lines)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft == resource.RLIM_INFINITY or wanted <= soft:
            return
        unlimited = hard == resource.RLIM_INFINITY
        if wanted > hard and not unlimited:
            raise Refusal(_too_many(users, wanted, hard))
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted if unlimited else hard, hard))
        except (ValueError, OSError) as error:  # macOS says unlimited, but has a limit
            raise Refusal(_too_many(users, wanted, soft)) from error


def _too_many(users: int, wanted: int, most: int) -> str:
    return (
        f"{users} users need about {wanted} open files in one process, but this process may only "
        f"have {most} (ulimit -Hn). Raise that limit, ask for fewer users, or spread them over "
        "processes (--processes); a bundled system is one process with the same limit"
    )


def _of_user(name: str, loaded: Loaded, line: str) -> int:
    arm = loaded.scenario.arms[name]
    transport = transport_of(line)
    if transport not in ("http", "system"):
        return _PER_USER[transport]
    at_once = max(1, widest(loaded.scenario, name))
    if arm.kind != "mcp":
        return at_once
    modern, handshake = _subscriptions(name, loaded), _session_ways(name, loaded)
    either = {MODERN: modern, "auto": max(modern, handshake)}
    return at_once + either.get(arm.protocol, handshake)


def _subscriptions(name: str, loaded: Loaded) -> int:
    """Count a user's streams of subscriptions in 2026-07-28, which last until the journey's end."""
    return max(
        sum(step.action in ("listen", "subscribe") for step in journey.of(name))
        for journey in loaded.scenario.journeys.values()
    )


def _session_ways(name: str, loaded: Loaded) -> int:
    """Count a user's further connections up to 2025-11-25: for the stream, and for urgent messages.

    While a call goes on, answers and cancellations need another connection, one for each call of a
    burst.
    """
    asked = bool(script_of(name, loaded).capabilities)
    cancels = any(
        getattr(step, "cancel_after", None) is not None
        for journey in loaded.scenario.journeys.values()
        for step in flat(journey.of(name))
    )
    listens = loaded.scenario.arms[name].stream or _subscriptions(name, loaded) > 0
    side_ways = 1 + widest(loaded.scenario, name) if asked or cancels else 0
    return (listens or asked) + side_ways
