"""Lines of Locust's log that say nothing of a run: they stay off the terminal."""

import logging
from typing import Final

_UNTRUE: Final = ("a user that didn't have proper args",)
"""Locust counts users that have just ended among those to be stopped, and says so as an error."""
_WITHOUT_KEY: Final = ("Starting web interface at",)
"""The address that Locust prints does not open the page; ours does."""
_TOLD_BY_US: Final = ("CPU usage",)
"""How busy the load generator was is a reason of the verdict, with its figures."""


def hush() -> None:
    """Drop what Locust says and is not so, wherever its log goes."""
    for name, texts in (("locust.runners", _UNTRUE), ("locust.main", _WITHOUT_KEY)):
        logger = logging.getLogger(name)
        if not any(isinstance(one, _Without) for one in logger.filters):
            logger.addFilter(_Without(texts))


def told_by_us() -> logging.Filter:
    """Return the filter of a handler for what we say ourselves; run.log keeps it."""
    return _Without(_TOLD_BY_US)


class _Without(logging.Filter):
    def __init__(self, texts: tuple[str, ...]) -> None:
        super().__init__()
        self._texts = texts

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        ours = not record.name.startswith("locust")
        return ours or not any(text in message for text in self._texts)
