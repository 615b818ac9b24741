"""The order of verdicts: which reason beats which, as one table.

What the target did by its own deeds (errors that it answered with, connections that it refused or
closed) beats a measurement that is broken: no generator, however slow, makes a server answer with
errors. Timeouts do not count there, because a slow generator makes them, too.
"""

from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import Final

from mcp_perf.results.document.part import Reason, VerdictName

CODES: Final[Mapping[VerdictName, int]] = {
    "PASS": 0,
    "INCONCLUSIVE": 90,
    "INVALID": 91,
    "FAIL": 99,
}
"""The exit code of each verdict, unless one of these says more."""
WORKER_LOST_CODE: Final = 92
SIGNAL_CODE: Final = 105
BROKEN_CODE: Final = 107


class Rank(IntEnum):
    """From the gravest to the best."""

    WORKER_LOST = 1
    DEEDS = 2
    INVALID = 3
    FAIL = 4
    OPEN = 5
    PASS = 6


VERDICTS: Final[Mapping[Rank, tuple[VerdictName, int]]] = {
    Rank.WORKER_LOST: ("INVALID", WORKER_LOST_CODE),
    Rank.DEEDS: ("FAIL", CODES["FAIL"]),
    Rank.INVALID: ("INVALID", CODES["INVALID"]),
    Rank.FAIL: ("FAIL", CODES["FAIL"]),
    Rank.OPEN: ("INCONCLUSIVE", CODES["INCONCLUSIVE"]),
    Rank.PASS: ("PASS", CODES["PASS"]),
}
"""The verdict and the exit code of the gravest reason are those of the run."""

RANKS: Final[Mapping[str, Rank]] = {
    "worker_lost": Rank.WORKER_LOST,
    "target_stopped": Rank.DEEDS,
    "target_unreachable": Rank.DEEDS,
    "crossed_replies": Rank.DEEDS,
    "users_without_session": Rank.DEEDS,
    "schema_broken": Rank.DEEDS,
    "target_errors": Rank.DEEDS,
    "error_limit": Rank.DEEDS,
    "all_failed": Rank.DEEDS,
    "aborted": Rank.DEEDS,
    "harness_error": Rank.INVALID,
    "users_missing": Rank.INVALID,
    "generator_paused": Rank.INVALID,
    "generator_saturated": Rank.INVALID,
    "shares_cores": Rank.INVALID,
    "machine_busy": Rank.INVALID,
    "unexplained_lag": Rank.INVALID,
    "gate_failed": Rank.FAIL,
    "no_rate_held": Rank.FAIL,
    "regression": Rank.FAIL,
    "unanswered": Rank.FAIL,
    "users_without_journey": Rank.FAIL,
    "arrivals_dropped": Rank.FAIL,
    "gate_open": Rank.OPEN,
    "search_open": Rank.OPEN,
    "baseline_open": Rank.OPEN,
    "sessions_lost": Rank.OPEN,
    "healed": Rank.OPEN,
    "no_calls": Rank.OPEN,
    "idle_worker": Rank.OPEN,
    "generator_not_watched": Rank.OPEN,
    "cut_off": Rank.OPEN,
    "passed": Rank.PASS,
    "capacity_found": Rank.PASS,
}
"""The codes of all reasons, in the order in which a report lists them."""


def in_order(reasons: Iterable[Reason]) -> list[Reason]:
    """Sort reasons, the gravest first; those of one code keep their order."""
    rows = {code: row for row, code in enumerate(RANKS)}
    return sorted(reasons, key=lambda reason: rows[reason.code])


def because(code: str, text: str) -> Reason:
    """Give a reason; its code must be in the table."""
    if code not in RANKS:
        raise KeyError(code)
    return Reason(code=code, text=text)
