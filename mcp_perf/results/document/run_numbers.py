"""What a comparison of runs needs of each: its identity, and the values of its rounds.

It is stored in baselines and, for a run that was given one, in the journal.
"""

from typing import Annotated, Any

import msgspec

Count = Annotated[int, msgspec.Meta(ge=0)]
Number = Annotated[float, msgspec.Meta(ge=0, le=1e15)]
"""Held to these bounds when a file is read: a comparison takes logarithms."""


class ArmRounds(msgspec.Struct, frozen=True, kw_only=True):
    """One arm of one run: what a comparison needs of it."""

    values: dict[str, Number]
    """Metric -> over all measured rounds; what could not be measured is absent."""
    rounds: dict[str, list[Number | None]]
    """Metric -> round by round."""
    calls: Count
    ended: Count
    failed: Count
    planned: Count
    dropped: Count
    """Arrivals of an open load that never began: they have no latency."""
    journeys: Count
    """Those with every step ok."""
    steps: list[str]


class RunIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """What two runs must have in common to be compared, and what they should."""

    scenario: str
    workload: dict[str, str]
    """Arm -> digest of what it does."""
    load: dict[str, Any]
    machine: dict[str, Any]
    versions: dict[str, str]
    """If these differ, there is only a warning."""


class RunNumbers(msgspec.Struct, frozen=True, kw_only=True):
    """One run: which it was, and what it measured."""

    run_id: str
    started: str
    verdict: str
    complete: bool
    identity: RunIdentity
    arms: dict[str, ArmRounds]
