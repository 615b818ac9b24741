"""A journal that is still being written: what was added to it since the last look."""

from pathlib import Path
from typing import Final

from mcp_perf.results.journal.journal import LONGEST_LINE, JournalError, decoded
from mcp_perf.results.journal.records import AnyRecord

_AT_ONCE: Final = 16 * 1024 * 1024
"""The most bytes that one look reads."""


class JournalFollower:
    """Reads a journal piece by piece."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read = 0
        self._lines = 0
        self._torn = b""
        """The beginning of a line that is not complete yet."""

    def more(self) -> list[AnyRecord]:
        """Return the complete lines that were added. Raises JournalError, even without a file."""
        try:
            with self.path.open("rb") as file:
                file.seek(self._read)
                added = file.read(_AT_ONCE)
        except OSError as error:
            raise JournalError(f"{self.path} cannot be read: {error.strerror}.") from error
        self._read += len(added)
        *lines, self._torn = (self._torn + added).split(b"\n")
        if len(self._torn) > LONGEST_LINE:
            raise JournalError(f"{self.path}: a line is longer than any that a run writes.")
        first, self._lines = self._lines + 1, self._lines + len(lines)
        return [decoded(line, f"{self.path}, line {at}") for at, line in enumerate(lines, first)]
