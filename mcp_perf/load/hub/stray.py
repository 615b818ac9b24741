"""Lines of libraries that say nothing of a run: they stay off the terminal."""

import logging
from collections.abc import Callable
from typing import Any, Final, TypeVar

import gevent

_STRAY: Final = ("a user that didn't have proper args",)
"""Locust counts users that have just ended among those to be stopped, and says so as an error."""
_TOLD_BY_US: Final = ("CPU usage",)
"""How busy the load generator was is a reason of the verdict, with its figures."""

T = TypeVar("T")


def hush() -> None:
    """Drop Locust's stray lines, wherever its log goes."""
    logger = logging.getLogger("locust.runners")
    if not any(isinstance(one, _Without) for one in logger.filters):
        logger.addFilter(_Without(_STRAY))


def told_by_us() -> logging.Filter:
    """Return the filter of a handler for what we say ourselves; run.log keeps it."""
    return _Without(_TOLD_BY_US)


def in_a_thread(act: Callable[[], T]) -> T:
    """Do something off the hub; raise what it raises.

    If an exception leaves a thread of gevent's pool, gevent prints its traceback as well.
    """
    done, error = gevent.get_hub().threadpool.apply(_caught, (act,))
    if error is not None:
        raise error
    result: T = done
    return result


def _caught(act: Callable[[], Any]) -> tuple[Any, Exception | None]:
    try:
        return act(), None
    except Exception as error:  # noqa: BLE001 -- it is raised again by who waits for it
        return None, error


class _Without(logging.Filter):
    def __init__(self, texts: tuple[str, ...]) -> None:
        super().__init__()
        self._texts = texts

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        ours = not record.name.startswith("locust")
        return ours or not any(text in message for text in self._texts)
