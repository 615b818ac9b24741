"""The role of a process, which Locust's options decide, and what Locust's events do in it.

| role | when | keeps the run | has users |
|---|---|---|---|
| Single | neither --master nor --worker | yes | yes |
| Master | --master, --processes | yes | |
| Worker | --worker, and each process that --processes forks | | yes |
"""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from functools import partial
from typing import Any, Final

import gevent
import msgspec

from mcp_perf import interrupt
from mcp_perf.load.engine.conductor import RECORDS, Conductor
from mcp_perf.load.hub.neighbours import meeting_point
from mcp_perf.load.hub.redaction import redactor
from mcp_perf.load.lifecycle.ending import Ending, Headless, stop_on_refusal
from mcp_perf.load.lifecycle.keeping import KeepingSide, RunObserver
from mcp_perf.load.lifecycle.signals import Signals
from mcp_perf.load.lifecycle.working import WorkingSide
from mcp_perf.load.prepare import relay
from mcp_perf.results.journal.journal import redacted
from mcp_perf.results.journal.records import AnyRecord

_LOCAL: Final = "local"
"""Locust's name for a process that sends messages to itself."""
_LAST_RECORDS_S: Final = 1.0


class Single:
    """The only process: it keeps the run, and has the users."""

    def __init__(self, environment: Any, ending: Ending, observer: RunObserver | None) -> None:
        self.keeping = keeping = KeepingSide(environment, lambda: {_LOCAL}, ending, observer)
        self.working = WorkingSide(environment, _LOCAL, keeping.keep)
        self.signals = Signals(keeping)
        self.spawning_complete = partial(keeping.conduct, self._lead)
        self.test_stopping, self.quitting = keeping.end_turn, keeping.quit

    def test_start(self) -> None:
        """Open the journal, lay out the turns, compile the journeys."""
        with self.keeping.beginning() as prepared:
            self.signals.catch()
            self.working.build(relay.local(prepared))

    def test_stop(self) -> None:
        self.working.stop()
        self.keeping.finish()

    def _lead(self, conductor: Conductor) -> None:
        self.working.start()
        conductor.conduct()


class Master:
    """Keeps the run, and conducts it in the workers."""

    def __init__(self, environment: Any, ending: Ending, observer: RunObserver | None) -> None:
        self.keeping = keeping = KeepingSide(environment, self._workers, ending, observer)
        self._end = environment.runner.server.end
        keeping.remarks = self._remarks
        self.signals = Signals(keeping)
        self._meeting = contextlib.ExitStack()
        self.spawning_complete = partial(keeping.conduct, self._lead)
        self.test_stopping, self.quitting = keeping.end_turn, keeping.quit

    def test_start(self) -> None:
        """Open the journal, lay out the turns, tell the workers what to run."""
        with self.keeping.beginning() as prepared:
            self.signals.catch()
            workers = sorted(self._workers())
            meeting = ""
            if prepared.loaded.scenario.load.open and len(workers) > 1 and os.name == "posix":
                meeting = self._meeting.enter_context(meeting_point(len(workers)))
            relay.send(prepared, self.keeping.environment.parsed_options, workers, meeting)
            self._end.members = frozenset(workers)

    def test_stop(self) -> None:
        """Write the reports when the last records are here; without a page, when Locust quits."""
        self._meeting.close()
        self._end.members = None
        if self.keeping.ending.stays:
            gevent.spawn_later(_LAST_RECORDS_S, self.keeping.finish)

    def _remarks(self) -> Iterator[tuple[str, str]]:
        for text in self._end.refused():
            yield "node_refused", text
        for text in self._end.missed():
            yield "worker_lost", text

    def _lead(self, conductor: Conductor) -> None:
        conductor.conduct()
        conductor.dismiss()  # Locust itself waits only half a second for the workers

    def _workers(self) -> set[str]:
        clients = self.keeping.environment.runner.clients.all
        return {node.id for node in clients if node.state != "missing"}


class Worker:
    """Has users, and obeys the master, which does everything else."""

    def __init__(self, environment: Any) -> None:
        self._environment = environment
        self.working = WorkingSide(environment, environment.runner.client_id, self._send)
        self.spawning_complete = self.test_stopping = self.quitting = lambda: None
        forked = signal.getsignal(signal.SIGINT) is interrupt.ignored
        self._interrupted = interrupt.ignored if forked else self._leave
        signal.signal(signal.SIGINT, self._interrupted)

    def test_start(self) -> None:
        """Read what to run and compile the journeys. On failure leave, which the master notices."""
        runner = self._environment.runner
        # The master's heartbeats are not read until this has returned, which may take a while.
        runner.last_heartbeat_timestamp = None
        leave = Headless(self._environment).leave
        with stop_on_refusal(self._environment, lambda _code: gevent.spawn(leave)):
            self.working.build(relay.receive(self._environment.parsed_options, runner.client_id))
            self.working.start()
        runner.last_heartbeat_timestamp = time.time()
        signal.signal(signal.SIGINT, interrupt.ignored)  # the master decides when to stop

    def test_stop(self) -> None:
        self.working.stop()
        signal.signal(signal.SIGINT, self._interrupted)

    def _leave(self, *_given: Any) -> None:
        interrupt.say()
        self._environment.process_exit_code = interrupt.CODE
        gevent.spawn(self._environment.runner.quit)

    def _send(self, records: list[AnyRecord]) -> None:
        # The master does not know the tokens that this process has received.
        clean = [redacted(record, redactor) for record in records]
        self._environment.runner.send_message(RECORDS, msgspec.json.encode(clean))
