"""Where Locust's life cycle meets ours: one `Session` per process, driven by Locust's events.

| Locust says       | in the only process, or the master     | where users are            |
|-------------------|----------------------------------------|----------------------------|
| test_start        | open the journal, lay out the turns    | compile, build the users' pool   |
| spawning_complete | conduct the turns                      |                            |
| message: order    |                                        | prepare, go, close, leave  |
| message: answer   | the conductor's next step              |                            |
| test_stopping     | end the turn, wait for its last calls  |                            |
| test_stop         | finish: reports, systems stopped       | hand over the last records |
| quitting          | the same, if not yet done; exit code   |                            |
"""

import contextlib
import logging
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import gevent
import msgspec
from gevent.event import Event
from locust.exception import StopTest
from locust.runners import MasterRunner, WorkerRunner

from mcp_perf.load.engine.run import Run
from mcp_perf.load.engine.turn_runner import TurnRunner
from mcp_perf.load.engine.user import UserPool
from mcp_perf.load.hub.redaction import redactor
from mcp_perf.load.plan.schedule import share_of
from mcp_perf.load.prepare import open_files, relay
from mcp_perf.load.prepare import options as locust_options
from mcp_perf.load.prepare.prepare import Prepared, prepare
from mcp_perf.load.steps.recorder import Recorder
from mcp_perf.load.targets.refusal import Refusal
from mcp_perf.load.watch.sessions import SessionWatch
from mcp_perf.results.document.document import Report
from mcp_perf.results.journal.journal import redacted
from mcp_perf.results.journal.records import AnyRecord
from mcp_perf.results.render.files.write import FORMATS

USER: Final = "ScenarioUser"
"""The class of our users, by its name in the locustfile."""
ORDER: Final = "mcp-perf-order"
ANSWER: Final = "mcp-perf-answer"
RECORDS: Final = "mcp-perf-records"
_WATCH_NODES_S: Final = 1.0
_LAST_RECORDS_S: Final = 1.0
_PATIENCE: Final = 3
"""Signals after which we no longer insist on writing the reports."""
INTERRUPTED: Final = 105
OWN_FAULT: Final = 107

logger = logging.getLogger("mcp-perf")


