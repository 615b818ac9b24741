"""The order of steps: sessions, listening, and bursts (`parallel:`) of calls at once."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from mcp_perf.scenario.checks.names import Located, saves, within
from mcp_perf.scenario.model.kinds import UPDATED
from mcp_perf.scenario.model.scenario import Arm
from mcp_perf.scenario.problems.mistake import Mistake, Path

LocatedSteps = Sequence[Located]
MOST_AT_ONCE: Final = 100


def check_sessions(name: str, arm: Arm, journeys: Iterable[LocatedSteps]) -> Iterator[Mistake]:
    """Yield what is wrong with an arm's `open` and `close` steps; without any, nothing is.

    Every journey opens before it calls and closes after. So no call ever pays for a session that
    opens unasked, and no session stays open unseen.
    """
    journeys = list(journeys)
    used = [one for steps in journeys for one in steps if one[1].action in ("open", "close")]
    if not used:
        return
    if arm.process == "shared":
        path, step = used[0]
        message = f"{step.action} would end the process that all users of {name!r} share"
        hint = f"remove {step.action}, or process: shared"
        yield Mistake((*path, step.action), message, hint)
        return
    for steps in journeys:
        yield from _journey(name, steps)


def _journey(name: str, steps: LocatedSteps) -> Iterator[Mistake]:
    opened: Path | None = None
    for here, step in steps:
        if step.action == "open":
            if opened is not None:
                message = "open, but a session is open already"
                yield Mistake((*here, "open"), message, "write close: true before it")
            opened = here
        elif step.action == "close":
            if opened is None:
                message = "close, but no session is open"
                yield Mistake((*here, "close"), message, "write open: true before it")
            opened = None
        elif opened is None and step.action not in ("wait", ""):
            message = f"no session is open: the steps of {name!r} open and close sessions"
            hint = "write open: true before this call, in every journey of the arm"
            yield Mistake(here, message, hint)
            return
    if opened is not None:
        message = "a session is opened but never closed"
        yield Mistake((*opened, "open"), message, "write close: true at the end of the journey")


def check_listening(steps: LocatedSteps) -> Iterator[Mistake]:
    """Yield each `await` for something that no earlier step of the journey has asked for."""
    told: set[str] = set()
    for path, step in steps:
        if step.action == "listen":
            told |= {f"{name}/list_changed" for name in step.subject or ()}
        elif step.action == "subscribe":
            told.add(UPDATED)
        elif step.action == "close":
            told.clear()
        elif step.action == "await" and step.subject.notification not in (None, *told):
            name = step.subject.notification
            what = "subscribe: URI" if name == UPDATED else f"listen: [{name.split('/')[0]}]"
            message = f"nothing before this step subscribes to {name}, so it will not come"
            yield Mistake((*path, "await"), message, f"write {what} as an earlier step")


def check_burst(burst: Located) -> Iterator[Mistake]:
    """Yield what cannot be done at once."""
    inner = within(burst)
    if len(inner) > MOST_AT_ONCE:
        message = f"{len(inner)} steps in one parallel"
        yield Mistake((*burst[0], "parallel"), message, f"write at most {MOST_AT_ONCE}")
    saved: set[str] = set()
    for path, step in inner:
        if step.alone:
            message = f"{step.action} cannot be used in parallel"
            yield Mistake((*path, step.action), message, step.alone)
        for name in sorted(saves(step) & saved):
            message = f"two steps of one parallel save {name}, and either may finish last"
            yield Mistake((*path, "save", name), message, "save each under another name")
        saved |= saves(step)
