"""Whether a run still writes its journal: it holds a lock on the file, which ends with the process.

A lock needs no cleaning up, however the run ends, and no other process can be taken for it, unlike
the number of a process.
"""

import contextlib
import time
from pathlib import Path
from typing import BinaryIO, Final

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_SILENT_S: Final = 30.0
"""Without locks, a journal that got nothing for so long is taken to be left behind."""


def hold(file: BinaryIO) -> None:
    """Lock a journal as long as this process has it open; not where there are no such locks."""
    if fcntl is not None:
        with contextlib.suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)


def is_held(path: Path) -> bool:
    """Tell whether a run still writes to a journal; nobody does to one that is gone."""
    try:
        with path.open("rb") as file:
            if fcntl is None:
                return time.time() - path.stat().st_mtime < _SILENT_S
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
