"""Ctrl-C while no run handles it: one sentence, exit code 105, no traceback, a clean screen.

This module takes over before everything else is imported, so it imports nothing that takes time.
"""

import os
import signal
import sys
from collections.abc import Callable

CODE = 105
SAID = "Stopped: the command was interrupted."
_CLEAN = "\r\x1b[K\x1b[0m\x1b[?25h"
"""Clear the line, reset the colour, show the cursor."""


def begin() -> None:
    """Take over Ctrl-C from Python, unless the process ignores it or has another handler."""
    _take(at_once)


def unwind() -> None:
    """From here on, Ctrl-C unwinds what has begun, and a second one breaks off the unwinding."""
    if signal.getsignal(signal.SIGINT) is at_once:
        signal.signal(signal.SIGINT, _first)


def leaving() -> None:
    """Ignore Ctrl-C if we still handle it: the process is about to end."""
    if signal.getsignal(signal.SIGINT) in (at_once, _first, leave):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    # If Ctrl-C came while `exec` ran a string, as dataclasses make it do, `python -m` would end by
    # a signal although the exception was caught; the next `exec` makes CPython forget it.
    exec("")  # noqa: S102


def before_locust() -> None:
    """Let Ctrl-C end a process that Locust's own command has started, until a run handles it."""
    _take(leave)


def ignored(*_given: object) -> None:
    """Go on. Child processes do not inherit this, unlike SIG_IGN."""


def at_once(*_given: object) -> None:
    """Leave immediately: nothing has begun that would need to be ended."""
    say()
    os._exit(CODE)


def leave(*_given: object) -> None:
    """Say so, and raise SystemExit, which is not shown as a traceback."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    say()
    raise SystemExit(CODE)


def _take(handler: Callable[..., None]) -> None:
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, handler)
        sys.unraisablehook = _unraisable
        # The terminal signals every process, and the one that forked the others ends them.
        os.register_at_fork(after_in_child=lambda: signal.signal(signal.SIGINT, ignored))


def _first(*_given: object) -> None:
    signal.signal(signal.SIGINT, leave)
    hub = getattr(sys.modules.get("gevent.hub"), "Hub", None)
    if hub is not None:
        hub.NOT_ERROR += (KeyboardInterrupt,)  # the hub passes it on, and prints no traceback
    raise KeyboardInterrupt


def say() -> None:
    """Write the sentence to stderr, on a clean line."""
    os.write(2, f"{_CLEAN if os.isatty(2) else ''}{SAID}\n".encode())


def _unraisable(failed: "sys.UnraisableHookArgs") -> None:
    """Leave if Ctrl-C was raised in a destructor, because no code can catch it there."""
    if isinstance(failed.exc_value, KeyboardInterrupt | SystemExit):
        at_once()
    sys.__unraisablehook__(failed)
