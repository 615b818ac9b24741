"""Renderings of one finished document; no rendering computes a number."""

import os
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Final

from mcp_perf.results.document.document import Report
from mcp_perf.results.journal.records import SampleRecord
from mcp_perf.results.render.files import csv_samples, junit, markdown, pdf
from mcp_perf.results.render.files import html as html_report

_Chunks = Iterable[str | bytes]
_RENDERINGS: Final[dict[str, tuple[str, Callable[[Report, Iterable[SampleRecord]], _Chunks]]]] = {
    "json": ("report.json", lambda report, _: [report.as_json()]),
    "csv": ("samples.csv", lambda _, samples: csv_samples.render(samples)),
    "junit": ("junit.xml", lambda report, _: [junit.render(report)]),
    "md": ("report.md", lambda report, _: [markdown.render(report)]),
    "html": ("report.html", lambda report, _: [html_report.render(report)]),
    "pdf": ("report.pdf", lambda report, _: [pdf.render(html_report.render(report))]),
}
"""Format -> file name and renderer; the document is first, because it can make all others."""

FORMATS: Final = tuple(name for name in _RENDERINGS if name != "pdf")
"""The formats that need no extra."""


def write_all(
    report: Report,
    samples: Iterable[SampleRecord],
    folder: Path,
    formats: Collection[str] = FORMATS,
) -> list[Path]:
    """Write the report in each format to the folder and return the files' paths.

    A file appears whole or not at all. `samples` is read only for `csv`, once. Raises OSError if
    a file cannot be written, PdfError if its extra is missing.
    """
    written = []
    for name, (filename, render) in _RENDERINGS.items():
        if name in formats:
            written.append(write(folder / filename, render(report, samples)))
    return written


def write(path: Path, chunks: _Chunks) -> Path:
    """Write a temporary file next to the path and rename it: readers never see half a report."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.writelines(one if isinstance(one, bytes) else one.encode() for one in chunks)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path
