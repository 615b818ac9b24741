"""The order of verdicts: which reason beats which, as one table.

The target's own deeds (errors that it answered with, connections that it refused or closed) beat a
broken measurement: even a slow generator does not make a server answer with errors. Timeouts are
not own deeds, because a slow generator causes them, too.
"""

from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import Final

from mcp_perf.results.document.part import Reason, VerdictName

CODES: Final[Mapping[VerdictName, int]] = {"PASS": 0, "INCONCLUSIVE": 90, "INVALID": 91, "FAIL": 99}
"""The exit code of each verdict, unless one of the codes below says more."""
WORKER_LOST_CODE: Final = 92
SIGNAL_CODE: Final = 105
BROKEN_CODE: Final = 107


class Rank(IntEnum):
    """Ranks of reasons, from the gravest to the best."""

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
"""The gravest reason gives the run its verdict and its exit code."""

_CODES: Final[Mapping[Rank, tuple[str, ...]]] = {
    Rank.WORKER_LOST: ("worker_lost",),
    Rank.DEEDS: (
        *("target_stopped", "target_unreachable", "crossed_replies", "users_without_session"),
        *("schema_broken", "target_errors", "error_limit", "all_failed", "aborted"),
    ),
    Rank.INVALID: (
        *("harness_error", "users_missing", "generator_paused", "generator_saturated"),
        *("shares_cores", "machine_busy", "unexplained_lag", "target_saturated"),
    ),
    Rank.FAIL: (
        *("gate_failed", "no_rate_held", "regression", "unanswered", "users_without_journey"),
        "arrivals_dropped",
    ),
    Rank.OPEN: (
        *("gate_open", "search_open", "baseline_open", "sessions_lost", "healed", "no_calls"),
        *("idle_worker", "generator_not_watched", "cut_off", "interrupted"),
    ),
    Rank.PASS: ("passed", "capacity_found"),
}
RANKS: Final[Mapping[str, Rank]] = {code: rank for rank, codes in _CODES.items() for code in codes}
"""The codes of all reasons, in the order in which a report lists them."""


def in_order(reasons: Iterable[Reason]) -> list[Reason]:
    """Sort reasons, the gravest first; reasons with the same code keep their order."""
    rows = {code: row for row, code in enumerate(RANKS)}
    return sorted(reasons, key=lambda reason: rows[reason.code])


def because(code: str, text: str) -> Reason:
    """Return a reason. Raises KeyError if its code is not in the table."""
    if code not in RANKS:
        raise KeyError(code)
    return Reason(code=code, text=text)
