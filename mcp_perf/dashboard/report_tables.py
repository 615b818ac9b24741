"""The tables of a report as files: every record flat, a column for each number."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from mcp_perf.dashboard.table import Cells, Column, Table
from mcp_perf.results.document.document import ArmNumbers, Report
from mcp_perf.results.document.part import DocumentPart


def _record(part: DocumentPart, *left_out: str) -> Cells:
    return _flat(part.model_dump(mode="json", by_alias=True, exclude={*left_out}))


def _named(kind: str, parts: Mapping[str, DocumentPart]) -> Iterable[Cells]:
    return ({kind: name, **_record(part)} for name, part in parts.items())


def _of_arms(read: Callable[[ArmNumbers], Iterable[Cells]]) -> Callable[[Report], Iterable[Cells]]:
    """Return a function that yields the records of a report's arms, each with its arm."""

    def rows(report: Report) -> Iterable[Cells]:
        for name, arm in report.arms.items():
            for one in read(arm):
                yield {"arm": name, **one}

    return rows


def _plain(field: str) -> Callable[[Report], Iterable[Cells]]:
    return lambda report: map(_record, getattr(report, field))


TABLES: Final[Mapping[str, Callable[[Report], Iterable[Cells]]]] = {
    "arms": _of_arms(lambda arm: [_record(arm, "steps", "journeys")]),
    "gates": _plain("gates"),
    "steps": _of_arms(lambda arm: _named("step", arm.steps)),
    "journeys": _of_arms(lambda arm: _named("journey", arm.journeys)),
    "comparisons": _plain("comparisons"),
    "regressions": _plain("regressions"),
    "layers": _plain("layers"),
    "rounds": _of_arms(lambda arm: map(_record, arm.rounds)),
    "percentiles": _of_arms(
        lambda arm: ({"fraction": at, "latency_ms": ms} for at, ms in arm.percentile_curve)
    ),
    "timeline": _plain("timeline"),
    "resources": _plain("resources"),
    "failures": _plain("failures"),
}
"""The tables, by the names of their files."""


def table_of(report: Report, name: str, at: str) -> Table:
    """Return a table of a report; `at` is the address of the run."""
    rows = list(TABLES[name](report))
    found = dict.fromkeys(key for row in rows for key in row)
    groups = {key.rpartition(".")[0] for key in found}
    columns = [Column(key, key) for key in found if key not in groups]
    filled = [{**dict.fromkeys(found), **row} for row in rows]
    return Table(name.capitalize(), f"{at}/{name}", columns, filled)


def _flat(value: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Join the names of nested members; of lists, keep only intervals, as low and high."""
    found: dict[str, Any] = {}
    for name, inner in value.items():
        if isinstance(inner, dict):
            found |= _flat(inner, f"{before}{name}.")
        elif not isinstance(inner, list):
            found[before + name] = inner
        elif len(inner) == 2 and all(isinstance(end, float | int | None) for end in inner):
            found |= {f"{before}{name}.low": inner[0], f"{before}{name}.high": inner[1]}
    return found
