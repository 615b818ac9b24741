"""`samples.csv`: one line per call that the journal kept whole."""

import csv
import io
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final

from mcp_perf.results.journal.records import SampleRecord
from mcp_perf.results.render.words.text import visible

COLUMNS: Final = (
    "turn",
    "at_s",
    "arm",
    "journey",
    "step",
    "class",
    "latency_ms",
    "service_ms",
    "bytes_in",
    "bytes_out",
    "detail",
)
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a spreadsheet takes for the start of a formula (OWASP, "CSV Injection"), full width too."""


def cell(text: str) -> str:
    """Quote text so that no spreadsheet runs it, and keep it on one line."""
    quoted = f"'{text}" if text.startswith(_FORMULA) else text
    return visible(quoted.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\\n"))


def _ms(nanoseconds: int) -> str:
    """Write nanoseconds as milliseconds, losing nothing."""
    return f"{nanoseconds / 1e6:.6f}".rstrip("0").rstrip(".")


def _row(sample: SampleRecord) -> list[str | int | float]:
    return [
        sample.turn,
        sample.at_s,
        cell(sample.arm),
        cell(sample.journey),
        cell(sample.step),
        cell(sample.cls),
        _ms(sample.latency_ns),
        _ms(sample.service_ns),
        sample.bytes_in,
        sample.bytes_out,
        cell(sample.detail),
    ]


def render(samples: Iterable[SampleRecord]) -> Iterator[str]:
    """Yield the header and one line per sample (RFC 4180), one at a time: there may be millions."""
    line = io.StringIO()
    writer = csv.writer(line)
    for row in chain([COLUMNS], map(_row, samples)):
        writer.writerow(row)
        yield line.getvalue()
        line.seek(0)
        line.truncate()
