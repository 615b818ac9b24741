"""What servers write to their standard error, without their secrets."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MAX_LOG_BYTES: Final = 1024 * 1024
MAX_LINE_BYTES: Final = 8192


@dataclass(eq=False)
class Log:
    """What the servers of an arm write, in one file of bounded size."""

    path: Path | None
    """Created with the first line; None keeps nothing."""
    clean: Callable[[str], str] = str
    """Takes out secrets."""
    left: int = MAX_LOG_BYTES
    """How many bytes may still be written."""

    def write(self, lines: str) -> None:
        """Append what still fits; a disk that fails does not disturb the load."""
        if self.path is None or self.left <= 0:
            return
        kept = self.clean(lines).encode("utf-8", "replace")[: self.left]
        self.left -= len(kept)
        end = b"" if self.left else b"\n(the log is full; the rest was dropped)\n"
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab") as file:
                file.write(kept + end)


@dataclass(eq=False)
class ErrorLines:
    """One process's standard error, handed to a log in whole lines: a part could cut a secret."""

    log: Log
    last: str = ""
    """The last line that is not empty."""
    _open: bytes = b""
    """The line that has not ended, up to where it is cut."""

    def feed(self, data: bytes) -> None:
        *ended, rest = (self._open + data).split(b"\n")
        self._open = rest[: MAX_LINE_BYTES + 1]
        if ended:
            self._take([_text(line) for line in ended])

    def end(self) -> None:
        if self._open:
            self._take([_text(self._open)])
            self._open = b""

    def _take(self, lines: list[str]) -> None:
        self.log.write("".join(f"{line}\n" for line in lines))
        self.last = next((line.strip() for line in reversed(lines) if line.strip()), self.last)


def _text(line: bytes) -> str:
    """Decode a line; a very long one ends with `…`, which marks a secret that it cuts."""
    if len(line) <= MAX_LINE_BYTES:
        return line.decode("utf-8", "replace")
    return line[:MAX_LINE_BYTES].decode("utf-8", "ignore") + "…"
