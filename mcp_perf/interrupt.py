"""Ctrl-C as long as no run answers it: one sentence, exit code 105, no traceback, a clean screen.

It takes over before everything else is imported, so it imports nothing that takes time.
"""

import os
import signal
import sys
from collections.abc import Callable

CODE = 105
SAID = "Stopped: the command was interrupted."
_CLEAN = "\r\x1b[K\x1b[0m\x1b[?25h"
"""An empty line, no colour, and the cursor is there."""


def begin() -> None:
    """Take Ctrl-C over from Python, unless the process ignores it or somebody else has it."""
    _take(at_once)


def unwind() -> None:
    """From here on, Ctrl-C ends what has begun, and a second one what ends it."""
    if signal.getsignal(signal.SIGINT) is at_once:
        signal.signal(signal.SIGINT, _first)


def leaving() -> None:
    """Ignore Ctrl-C if it is still ours: nothing is left but to leave."""
    if signal.getsignal(signal.SIGINT) in (at_once, _first, leave):
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def before_locust() -> None:
    """Let Ctrl-C end a process that Locust's own command has started, until a run answers it."""
    _take(leave)


def ignored(*_given: object) -> None:
    """Go on; unlike SIG_IGN, no process that is started inherits it."""


def at_once(*_given: object) -> None:
    """Leave without any ado: nothing has begun that has to be ended."""
    say()
    os._exit(CODE)


def leave(*_given: object) -> None:
    """Say so, and raise SystemExit, which nobody shows as a traceback."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    say()
    raise SystemExit(CODE)


def _take(handler: Callable[..., None]) -> None:
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, handler)
        sys.unraisablehook = _unraisable
        # The terminal tells every process, and the one that forked the others ends them.
        os.register_at_fork(after_in_child=lambda: signal.signal(signal.SIGINT, ignored))


def _first(*_given: object) -> None:
    signal.signal(signal.SIGINT, leave)
    hub = getattr(sys.modules.get("gevent.hub"), "Hub", None)
    if hub is not None:
        hub.NOT_ERROR += (KeyboardInterrupt,)  # it hands it on, and shows no traceback
    raise KeyboardInterrupt


def say() -> None:
    """Write the sentence to stderr, on a line that is clean."""
    os.write(2, f"{_CLEAN if os.isatty(2) else ''}{SAID}\n".encode())


def _unraisable(failed: "sys.UnraisableHookArgs") -> None:
    """Leave if it was raised in a destructor, from where it gets to nobody."""
    if isinstance(failed.exc_value, KeyboardInterrupt | SystemExit):
        at_once()
    sys.__unraisablehook__(failed)
