"""The guard of process groups: a separate program, which the client starts and talks to.

Its standard input says which groups live: `+PGID` or `-PGID`, one a line. When nobody holds the
other end any more, it ends the groups that are left, and then itself.
"""

import os
import signal
import sys
import time
from typing import Final

_GRACE_S: Final = 2.0
_POLL_S: Final = 0.02


def main() -> None:
    """Keep the list until the input ends; then end what is on it."""
    os.setsid()  # what kills its parent's group or terminal must not kill it
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: set[int] = set()
    for line in sys.stdin:
        change = groups.add if line[0] == "+" else groups.discard
        change(int(line[1:]))
    end(groups)


def end(groups: set[int]) -> None:
    """Ask the groups to end, and kill those that have not ended in time."""
    deadline = time.monotonic() + _GRACE_S
    left = {group for group in groups if sent(group, signal.SIGTERM)}
    while left and time.monotonic() < deadline:
        time.sleep(_POLL_S)
        left = {group for group in left if sent(group, 0)}
    for group in left:
        sent(group, signal.SIGKILL)


def sent(group: int, number: int) -> bool:
    """Signal a group; tell whether there is one."""
    try:
        os.killpg(group, number)
    except OSError:
        return False
    return True


if __name__ == "__main__":
    main()
