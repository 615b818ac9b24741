"""Whether a run still writes its journal: it locks the file, and the lock ends with the process.

A lock needs no cleanup, however the run ends. Unlike a process id, it cannot be mistaken for that
of another process.
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
"""Without locks, a journal that got nothing for this long is considered abandoned."""


def hold(file: BinaryIO) -> None:
    """Lock a journal as long as this process has it open, if the system has such locks."""
    if fcntl is not None:
        with contextlib.suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)


def is_held(path: Path) -> bool:
    """Tell whether a run still writes to a journal; False if the file is gone."""
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
