"""The keeping side, in the only process or the master: journal, conductor, reports.

A run is first a `Prepared`, then a `Run`, then a `Report`: what runs next, what runs now, and its
result.
"""

import contextlib
import logging
import signal
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, Protocol

import gevent
from gevent.event import Event

from mcp_perf.load.engine.conductor import ANSWER, ORDER, RECORDS, Conductor
from mcp_perf.load.engine.run import Run, Watcher
from mcp_perf.load.lifecycle.ending import Ending, stop_on_refusal
from mcp_perf.load.prepare import options as locust_options
from mcp_perf.load.prepare.prepare import Prepared, prepare
from mcp_perf.load.targets.refusal import Refusal
from mcp_perf.results.document.document import Report
from mcp_perf.results.journal.records import AnyRecord
from mcp_perf.results.judge.order import BROKEN_CODE
from mcp_perf.results.render.files.write import FORMATS

_WATCH_NODES_S: Final = 1.0
_BEGINS_WITHIN_S: Final = 10.0

RunStage = Literal["idle", "starting", "running", "stopping", "writing", "over"]

logger = logging.getLogger("mcp-perf")


class RunObserver(Protocol):
    """Follows a run from outside."""

    formats: tuple[str, ...]
    """The renderings that it wants."""

    def say(self, line: str) -> None:
        """Show what the run will do, before it does anything."""

    def begun(self, run: Run) -> None:
        """Take note of the run, before its first call."""

    def ended(self, report: Report, run: Run) -> None: ...


