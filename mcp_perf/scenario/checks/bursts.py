"""Steps within steps: a burst (`parallel:`) holds calls that begin at once."""

from collections.abc import Iterable, Iterator
from typing import Final

from mcp_perf.scenario.checks.names import Located, saves, within
from mcp_perf.scenario.model.steps import Step
from mcp_perf.scenario.problems.mistake import Mistake

MOST_AT_ONCE: Final = 100


def flat(steps: Iterable[Step]) -> Iterator[Step]:
    """Yield the steps, with those of a burst in place of the burst."""
    for step in steps:
        yield from step.inner or (step,)


def check_burst(burst: Located) -> Iterator[Mistake]:
    """Yield what cannot be done at once."""
    inner = within(burst)
    if len(inner) > MOST_AT_ONCE:
        message = f"{len(inner)} steps at once"
        yield Mistake((*burst[0], "parallel"), message, f"write at most {MOST_AT_ONCE}")
    saved: set[str] = set()
    for path, step in inner:
        if step.alone:
            message = f"{step.action} cannot stand in parallel"
            yield Mistake((*path, step.action), message, step.alone)
        for name in sorted(saves(step) & saved):
            message = f"two steps at once save {name}, and either may be the last"
            yield Mistake((*path, "save", name), message, "give each a name of its own")
        saved |= saves(step)
