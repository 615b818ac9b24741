"""The object of the fixture `side_by_side`: measures the sides of one test, and judges gates."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from mcp_perf.pytest_plugin.comparison import describe, hand_over, report_of, too_fine
from mcp_perf.pytest_plugin.gate_file import Entry
from mcp_perf.pytest_plugin.summary import fail_unless_pass
from mcp_perf.pytest_plugin.turns import Measured, Sides, measure
from mcp_perf.results.document.document import Report

_SIDE: Final = re.compile(r"[\w-]+", re.ASCII)

Info = Mapping[str, Mapping[str, Any]]


@dataclass(eq=False)
class SideBySide:
    """Call it once, with the sides of the comparison."""

    benchmark: Any
    title: str
    name: str
    entry: Entry | None
    folder: Path | None
    told: Callable[[Report, Path | None], object]
    _used: bool = False

    def __call__(
        self, sides: Sides, *, rounds: int = 10, round_s: float = 0.05, info: Info | None = None
    ) -> dict[str, Any]:
        """Call every side once, then measure them by turns; return what the first calls returned.

        Each side has `rounds` turns of at least `round_s` seconds. `info` has, for each side, what
        is added to pytest-benchmark's `extra_info`. The test's own `extra_info` goes to all sides,
        and into the report. If benchmarks are not measured, every side is called only once. The
        test fails if a gate does not hold, or is not decided.
        """
        self._check(sides)
        # pytest-benchmark warns if its fixture was not used, and refuses to let it be used twice.
        self.benchmark._mode = "side_by_side(...)"  # noqa: SLF001 -- it has no other way
        returned = {name: call() for name, call in sides.items()}
        if self.benchmark.enabled:
            measured = measure(sides, rounds=rounds, round_s=round_s)
            self._hand_over(measured, info or {})
            self._judge(measured)
        return returned

    def _check(self, sides: Sides) -> None:
        __tracebackhide__ = True
        if self._used:
            pytest.fail("side_by_side was called before: write one test per comparison")
        self._used = True
        wrong = [name for name in sides if not _SIDE.fullmatch(name)]
        if wrong or len(sides) < 2:
            named = f"{wrong[0]!r} is not a valid name of a side" if wrong else ""
            what = named or "one side is not a comparison"
            pytest.fail(f"{what}: give two or more, named by letters, digits, - and _")
        unknown = self.entry.unknown_sides(list(sides)) if self.entry else []
        if self.entry and unknown:
            pytest.fail(
                f"{self.entry.location}: {self.name} has no side {unknown[0]!r}. Was it renamed? "
                f"Its sides are {', '.join(sides)}",
                pytrace=False,
            )

    def _hand_over(self, measured: Measured, info: Info) -> None:
        for side, block in measured.block.items():
            turns = (turn for turn in measured.turns if turn.side == side)
            seconds = [ns / 1e9 for turn in turns for ns in turn.blocks_ns]
            hand_over(self.benchmark, side, seconds, block, info.get(side, {}))

    def _judge(self, measured: Measured) -> None:
        __tracebackhide__ = True
        gates = list(self.entry.gates) if self.entry else []
        problems = too_fine(gates, measured.block)
        if self.entry and problems:
            pytest.fail(f"{self.entry.location}: {problems[0]}", pytrace=False)
        info = self.benchmark.extra_info
        about = describe(self.name, self.title, measured, gates, info)
        report, folder = report_of(about, measured, self.folder)
        self.told(report, folder)
        fail_unless_pass(report)
