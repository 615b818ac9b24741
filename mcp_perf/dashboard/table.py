"""A table of the dashboard: one shape that is a page's HTML, a CSV file and a JSON document."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from fastapi import Response
from fastapi.responses import JSONResponse

from mcp_perf.agent.rendering import csv_of

Cells = Mapping[str, Any]
Form = Literal["csv", "json"]


@dataclass(frozen=True)
class Column:
    """One column; the rows hold its values under `key`: numbers, texts, or None."""

    key: str
    title: str
    unit: str = ""
    """A unit of `numbers.measured`, or "verdict", "arm" or "time"; text has none."""
    link: Callable[[Cells], str] | None = None

    @property
    def is_number(self) -> bool:
        return self.unit not in ("", "verdict", "arm", "time")


@dataclass(frozen=True)
class Table:
    """Rows under columns. `at` is the path of its files without the file extension."""

    title: str
    at: str
    columns: Sequence[Column]
    rows: Sequence[Cells]

    def as_csv(self) -> str:
        """Write it as CSV."""
        return csv_of((column.key for column in self.columns), map(dict.values, self.as_json()))

    def as_json(self) -> list[dict[str, Any]]:
        """Return the rows, each by the keys of the columns."""
        return [{column.key: row[column.key] for column in self.columns} for row in self.rows]

    def answer(self, form: Form) -> Response:
        """Return it as a file to download (CSV) or as a document (JSON)."""
        if form == "json":
            return JSONResponse(self.as_json())
        name = self.at.strip("/").replace("/", "-")
        named = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
        return Response(self.as_csv(), media_type="text/csv", headers=named)
