"""Locust's own statistics, fed with what the recorder has counted in a second.

Reporting each call to Locust costs an eighth of the call's CPU time. This way Locust shows the same
figures, up to a second later; its workers' statistics reach its master in batches as well.
"""

import time
from collections.abc import Iterable
from typing import Any, Final

import locust.stats
from locust.stats import RequestStats, StatsEntry, StatsError

from mcp_perf.load.steps.recorder import LocustRow, OpenCell
from mcp_perf.load.steps.step import CallFailed
from mcp_perf.outcomes import INTERRUPTED, OK
from mcp_perf.results.journal.histogram import midpoint_ns

_OWN: Final = "locust.runners"
"""Where Locust has the listener that fills its statistics."""


class LocustFeed:
    """The statistics of one process."""

    def __init__(self, statistics: RequestStats, listeners: list[Any]) -> None:
        self._statistics = statistics
        self.listeners = listeners

    @classmethod
    def of(cls, environment: Any) -> "LocustFeed | None":
        """Return the feed of Locust's environment; None if somebody else hears each request."""
        listeners = environment.events.request._handlers  # noqa: SLF001 -- there is no other way
        if [listener.__module__ for listener in listeners] != [_OWN]:
            return None
        return cls(environment.runner.stats, listeners)

    def take(self, counted: Iterable[tuple[LocustRow, str, OpenCell]]) -> None:
        """Add the calls of a second, as Locust adds what a worker has counted.

        Each row and the total are added once, because Locust keeps their state at each second's
        end.
        """
        rows: dict[LocustRow, StatsEntry] = {}
        total = StatsEntry(self._statistics, "", "")
        for row, cls, tally in counted:
            if cls == INTERRUPTED:  # not reported: the target had no part in it
                continue
            batch = self._batch(row, cls, tally)
            total.extend(batch)
            if row in rows:
                rows[row].extend(batch)
            else:
                rows[row] = batch
        for (verb, name), batch in rows.items():
            self._statistics.entries[name, verb].extend(batch)
        if rows:
            self._statistics.total.extend(total)

    def _batch(self, row: LocustRow, cls: str, tally: OpenCell) -> StatsEntry:
        verb, name = row
        batch = StatsEntry(self._statistics, name, verb)
        _fill(batch, tally)
        if cls != OK:
            batch.num_failures = batch.num_requests
            batch.num_fail_per_sec = dict(batch.num_reqs_per_sec)
            self._note(CallFailed(cls), batch)
        return batch

    def _note(self, error: CallFailed, batch: StatsEntry) -> None:
        """Note a kind of failure in Locust's table of failures."""
        errors = self._statistics.errors
        key = StatsError.create_key(batch.method, batch.name, error)
        known = errors.setdefault(key, StatsError(batch.method, batch.name, error))
        known.occurrences += batch.num_requests
        known.last_seen = batch.last_request_timestamp
        known.first_seen = known.first_seen or known.last_seen


def _fill(batch: Any, tally: OpenCell) -> None:
    """Fill an entry. In an open load its times run from the send, as for Locust's own users."""
    now_s = time.time()
    timed = tally.service or tally
    times: dict[float, int] = {}
    for bucket, count in timed.buckets.items():
        # Looked up each time: it is replaced while Locust starts.
        time_ms = locust.stats.bucket_response_time(midpoint_ns(bucket) / 1e6)
        times[time_ms] = times.get(time_ms, 0) + count
    batch.response_times = times
    batch.num_requests = tally.n
    batch.num_reqs_per_sec = {int(now_s): tally.n}
    batch.last_request_timestamp = now_s
    batch.total_content_length = tally.bytes_in
    batch.total_response_time = timed.total_ns / 1e6
    batch.min_response_time = timed.min_ns / 1e6
    batch.max_response_time = timed.max_ns / 1e6
