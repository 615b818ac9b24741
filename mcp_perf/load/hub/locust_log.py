"""Lines of Locust's log that say nothing about a run: they stay off the terminal."""

import logging
from typing import Final

_UNTRUE: Final = ("a user that didn't have proper args",)
"""Locust counts users that have just ended among users to be stopped, and logs an error."""
_OF_MAIN: Final = ("Starting web interface at", "No run time limit set")
"""Locust's address lacks the key that opens the page, and -t bounds the turns instead of Locust."""
_TOLD_BY_US: Final = ("CPU usage",)
"""A reason of the verdict says how busy the load generator was, with figures."""


def hush() -> None:
    """Drop what Locust logs but is not true, wherever its log goes."""
    for name, texts in (("locust.runners", _UNTRUE), ("locust.main", _OF_MAIN)):
        logger = logging.getLogger(name)
        if not any(isinstance(one, _Without) for one in logger.filters):
            logger.addFilter(_Without(texts))


def told_by_us() -> logging.Filter:
    """Return the filter of a handler for lines that repeat what we say; run.log keeps them."""
    return _Without(_TOLD_BY_US)


class _Without(logging.Filter):
    def __init__(self, texts: tuple[str, ...]) -> None:
        super().__init__()
        self._texts = texts

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        ours = not record.name.startswith("locust")
        return ours or not any(text in message for text in self._texts)
