"""Targets that stopped answering, lost sessions, and users without one, for the verdict.

Each yields a code and a sentence.
"""

from collections.abc import Container, Iterable, Iterator, Mapping
from operator import attrgetter
from typing import Final

from msgspec.structs import replace

from mcp_perf.numbers import counted, out_of, said
from mcp_perf.results.journal.records import SILENT, Outage
from mcp_perf.results.tally.metrics import Totals

MOST_USERS: Final = 0.01
"""Share of the users of an arm over all measured rounds; if more were not served, the run fails."""

_FULL: Final = " The server does not open more, because it has as many sessions as it allows."

MOST_HEALED: Final = 0.01
"""Share of the calls of an arm, unless the scenario's `limits` say otherwise."""
_BECAUSE: Final = {
    "forgot": "{sessions} were lost: the server no longer knew them.",
    "evicted": "{sessions} were lost one by one: the server evicts them, because it keeps "
    "fewer than there are users, or requests reach a process that does not keep them (affinity).",
    "restarted": "{sessions} were lost at once: the server had restarted.",
    "elsewhere": "{sessions} were lost, some as soon as they were opened: requests reach "
    "another process than the one that keeps the session (affinity).",
}


def merged(outages: Iterable[Outage]) -> list[Outage]:
    """Return all outages in order; outages of an arm that processes saw at once become one."""
    found: list[Outage] = []
    for one in sorted(outages, key=lambda outage: (outage.arm, outage.from_s)):
        last = found[-1] if found else None
        if last is not None and last.arm == one.arm and one.from_s <= last.to_s:
            found[-1] = replace(
                last,
                to_s=max(last.to_s, one.to_s),
                failures=last.failures + one.failures,
                is_over=last.is_over or one.is_over,
            )
        else:
            found.append(one)
    return sorted(found, key=lambda outage: outage.from_s)


def stopped(outages: Iterable[Outage], unfit: Container[str]) -> Iterator[tuple[str, str, str]]:
    """Yield arm, code and sentence for each target that no longer answered at the end.

    If the load generator was unfit to measure an arm, it may itself be the cause of silence.
    """
    for one in merged(outages):
        if not one.is_over:
            since = said(one.from_s, "s")
            when = f"{one.arm} stopped answering at {since}, and did not answer again"
            of_nobody = one.how == SILENT and one.arm in unfit
            code = "unanswered" if of_nobody else "target_stopped"
            yield one.arm, code, f"{when}: {_how(one)}"


def returned(outages: Iterable[Outage]) -> Iterator[tuple[str, str, str]]:
    """Yield the same for each target that was away for some time."""
    for one in merged(outages):
        if one.is_over:
            when = f"from {said(one.from_s, 's')} to {said(one.to_s, 's')}: {_how(one)}"
            yield one.arm, "target_unreachable", f"{one.arm} was unreachable {when}"


def users_without(
    arms: Mapping[str, Totals], lost: Mapping[str, Mapping[str, int]]
) -> Iterator[tuple[str, str]]:
    """Yield code and sentence for arms with too many users without a session or a journey.

    `lost` are the lost sessions of each arm by how they were lost; a refusal explains the former.
    """
    for arm, totals in arms.items():
        users = [sum(end.users for end in ends) for ends in totals.ends_by_turn]
        for code, what, number in (
            ("users_without_session", "had no session", attrgetter("without_session")),
            ("users_without_journey", "made no journey", attrgetter("without_journey")),
        ):
            without = [sum(map(number, ends)) for ends in totals.ends_by_turn]
            share = sum(without) / (sum(users) or 1)
            if share > MOST_USERS:
                worst = max(zip(without, users, strict=True))
                who = f"{out_of(*worst, 'user')} of {arm} {what} in a round"
                over_all = f"{said(share, 'fraction')} over all measured rounds"
                bound = f"more than {said(MOST_USERS, 'fraction')} fail the run"
                full = code == "users_without_session" and lost.get(arm, {}).get("refused")
                yield code, f"{who}, and {over_all}; {bound}.{_FULL if full else ''}"


def mended(
    arm: str, totals: Totals, lost: Mapping[str, int], most: float
) -> Iterator[tuple[str, str]]:
    """Yield code and sentence for an arm in which too many calls had to be repaired (healed).

    `lost` are its lost sessions by how they were lost; `most` is the share of calls that may.
    """
    ended, found = totals.call.ended, totals.recovery.ended
    bound = f"the limit is {said(most, 'fraction')} (limits: healed)"
    if found > most * ended:
        kind = max(_BECAUSE, key=lambda kind: lost.get(kind, 0))
        why = _BECAUSE[kind].format(sessions=counted(lost.get(kind, 0), "session"))
        share = f"{out_of(found, ended, 'call')} of {arm} lost their session"
        yield "sessions_lost", f"{share}; {bound}. {why}"
    elif totals.healed_calls > most * ended:
        share = f"{out_of(totals.healed_calls, ended, 'call')} of {arm} had to be repaired (healed)"
        what = "a stream that ended without the answer, or tools that had changed"
        yield "healed", f"{share} (a lost session, {what}); {bound}."


def _how(one: Outage) -> str:
    return f"it {one.how} ({counted(one.failures, 'call')} failed in a row)."