@dataclass(eq=False)
class KeepingSide:
    """Keeps one run after another. `nodes` lists the processes with users."""

    environment: Any
    nodes: Callable[[], set[str]]
    ending: Ending
    observer: RunObserver | None
    remarks: Callable[[], Iterable[tuple[str, str]]] = tuple
    """Codes and texts about nodes, to be noted at the end of a run."""
    watchers: list[Watcher] = field(default_factory=list)
    """They get the records of each run."""
    run: Run | None = None
    report: Report | None = None
    """The report of the last run, until the next one begins."""
    last_folder: Path | None = None
    """The folder of the last run with reports."""
    conducting: gevent.Greenlet | None = None
    written: Event = field(default_factory=Event)
    """Cleared while reports are written, because other greenlets run meanwhile."""
    _prepared: Prepared | None = None
    _refused: int | None = None
    """The exit code of a run that was refused after its journal had been opened."""
    _starting: bool = False
    _begun: Event = field(default_factory=Event)
    """Set when the last run has begun, or could not begin."""
    _over: Event = field(default_factory=Event)
    """Cleared while there are turns to come."""

    def __post_init__(self) -> None:
        self._runner = self.environment.runner
        self._over.set()
        self.written.set()
        self._runner.register_message(ANSWER, self._on_answer)
        self._runner.register_message(RECORDS, self._on_records)

    @property
    def stage(self) -> RunStage:
        """How far the last run is that was started, if there was one."""
        if self.run is not None:
            return "running" if self.run.conductor.reason == "finished" else "stopping"
        if not self.written.is_set():
            return "writing"
        if self._starting:
            return "starting"
        return "idle" if self.report is None else "over"

    def adopt(self, prepared: Prepared) -> Prepared:
        """Make a prepared run the next one, and set Locust's own options by its load."""
        if self._prepared is not None:
            self._prepared.systems.stop()
        self._prepared = prepared
        environment, options = self.environment, self.environment.parsed_options
        options.num_users, options.spawn_rate = prepared.users, prepared.spawn_rate
        options.run_time = None  # the turns know when to end
        host = environment.host
        if host and not any(text.endswith(f"={host}") for text in prepared.options.targets):
            logger.warning("The host is ignored: point an arm at a server with --target ARM=URL")
        # Tags select journeys, not Locust's tasks: Locust would filter out our only task.
        options.tags = options.exclude_tags = environment.tags = environment.exclude_tags = None
        return prepared

    @contextlib.contextmanager
    def starting(self) -> Iterator[None]:
        """Prepare a run and let Locust start it inside: one at a time. Raises Refusal."""
        if self._starting or self._runner.state not in ("ready", "stopped"):
            raise Refusal("a run is in progress: wait until it ends, or stop it")
        if not self.nodes():
            raise Refusal("there is no worker yet: wait until one has connected")
        self._starting = True
        self._begun.clear()
        try:
            yield
            self._begun.wait(_BEGINS_WITHIN_S)
        finally:
            self._starting = False

    @contextlib.contextmanager
    def beginning(self) -> Iterator[Prepared]:
        """Open the journal and lay out the turns. A failure here or inside stops the test."""
        with contextlib.ExitStack() as end, stop_on_refusal(self.environment, self._give_up):
            end.callback(self._begun.set)
            # A run that is started by a key in Locust's terminal is not prepared yet.
            options = locust_options.run_options(self.environment.parsed_options)
            prepared = self._prepared or self.adopt(prepare(options))
            self._over.clear()
            self.report = self._refused = None
            self.run = Run(prepared, nodes=self.nodes, tell=self._tell, watchers=self.watchers)
            if self.observer is not None:
                self.observer.begun(self.run)
            for line in prepared.announced():
                logger.info("%s", line)
            yield prepared

    def conduct(self, lead: Callable[[Conductor], None]) -> None:
        """Conduct the turns, once. Later calls come when somebody changes the number of users."""
        if self.run is None:
            return
        if self.conducting is None:
            self.conducting = gevent.spawn(self._conduct, self.run, lead)
        else:
            count = self._runner.user_count
            self.run.note("users_changed", f"During the run the users were changed to {count}.")

    def end_turn(self) -> None:
        """End the turn in progress and let its last calls end, before Locust kills the users."""
        if self.run is None or self._over.is_set():
            return
        self.run.conductor.stop("stopped")
        if self.conducting is not None:  # otherwise its users are still being spawned
            self._over.wait()

    def finish(self) -> None:
        run, self.run, self.conducting = self.run, None, None
        if run is None:
            return
        self._over.set()
        self.written.clear()
        self._prepared = None
        if self._refused is not None:
            run.discard()
            self.written.set()
            return
        for code, text in self.remarks():
            run.note(code, text)
        try:
            self.report = run.finish(FORMATS if self.observer is None else self.observer.formats)
            if self.report is None:
                self.environment.process_exit_code = BROKEN_CODE
        finally:
            self.written.set()
            if not self.ending.stays:  # the process is about to leave, with the verdict's code
                signal.signal(signal.SIGINT, signal.SIG_IGN)
        if self.report is not None:
            self.last_folder = run.folder
            if self.observer is not None:
                self.observer.ended(self.report, run)

    def quit(self) -> None:
        """Finish the run if it is not finished, and set the exit code."""
        if self.run is not None:
            if self.conducting is None:
                self.run.conductor.reason = "signal"
            self.finish()
        self.written.wait()
        if self._prepared is not None:
            self._prepared.systems.stop()
        if self.report is not None:
            self.environment.process_exit_code = self.report.exit_code
        elif self._refused is not None:
            self.environment.process_exit_code = self._refused

    def keep(self, records: list[AnyRecord]) -> None:
        if self.run is not None:
            self.run.write(records)

    def _give_up(self, code: int) -> None:
        if self.run is not None:
            self.run.conductor.stop("error")
            self._refused = code if code != BROKEN_CODE else None
        if not self.ending.stays:
            gevent.spawn(self.ending.leave)

    def _conduct(self, run: Run, lead: Callable[[Conductor], None]) -> None:
        watcher = gevent.spawn(self._watch_nodes, run)
        try:
            lead(run.conductor)
        except Exception:
            logger.exception("The run was broken off by a fault in mcp-perf")
            run.conductor.reason = "error"
        finally:
            watcher.kill()
            self._over.set()
        # In another greenlet, because Locust's stop waits for this one.
        gevent.spawn(self.ending.run_over, interrupted=run.interrupted)

    def _watch_nodes(self, run: Run) -> None:
        seen: set[str] = set()
        while True:
            present = self.nodes()
            for node in sorted(seen - present):
                run.conductor.lose(node)
            seen |= present
            gevent.sleep(_WATCH_NODES_S)

    def _tell(self, order: str, data: dict[str, Any]) -> None:
        self._runner.send_message(ORDER, {"order": order, **data})

    def _on_answer(self, msg: Any, **_kwargs: Any) -> None:
        if self.run is not None:
            self.run.conductor.hear(msg.data["kind"], msg.node_id, msg.data)

    def _on_records(self, msg: Any, **_kwargs: Any) -> None:
        if self.run is not None:
            self.run.take(msg.data)
