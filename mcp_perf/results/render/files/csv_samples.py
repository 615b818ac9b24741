"""`samples.csv`: one line per call that the journal kept whole."""

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any, Final

from mcp_perf.results.document.text import clip, visible
from mcp_perf.results.journal.records import SampleRecord

_FORMULA: Final = re.compile(
    r"\A(?=[\t\r\n]|\s*[=+@\-\uff1d\uff0b\uff0d\uff20])|(?<=[;\t])(?=\s*[=+@\-\uff1d\uff0b\uff0d\uff20])"
)
"""Before what a spreadsheet takes for a formula (OWASP, "CSV Injection"), full width too: where a
cell begins, also by the separators of other countries."""
_LONGEST: Final = 4000


def cell(text: str) -> str:
    """Quote text so that no spreadsheet runs it, and keep it on one line."""
    quoted = _FORMULA.sub("'", clip(text, _LONGEST))
    return visible(quoted.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\\n"))


def _ms(nanoseconds: int) -> str:
    return f"{nanoseconds / 1e6:.6f}".rstrip("0").rstrip(".")


_COLUMNS: Final[dict[str, Callable[[SampleRecord], str | int | float]]] = {
    "turn": lambda sample: sample.turn,
    "at_s": lambda sample: sample.at_s,
    "arm": lambda sample: cell(sample.arm),
    "journey": lambda sample: cell(sample.journey),
    "step": lambda sample: cell(sample.step),
    "class": lambda sample: cell(sample.cls),
    "latency_ms": lambda sample: _ms(sample.latency_ns),
    "service_ms": lambda sample: _ms(sample.service_ns),
    "bytes_in": lambda sample: sample.bytes_in,
    "bytes_out": lambda sample: sample.bytes_out,
    "detail": lambda sample: cell(sample.detail),
}


def render(samples: Iterable[SampleRecord]) -> Iterator[str]:
    """Yield the header and one line per sample (RFC 4180), one at a time: there may be millions."""
    line = io.StringIO()
    writer = csv.writer(line)
    rows: Iterator[list[Any]] = ([read(sample) for read in _COLUMNS.values()] for sample in samples)
    for row in chain([list(_COLUMNS)], rows):
        writer.writerow(row)
        yield line.getvalue()
        line.seek(0)
        line.truncate()