class Session:
    """The life of one Locust process."""

    def __init__(self, environment: Any, *, headless: bool) -> None:
        self.environment = environment
        self.runner = environment.runner
        self.headless = headless
        self.prepared: Prepared | None = None
        self.run: Run | None = None
        self.pool: UserPool | None = None
        self.report: Report | None = None
        self.last_folder: Path | None = None
        """The folder of the last run that has its reports."""
        self.formats: tuple[str, ...] = FORMATS
        self.on_run: Callable[[Run], None] = lambda _run: None
        """Called with each run before it begins: the place of a progress display."""
        self.on_report: Callable[[Report, Run], None] = lambda _report, _run: None
        """Called when the reports are written."""
        self._turn_runner: TurnRunner | None = None
        self._watch: SessionWatch | None = None
        self._conducting: gevent.Greenlet | None = None
        self._ended = Event()
        self._ended.set()
        self._interrupts = 0
        self._finished = Event()
        """Cleared while reports are written, which lets other greenlets run."""
        self._finished.set()
        self._worker = isinstance(self.runner, WorkerRunner)
        self._master = isinstance(self.runner, MasterRunner)
        self._register()

    def _register(self) -> None:
        if not self._worker:
            self.runner.register_message(ANSWER, self._on_answer)
            self.runner.register_message(RECORDS, self._on_records)
        if not self._master:
            self.runner.register_message(ORDER, self._on_order)

    def adopt(self, prepared: Prepared) -> None:
        """Make a prepared run the next one; Locust's own options follow its load."""
        if self.prepared is not None:
            self.prepared.systems.stop()
        self.prepared = prepared
        options = self.environment.parsed_options
        options.num_users, options.spawn_rate = prepared.users, prepared.spawn_rate
        options.run_time = None  # the turns know when to end
        if self.environment.host:
            logger.warning("The host is not used: a target points an arm at a server (ARM=URL)")
        # Journeys carry the tags, not Locust's tasks: by them our one task would be filtered out.
        options.tags = options.exclude_tags = None
        self.environment.tags = self.environment.exclude_tags = None

    # Locust's events.

    def test_start(self) -> None:
        if self._worker:
            with self._stop_on_refusal():
                options = self.environment.parsed_options
                self._build_pool(relay.receive(options, self.runner.client_id))
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # the master decides when to stop
            return
        if self.prepared is None:  # started by a key in Locust's terminal, not by the page
            with self._stop_on_refusal():
                self.adopt(prepare(locust_options.run_options(self.environment.parsed_options)))
        assert self.prepared is not None  # noqa: S101 -- adopted, or refused
        self._ended.clear()
        self.report = None
        with self._stop_on_refusal():
            self.run = Run(self.prepared, nodes=self._nodes, tell=self._tell)
            self.on_run(self.run)
            self._catch_signals()
            if self._master:
                nodes = sorted(self._nodes())
                relay.send(self.prepared, self.environment.parsed_options, nodes)
            else:
                self._build_pool(relay.local(self.prepared))

    @contextlib.contextmanager
    def _stop_on_refusal(self) -> Iterator[None]:
        try:
            yield
        except Refusal as refusal:
            for line in refusal.lines:
                logger.error("%s", line)
            self._give_up(refusal.exit_code)
            raise StopTest from refusal
        except Exception as error:
            logger.exception("The run could not begin, by a fault of mcp-perf's own")
            self._give_up(OWN_FAULT)
            raise StopTest from error

    def _give_up(self, exit_code: int) -> None:
        """Leave without a run; as a worker, so that the master knows that it is lost."""
        self.environment.process_exit_code = exit_code
        if self.run is not None:
            self.run.conductor.stop("error")
        if self._worker or self.headless:
            gevent.spawn(self.runner.quit)

    def spawning_complete(self) -> None:
        """Conduct the turns, once: later calls come when somebody changes the users."""
        if self.run is None:
            return
        if self._conducting is None:
            self._conducting = gevent.spawn(self._conduct, self.run)
        else:
            count = self.runner.user_count
            self.run.note("users_changed", f"During the run the users were changed to {count}.")

    def test_stopping(self) -> None:
        """End the turn in progress and let its last calls end, before Locust kills the users."""
        if self.run is None or self._ended.is_set():
            return
        self.run.conductor.stop("stopped")
        if self._conducting is not None:  # else its users were still being spawned
            self._ended.wait()

    def test_stop(self) -> None:
        if self._turn_runner is not None:
            self._turn_runner.stop()
            self._turn_runner = None
        if self.pool is not None:
            self.pool.close()
            self.pool = None
        if self._watch is not None:
            self._watch.stop()
            self._watch = None
        if self._worker:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        elif not self._master:
            self.finish()
        elif not self.headless:
            gevent.spawn_later(_LAST_RECORDS_S, self.finish)

    def quitting(self) -> None:
        if self._worker:
            return
        if self.run is not None:
            if self._conducting is None:
                self.run.conductor.reason = "signal"
            self.finish()
        self._finished.wait()
        if self.prepared is not None:
            self.prepared.systems.stop()
        if self.report is not None:
            self.environment.process_exit_code = self.report.exit_code

    def finish(self) -> None:
        run, self.run, self._conducting = self.run, None, None
        if run is None:
            return
        self._ended.set()
        self._finished.clear()
        self.prepared = None
        try:
            self.report = run.finish(self.formats)
            self.last_folder = run.folder
            _announce(self.report, run)
        except OSError as error:
            logger.error("The reports could not be written to %s: %s", run.folder, error)
            logger.error("When there is room again: mcp-perf report %s", run.folder)
            self.environment.process_exit_code = OWN_FAULT
            return
        except Exception:
            logger.exception("The reports could not be made, by a fault of mcp-perf's own")
            logger.error("The journal is whole: %s", run.folder / "journal.jsonl")
            self.environment.process_exit_code = OWN_FAULT
            return
        finally:
            run.close_log()
            self._finished.set()
            if self.headless:  # nothing is left but to leave, with the exit code that was earned
                signal.signal(signal.SIGINT, signal.SIG_IGN)
        self.on_report(self.report, run)

    # Conducting.

    def _conduct(self, run: Run) -> None:
        watcher = gevent.spawn(self._watch_nodes, run) if self._master else None
        try:
            if self._turn_runner is not None:
                self._turn_runner.start()
            run.conductor.conduct()
            if self._master:  # Locust waits half a second for them, whatever they still have to do
                run.conductor.dismiss()
        except Exception:
            logger.exception("The run was broken off by a fault of mcp-perf's own")
            run.conductor.reason = "error"
        finally:
            if watcher is not None:
                watcher.kill()
            self._ended.set()
        # In a greenlet of its own: Locust's stop waits for what runs here.
        gevent.spawn(self._leave if self.headless or self._interrupts else self._rest)

    def _rest(self) -> None:
        """Stop the test and leave the page open, as long as --autoquit lets it be."""
        self.runner.stop()
        options = self.environment.parsed_options
        if options.autostart and options.autoquit != -1:
            gevent.sleep(options.autoquit)
            self._leave()

    def _leave(self) -> None:
        self.runner.quit()
        if self.environment.web_ui is not None:
            self.environment.web_ui.stop()

    def _watch_nodes(self, run: Run) -> None:
        seen: set[str] = set()
        while True:
            present = self._nodes()
            for node in sorted(seen - present):
                run.conductor.lose(node)
            seen |= present
            gevent.sleep(_WATCH_NODES_S)

    def _nodes(self) -> set[str]:
        if not self._master:
            return {"local"}
        return {node.id for node in self.runner.clients.all if node.state != "missing"}

    def _tell(self, order: str, data: dict[str, Any]) -> None:
        self.runner.send_message(ORDER, {"order": order, **data})

    # Working.

    def _build_pool(self, task: relay.Task) -> None:
        lines = {name: target.url for name, target in task.targets.items()}
        open_files.require(task.loaded, share_of(task.users, task.node, task.nodes), lines)
        node = "local" if not self._worker else self.runner.client_id
        recorder = Recorder(
            node,
            self._send_records if self._worker else self._keep_records,
            late_ns=int(task.loaded.scenario.limits.loop_lag_p99 * 1e9),
        )
        self.pool = UserPool(
            task.loaded,
            task.targets,
            recorder,
            self.environment.events.request.fire,
            node_index=task.node,
            nodes=task.nodes,
            users=task.users,
            identities=task.identities,
        )
        pool = self.pool
        self._watch = SessionWatch(
            node, pool.sessions, lambda: len(pool.users), recorder.sink, recorder.now_s
        )
        self._watch.start()
        self._turn_runner = TurnRunner(
            pool.gate,
            recorder,
            # Ours alone: another locustfile may have brought users that are not in the pool.
            lambda: pool.await_users(lambda: self.runner.user_classes_count.get(USER, 0)),
            lambda kind, data: self.runner.send_message(ANSWER, {"kind": kind, **data}),
            pool.arrivals,
            self._watch.note,
        )
        if self._worker:
            self._turn_runner.start()

    def _keep_records(self, records: list[AnyRecord]) -> None:
        if self.run is not None:
            self.run.write(records)

    def _send_records(self, records: list[AnyRecord]) -> None:
        # The master does not know the tokens that this process was given.
        clean = [redacted(record, redactor) for record in records]
        self.runner.send_message(RECORDS, msgspec.json.encode(clean))

    # Messages.

    def _on_order(self, msg: Any, **_kwargs: Any) -> None:
        if msg.data["order"] == "leave":
            gevent.spawn(self._part, msg.data["turn"])
            return
        turn_runner = self._turn_runner
        if turn_runner is None:
            return
        orders = {"prepare": turn_runner.prepare, "go": turn_runner.go, "close": turn_runner.close}
        orders[msg.data["order"]](msg.data)

    def _on_answer(self, msg: Any, **_kwargs: Any) -> None:
        if self.run is not None:
            self.run.conductor.hear(msg.data["kind"], msg.node_id, msg.data)

    def _on_records(self, msg: Any, **_kwargs: Any) -> None:
        if self.run is not None:
            self.run.take(msg.data)

    def _part(self, turn: int) -> None:
        """End the users of this worker, and say so behind its last records."""
        self.runner.stop()
        self.runner.send_message(ANSWER, {"kind": "gone", "turn": turn})

    # Signals.

    def _catch_signals(self) -> None:
        self._interrupts = 0
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)

    def _on_signal(self, _number: int, _frame: Any) -> None:
        """First: stop after the calls in flight. Second: cut them off. At last: out."""
        self._interrupts += 1
        self.environment.process_exit_code = INTERRUPTED
        if self.run is not None:
            gevent.spawn(self._interrupt, self.run)
        elif self.environment.web_ui is not None and self._finished.is_set():
            gevent.spawn(self._leave)  # the page is idle
        elif self._finished.is_set() or self._interrupts > _PATIENCE:
            raise KeyboardInterrupt

    def _interrupt(self, run: Run) -> None:
        if self._conducting is None:
            run.conductor.stop("signal")
            self._leave()
            return
        hard = self._interrupts > 1
        logger.warning(
            "Stopping now; calls in flight are cut off."
            if hard
            else "Stopping after the calls in flight (again to cut them off)."
        )
        run.conductor.stop("signal", hard=hard)


def _announce(report: Report, run: Run) -> None:
    """Say on the log what came out: it is read by those who use Locust's own command."""
    logger.info("%s (exit code %d)", report.verdict, report.exit_code)
    for reason in report.reasons:
        logger.info("  %s", reason)
    logger.info("Report: %s", run.folder / "report.html")
