"""Waiting for other greenlets of the same thread."""

from collections.abc import Callable
from functools import partial

import gevent

from tests.support import waiting


def _switch(_seconds: float) -> None:
    gevent.sleep(0)


until: Callable[..., object] = partial(waiting.until, seconds=10, sleep=_switch)
"""Let the other greenlets run until something is true."""
