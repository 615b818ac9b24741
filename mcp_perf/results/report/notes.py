"""Notes on the numbers: what the run wrote down, and what only the tallies show."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from mcp_perf.numbers import counted, out_of, said
from mcp_perf.outcomes import FAILED, RATE_LIMITED, STRAYS
from mcp_perf.results.journal.records import Note
from mcp_perf.results.judge.outages import returned
from mcp_perf.results.judge.verdict import littles_law
from mcp_perf.results.stats.leaks import ONLY_WARM
from mcp_perf.results.tally.metrics import Evidence, Totals
from mcp_perf.results.tally.tally import RunTally

SESSIONLESS: Final = "2026-07-28"
"""The version of MCP in which steps open the streams of their subscriptions."""
_NAMED: Final = 5
STRAY: Final = "Stray: "
"""How notes on messages that belong to no call begin."""


def notes(tally: RunTally, evidence: Mapping[str, Evidence]) -> list[str]:
    """Say what a reader of the numbers must know: what the run noted, and what we see in it."""
    found = list(_noted(note for note in tally.notes if note.code not in STRAYS))
    for arm, what in evidence.items():
        found += _on(tally, arm, what.totals)
    found += [text for _, _, text in returned(tally.outages)]
    if tally.stray_slices:
        lost = "slices of the journal belong to no turn and were left out."
        found.append(f"{tally.stray_slices} {lost}")
    return found


def _missed(tally: RunTally, arm: str, totals: Totals) -> Iterator[str]:
    missed = [name for name in tally.run.journeys if name not in totals.journeys]
    if missed and totals.journeys:
        more = len(missed) - _NAMED
        named = ", ".join(missed[:_NAMED]) + (f" and {more} more" if more > 0 else "")
        journeys = counted(len(missed), "journey")
        yield f"{journeys} of {arm} did not come up in a measured round: {named}."


def _strays(tally: RunTally, arm: str) -> Iterator[str]:
    first = {note.code: note.text for note in reversed(tally.notes) if note.arm == arm}
    for kind, words in STRAYS.items():
        if n := tally.strays[arm, kind]:
            like = f", such as {first[kind]}" if first.get(kind) else ""
            yield f"{STRAY}{n} {words} came from {arm} ({kind}){like}"


def _streams(tally: RunTally, arm: str) -> Iterator[str]:
    made_by_steps = tally.run.arms.get(arm, {}).get("protocol") == SESSIONLESS
    of_arm = {name: one for (of, name), one in tally.streams.items() if of == arm}
    lived, gaps = of_arm.get("lived"), of_arm.get("gap")
    refused = [f"{one.n} by {name}" for name, one in of_arm.items() if name.startswith("HTTP ")]
    if lived is None and not refused:
        return
    opened = of_arm["opened"].n if "opened" in of_arm else 0
    text = f"Streams of {arm} were opened {counted(opened, 'time')}"
    if lived is not None:
        [median_ms] = lived.percentiles_ms([0.5])
        text += f"; the server ended {lived.n}, which lived {said(median_ms or 0.0, 'ms')} (median)"
    if gaps is not None:
        text += f"; {gaps.n} were opened again, at most {said(gaps.max_ms() or 0.0, 'ms')} later"
    if refused:
        text += f"; refused: {', '.join(sorted(refused))}"
    if not opened and "HTTP 404" in of_arm:
        text += " (the stream may reach another process than the one that keeps the session)"
    own = "" if made_by_steps else " The load generator itself made the requests (GET) for them."
    yield f"{text}.{own}"


def _noted(written: Iterable[Note]) -> Iterator[str]:
    counts = Counter[tuple[bool, str]]()
    for note in written:
        lost = note.code == "session_lost" and bool(note.kind)
        if note.code == "remark":  # each process with users reports it
            counts[lost, note.text] = 1
        else:
            counts[lost, note.text] += note.count if lost or note.code == "setup_failed" else 1
    for (lost, text), n in counts.items():
        if lost:
            yield f"{n} {text}"
        else:
            yield text if n == 1 else f"{text} ({n} times)"


def _limited(tally: RunTally, arm: str, totals: Totals) -> Iterator[str]:
    if totals.call.limited:
        admitted = said(totals.admitted_per_s or 0.0, "/s")
        calls = out_of(totals.call.limited, totals.call.ended, "call")
        yield (
            f"{calls} of {arm} were refused because they came too often (rate_limited). It "
            f"admitted {admitted}."
        )
    if setup := tally.setup[arm, RATE_LIMITED]:
        yield (
            f"{arm} refused {counted(setup, 'request')} outside of rounds for coming too often "
            "(rate_limited)."
        )


def _on(tally: RunTally, arm: str, totals: Totals) -> Iterator[str]:
    growth = totals.usage.growth
    if growth.ci95 is not None and growth.ci95[0] > 0:
        low, high = (said(end, "fraction") for end in growth.ci95)
        yield (
            f"Memory of {arm} grew by {low} to {high} per hour (95 %), seen in {growth.rounds} "
            f"rounds over {said(growth.span_s, 's')}. {ONLY_WARM}"
        )
    slots = totals.slots
    if slots.bad and any(gate.startswith(f"{arm}.availability") for gate in tally.run.gates):
        yield (
            f"{arm} was not available in {slots.bad} of {slots.slots} seconds, from "
            f"{said(slots.first_s, 's')} to {said(slots.last_s, 's')}, at most {slots.longest_row} "
            "in a row: fewer than 99 % of the journeys that were due in them ended ok."
        )
    if overflow := totals.call.all.latency.overflow:
        late = counted(overflow, "call")
        yield f"{late} of {arm} took longer than an hour; percentiles count it as an hour."
    if checked := [group.all for group in totals.steps.values() if group.all.checked]:
        held, broke = sum(of.checked for of in checked), sum(of.violations for of in checked)
        results = held + sum(of.unchecked for of in checked)
        yield (
            f"{out_of(held, results, 'result')} of {arm} were checked against the outputSchema of "
            + (f"their tools; {broke} broke it." if broke else "their tools.")
        )
    if totals.backed_off_s:
        yield (
            f"Users of {arm} left it alone for {said(totals.backed_off_s, 's')} in all, after "
            "failed journeys (back-off, Retry-After), so its rates come from a load that waits."
        )
    warmup = Totals([turn for turn in tally.turns_of(arm) if turn.started.phase == "warmup"])
    if warmup.call.failed:
        failed = counted(warmup.call.failed, "call")
        yield f"{failed} of {arm} failed in the warm-up, which does not count."
    yield from _missed(tally, arm, totals)
    yield from _limited(tally, arm, totals)
    yield from _strays(tally, arm)
    yield from _streams(tally, arm)
    setup = sum(n for (of_arm, cls), n in tally.setup.items() if of_arm == arm and cls in FAILED)
    if setup:
        failed = counted(setup, "call")
        yield f"{failed} of {arm} failed outside of rounds, such as opening a session."
    load = tally.run.load
    closed = load.get("model") == "closed" and max(load.get("think_s") or [0]) == 0
    law = littles_law(arm, totals) if closed and tally.complete else None
    if law is not None:
        yield law
