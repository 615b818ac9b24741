"""The replies of each step for the document, with a remark on any that may not be good answers."""

from collections.abc import Iterator
from typing import Final

from mcp_perf.numbers import said
from mcp_perf.outcomes import CLASSES, OK
from mcp_perf.results.document.document import StepReplies
from mcp_perf.results.document.text import clip, one_line
from mcp_perf.results.journal.records import LookedReplies
from mcp_perf.results.tally.tally import RunTally

_FEWEST_ALIKE: Final = 10
"""Equal replies to different arguments; fewer may be equal by chance."""
_EXAMPLE: Final = 200
"""Characters of a reply within a sentence."""


def replies(tally: RunTally) -> list[StepReplies]:
    """Return the replies of each step, in the order of the steps' first replies."""
    steps = dict.fromkeys([key[:2] for key in tally.first_replies] + list(tally.looked))
    return [_step(tally, arm, step) for arm, step in steps]


def _step(tally: RunTally, arm: str, step: str) -> StepReplies:
    known = {cls: tally.first_replies.get((arm, step, cls), "") for cls in CLASSES}
    first = {cls: text for cls, text in known.items() if text}
    seen = tally.looked.get((arm, step), LookedReplies(turn=0, arm=arm, step=step, looked=0))
    return StepReplies(
        arm=arm,
        step=step,
        first=first,
        looked=seen.looked,
        like_errors=seen.like_errors,
        empty=seen.empty,
        alike=_alike(seen),
        remarks=list(_remarks(seen, first.get(OK, ""))),
    )


def _alike(seen: LookedReplies) -> int:
    """Return how often the commonest of the replies to different arguments came."""
    return max((seen.alike.get(digest, 0) for digest in seen.varied), default=0)


def _remarks(seen: LookedReplies, first: str) -> Iterator[str]:
    if seen.like_errors:
        yield (
            f"{_share(seen, seen.like_errors, 'look like errors')}, such as: "
            f"{_clipped(seen.example)} If they are errors, say so with `expect`: then they count."
        )
    if seen.empty:
        yield f"{_share(seen, seen.empty, 'are empty')}."
    same = _alike(seen)
    if same >= _FEWEST_ALIKE and 2 * same >= seen.looked:
        alike_ = _share(seen, same, "are the same for different arguments")
        came_first = next(iter(seen.alike))
        known = came_first in seen.varied and seen.alike[came_first] == same
        # Replies that look like errors or are empty have no digest: the first may be one of them.
        if known and not seen.like_errors and not seen.empty:
            alike_ = f"{alike_}, such as: {_clipped(first)}"
        yield alike_


def _share(seen: LookedReplies, part: int, what: str) -> str:
    share = said(part / seen.looked, "fraction")
    whole = f"{share} of the ok answers of {seen.arm}, {seen.step}, {what}"
    return f"{whole} ({part} of {seen.looked} that were looked at)"


def _clipped(text: str) -> str:
    return clip(one_line(text), _EXAMPLE)
