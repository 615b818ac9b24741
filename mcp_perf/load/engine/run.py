"""One run, in the process that keeps its record: journal, conductor, verdict, reports."""

import logging
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import msgspec

from mcp_perf.load.engine.conductor import Conductor
from mcp_perf.load.engine.early_end import CODE as ABORTED
from mcp_perf.load.engine.early_end import EarlyEnd, bound_of
from mcp_perf.load.hub.logs import RunLogs
from mcp_perf.load.hub.redaction import redactor
from mcp_perf.load.plan import calibration, doubling, search
from mcp_perf.load.plan.drain import connect_s, drain_s
from mcp_perf.load.plan.schedule import Turn
from mcp_perf.load.plan.workload import workload
from mcp_perf.load.prepare.history import remember
from mcp_perf.load.prepare.machine import environment
from mcp_perf.load.prepare.prepare import Prepared
from mcp_perf.load.prepare.provision import MOST_S
from mcp_perf.load.steps.compile import unchecked
from mcp_perf.load.targets.targets import started_here
from mcp_perf.load.watch.sampler import Sampler
from mcp_perf.load.watch.sources import shared, sharing
from mcp_perf.load.watch.upstreams import Together, Upstreams
from mcp_perf.results.document.document import Report
from mcp_perf.results.journal.journal import JournalError, JournalWriter
from mcp_perf.results.journal.records import AnyRecord, Note, RunEnded, RunStarted
from mcp_perf.results.render.files.write import write_all
from mcp_perf.results.report.build import load_report
from mcp_perf.results.tally.tally import RunTally, fold
from mcp_perf.scenario.model.load import DOUBLING

_decode: Final = msgspec.json.Decoder(list[AnyRecord]).decode
logger = logging.getLogger("mcp-perf")
Watcher = Callable[[list[AnyRecord]], None]


