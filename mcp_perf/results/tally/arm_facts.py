"""What judging and reporting both ask about an arm."""

from collections import Counter
from collections.abc import Sequence
from operator import attrgetter
from typing import Final

from mcp_perf.results.document.document import Latency
from mcp_perf.results.journal.records import Note
from mcp_perf.results.tally.groups import Tally
from mcp_perf.results.tally.metrics import FRACTIONS
from mcp_perf.results.tally.tally import RunTally

FORGOT: Final = "forgot"
EVICTED: Final = "evicted"
RESTARTED: Final = "restarted"
ELSEWHERE: Final = "elsewhere"
REFUSED: Final = "refused"
"""How a session was lost; a refused one never opened."""
_AT_ONCE_S: Final = 2.5
"""Lost sessions are reported once a second, and a user may notice one only after a think time."""
_MOST: Final = 0.8
_BY_CHANCE: Final = 0.3
"""A session can be evicted as soon as it is opened; with two processes, half of the calls stray."""


def unsampled(tally: RunTally, arm: str) -> str:
    """Say why nobody knows what an arm's target used; an empty text if it was sampled."""
    described = tally.run.arms.get(arm, {}).get("resources")
    return "This run did not sample it." if described is None else str(described["why_not"])


def sharing(tally: RunTally, arm: str) -> list[str]:
    """Return the other arms that an arm's processes work for."""
    described = tally.run.arms.get(arm, {}).get("resources", {})
    return [str(other) for other in described.get("shared", ())]


def losses(tally: RunTally, arm: str) -> Counter[str]:
    """Count an arm's lost sessions by how they were lost, and the sessions that were refused.

    Servers that evict and servers that restart mostly say the same: unknown session. If each user
    lost at most one session, and most were lost at once, the server had restarted. If users lost
    sessions again and again, one by one, the server evicts them.
    """
    of_arm = [note for note in tally.notes if note.arm == arm]
    notes = [note for note in of_arm if note.code == "session_lost"]
    lost = Counter({REFUSED: sum(note.count for note in of_arm if note.kind == REFUSED)})
    for note in notes:
        lost[note.kind or FORGOT] += note.count
    unknown = lost[FORGOT] + lost[ELSEWHERE]
    if unknown and lost[ELSEWHERE] <= _BY_CHANCE * unknown:
        users = max((turn.started.users for turn in tally.turns_of(arm)), default=0)
        meant = _meant([note for note in notes if note.kind in ("", FORGOT, ELSEWHERE)], users)
        lost[FORGOT] = lost[ELSEWHERE] = 0
        lost[meant] += unknown
    return +lost


def _meant(notes: Sequence[Note], users: int) -> str:
    notes = sorted(notes, key=attrgetter("at_s"))
    at_once = [0]
    for before, note in zip([notes[0], *notes], notes, strict=False):
        if note.at_s - before.at_s > _AT_ONCE_S:
            at_once.append(0)
        at_once[-1] += note.count
    if sum(at_once) > users * len(at_once):
        return EVICTED
    return RESTARTED if users > 1 and min(at_once) >= _MOST * users else FORGOT


def latency(tally: Tally) -> Latency:
    """Return the numbers of the latency."""
    percentiles = zip(FRACTIONS, tally.percentiles_ms(list(FRACTIONS.values())), strict=True)
    return Latency(n=tally.n, mean=tally.mean_ms(), max=tally.max_ms(), **dict(percentiles))
