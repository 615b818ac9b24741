"""Sessions that steps open and close: which journeys of an arm make sense together."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from mcp_perf.scenario.problems.finding import Finding, Path

_OURS: Final = ("open", "close")

Steps = Sequence[tuple[Path, Mapping[str, Any]]]


def check_sessions(
    name: str, arm: Mapping[str, Any], journeys: Iterable[Steps]
) -> Iterator[Finding]:
    """Yield what is wrong with an arm's `open` and `close`; without any of them, nothing is.

    Every journey opens before it calls and closes after, so that no call ever pays for a session
    that opens by itself, and none is left open unseen.
    """
    journeys = list(journeys)
    used = [(path, step) for steps in journeys for path, step in steps if _has(step, *_OURS)]
    if not used:
        return
    if arm.get("process") == "shared":
        path, step = used[0]
        action = next(action for action in _OURS if action in step)
        message = f"{action} would end the one process that all users of {name!r} share"
        yield Finding((*path, action), message, f"remove {action}, or process: shared")
        return
    for steps in journeys:
        yield from _journey(name, steps)


def _journey(name: str, steps: Steps) -> Iterator[Finding]:
    opened: Path | None = None
    for here, step in steps:
        if "open" in step:
            if opened is not None:
                message = "open, while a session is open"
                yield Finding((*here, "open"), message, "write close: true before")
            opened = here
        elif "close" in step:
            if opened is None:
                message = "close, while no session is open"
                yield Finding((*here, "close"), message, "write open: true before the calls")
            opened = None
        elif opened is None and not _has(step, "wait"):
            message = f"a call without a session: steps of {name!r} open and close them"
            yield Finding(here, message, "write open: true before it, in every journey of the arm")
            return
    if opened is not None:
        message = "a session that is opened and never closed"
        hint = "write close: true at the end of the journey"
        yield Finding((*opened, "open"), message, hint)


def _has(step: Mapping[str, Any], *actions: str) -> bool:
    return any(action in step for action in actions)