class Run:
    """From the first record to the reports."""

    def __init__(
        self,
        prepared: Prepared,
        *,
        nodes: Callable[[], set[str]],
        tell: Callable[[str, dict[str, Any]], None],
        watchers: Iterable[Watcher] = (),
    ) -> None:
        """Begin the journal. `watchers` get every record, from the first on."""
        self.prepared = prepared
        self.folder = prepared.folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self.watchers = [*watchers]
        self.interrupted = False
        """Whether a signal has asked the run to end."""
        self._logs = RunLogs(self.folder)
        self._zero_ns = time.perf_counter_ns()
        started = self._started()  # before the journal: a kill meanwhile would leave it empty
        self._journal = JournalWriter(self.folder / "journal.jsonl", redactor)
        self._broken = False
        self._sampler = Sampler(prepared.resources, self.write, self.now_s)
        self.conductor = Conductor(
            turns=self._turns(started),
            nodes=nodes,
            tell=tell,
            write=self.write,
            now_s=self.now_s,
            drain_s=partial(drain_s, prepared.loaded.scenario),
            connect_s=self._connect_s(),
            observer=Together([Upstreams(prepared.targets, self.now_s), self._sampler]),
        )
        bound = bound_of(prepared.loaded.scenario)
        if bound is not None:
            self.watchers.append(EarlyEnd(bound, self._abort).watch)
        self.write([started, *self._sampler.look()])
        if prepared.baseline is not None:
            self.write([prepared.baseline])
        for remark in prepared.remarks:
            self.note("remark", remark)
        for name, target in prepared.targets.items():
            for remark in target.remarks:
                self.note("remark", f"{name}: {remark}")
        for text in shared(prepared.resources):
            self.note("resources_shared", text)
        for text in unchecked(prepared.loaded, prepared.targets):
            self.note("unchecked_schema", text)

    def now_s(self) -> float:
        return (time.perf_counter_ns() - self._zero_ns) / 1e9

    def write(self, records: list[AnyRecord]) -> None:
        """Append records to the journal. From here on they survive a crash.

        A full disk ends the run, which then reports what it has.
        """
        if not self._broken:
            try:
                for record in records:
                    self._journal.write(record)
                self._journal.flush()
            except OSError as error:
                self._broken = True
                logger.error("The journal can no longer be written: %s", error.strerror)
                self.conductor.stop("error")
        for watch in self.watchers:
            watch(records)

    def _connect_s(self) -> float:
        """Return how long a process may take to connect its users and to get their identities."""
        scenario, options = self.prepared.loaded.scenario, self.prepared.options
        brings = options.workers and scenario.identities and scenario.identities.provision
        own_s = MOST_S if brings else 0.0
        return own_s + connect_s(scenario, started_here(self.prepared.targets))

    def take(self, encoded: bytes) -> None:
        self.write(_decode(encoded))

    def note(self, code: str, text: str) -> None:
        self.write([Note(at_s=self.now_s(), code=code, text=text)])

    def _abort(self, why: str) -> None:
        self.conductor.stop(ABORTED)
        self.note(ABORTED, why)

    def finish(self, formats: tuple[str, ...]) -> Report | None:
        """Stop the systems and write the reports; log the verdict, or why there are none."""
        try:
            report = self._finish(formats)
            code = report.exit_code
            facts = {"run": report.run_id, "verdict": report.verdict, "exit_code": code}
            logger.info("%s (exit code %d)", report.verdict, code, extra=facts)
            for reason in report.reasons:
                logger.info("  %s", reason.line, extra={"code": reason.code})
            logger.info("Report: %s", self.folder / "report.html")
        except OSError as error:
            logger.error("The reports could not be written to %s: %s", self.folder, error)
            logger.error("Write them later with: mcp-perf report %s", self.folder)
        except JournalError as error:  # the disk was full from the beginning
            logger.error("There is no report: %s", error)
        except Exception:
            logger.exception("The reports could not be made, because of a fault in mcp-perf")
            logger.error("The journal is complete: %s", self.folder / "journal.jsonl")
        else:
            return report
        finally:  # the process may go on to another run
            self._logs.close()
        return None

    def discard(self) -> None:
        """End a run that sent nothing, without reports."""
        self.prepared.systems.stop()
        self._journal.close()
        self._logs.close()

    def _finish(self, formats: tuple[str, ...]) -> Report:
        for name in self.prepared.systems.dead():
            self.note("system_died", f"the process {name} of a bundled system ended during the run")
        self.write(self._sampler.look())
        self.write([RunEnded(at_s=self.now_s(), reason=self.conductor.reason)])
        self.prepared.systems.stop()
        self._journal.close()
        report, samples = load_report(self.folder)
        write_all(report, samples, self.folder, formats)
        remember(report, self.prepared.options.store)
        return report

    def _turns(self, started: RunStarted) -> Iterable[Turn]:
        """Return all turns. A turn that depends on measurements is made when it is due."""
        prepared = self.prepared
        bound = prepared.loaded.scenario.load.calibrate
        if prepared.searching:
            return search.turns(prepared.turns, self._followed(started))
        if prepared.loaded.scenario.load.shape == DOUBLING:
            drain_s = prepared.loaded.scenario.limits.drain
            return doubling.turns(prepared.turns, drain_s, self._followed(started))
        if bound is None:
            return prepared.turns
        return calibration.turns(prepared.turns, bound, self._followed(started), self.note)

    def _followed(self, started: RunStarted) -> RunTally:
        tally = fold([started])

        def follow(records: list[AnyRecord]) -> None:
            for record in records:
                if record is not started:
                    tally.take(record)

        self.watchers.append(follow)
        return tally

    def _started(self) -> RunStarted:
        prepared = self.prepared
        scenario = prepared.loaded.scenario
        limits = scenario.limits.model_dump(exclude={"drain", "loop_lag_p99"})
        return RunStarted(
            run_id=prepared.run_id,
            started=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            scenario=scenario.name,
            title=scenario.title,
            scenario_text=prepared.loaded.text,
            seed=scenario.seed,
            arms={
                name: {
                    "target": target.url,
                    "server": target.server,
                    "protocol": target.version,
                    "tools": len(target.tools or ()),
                    "tools_list_bytes": target.tools_list_bytes,
                    "resources": {
                        **prepared.resources[name].described(),
                        "shared": sharing(prepared.resources, name),
                    },
                }
                for name, target in prepared.targets.items()
            },
            gates=[gate.text for gate in scenario.gates],
            layers=list(scenario.layers),
            limits={**limits, "loop_lag_p99_ms": scenario.limits.loop_lag_p99 * 1000},
            load=prepared.load(),
            environment={**environment(), "simulated": prepared.systems.simulated()},
            workload=workload(scenario),
            journeys=[*scenario.journeys],
        )
