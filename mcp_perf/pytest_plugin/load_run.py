"""The object of the fixture `load_run`: makes a load run, which its scenario's gates judge."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from mcp_perf.pytest_plugin.comparison import hand_over, new_folder
from mcp_perf.pytest_plugin.summary import fail_unless_pass
from mcp_perf.results.document.document import Report
from mcp_perf.runs import NoReport, run

_UNDECIDED: Final = ("INVALID", "INCONCLUSIVE")


@dataclass(eq=False)
class LoadRun:
    """Call it once, with the scenario."""

    benchmark: Any
    runs: Path
    """The folder in which each run gets a folder."""
    told: Callable[[Report, Path], object]

    def __call__(
        self,
        scenario: str,
        *settings: str,
        arms: Sequence[str] = (),
        excuse: Callable[[Report], str] = lambda _: "",
    ) -> Report:
        """Run a scenario by its name or file, in a separate process; return its report.

        `settings` are values of `--set`, such as `load.rounds=6`; `arms` are values of `--arm`.
        Every arm becomes a benchmark of pytest-benchmark's, by the median journey of each round.
        The test fails unless the verdict is PASS. If a run is INVALID or INCONCLUSIVE, and `excuse`
        returns a reason why its report decides nothing on this machine, the test is skipped. If
        benchmarks are not measured, nothing is run, and the test is skipped.
        """
        self.benchmark._mode = "load_run(...)"  # noqa: SLF001 -- else it warns that it was not used
        if not self.benchmark.enabled:
            pytest.skip("load runs are only made when benchmarks are measured (--benchmark-only)")
        folder = new_folder(self.runs / Path(scenario).stem)
        try:
            report = run(scenario, set=settings, arm=arms, out=folder)
        except NoReport as error:
            pytest.fail(str(error), pytrace=False)
        self.told(report, folder)
        self._hand_over(report)
        if report.verdict in _UNDECIDED and (reason := excuse(report)):
            pytest.skip(f"{report.verdict}, not judged: {reason}")
        fail_unless_pass(report)
        return report

    def _hand_over(self, report: Report) -> None:
        for name, arm in report.arms.items():
            medians = [round_.journey_ms.p50 for round_ in arm.rounds if round_.phase == "round"]
            known = [ms / 1000 for ms in medians if ms is not None]
            hand_over(self.benchmark, name, known, 1, {"target": arm.target})
