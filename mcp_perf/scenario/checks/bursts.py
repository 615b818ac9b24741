"""Steps within steps: a burst (`parallel:`) holds calls that begin at once."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from mcp_perf.scenario.model.scenario import Step
from mcp_perf.scenario.problems.finding import Finding, Path

MOST_AT_ONCE: Final = 100
_ALONE: Final = {
    "parallel": "its calls begin at once already: write them in one list",
    "open": "write it as a step before the burst",
    "close": "write it as a step after the burst",
    "listen": "write it as a step before the burst",
    "subscribe": "write it as a step before the burst",
    "await": "write it as a step after the burst",
    "wait": "nothing waits for it: write it before or after the burst",
}
"""What cannot be a part of a burst, and what to write instead."""


def flat(steps: Iterable[Step]) -> Iterator[Step]:
    """Yield the steps, with those of a burst in place of the burst."""
    for step in steps:
        yield from step.parallel or (step,)


def within(path: Path, step: Mapping[str, Any]) -> list[tuple[Path, Mapping[str, Any]]]:
    """Return the steps of a burst as they are written, and their paths; of any other, none."""
    listed = step.get("parallel")
    return [
        ((*path, "parallel", index), inner if isinstance(inner, dict) else {})
        for index, inner in enumerate(listed if isinstance(listed, list | tuple) else [])
    ]


def check_burst(path: Path, step: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield what cannot be done at once."""
    inner = within(path, step)
    if len(inner) > MOST_AT_ONCE:
        message = f"{len(inner)} steps at once"
        yield Finding((*path, "parallel"), message, f"write at most {MOST_AT_ONCE}")
    saved: set[str] = set()
    for here, one in inner:
        for action in sorted(_ALONE.keys() & one.keys()):
            message = f"{action} cannot stand in parallel"
            yield Finding((*here, action), message, _ALONE[action])
        for name in sorted(saves := _saves(one)):
            if name in saved:
                message = f"two steps at once save {name}, and either may be the last"
                yield Finding((*here, "save", name), message, "give each a name of its own")
        saved |= saves


def _saves(step: Mapping[str, Any]) -> set[str]:
    saves = step.get("save")
    return set(saves) if isinstance(saves, dict) else set()
