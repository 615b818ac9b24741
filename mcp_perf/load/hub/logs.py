"""The log: how its lines look, and its files in a run's folder. Calls are not logged."""

import contextlib
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import gevent

from mcp_perf import settings
from mcp_perf.load.hub.redaction import Clean, CleanStream, clean

if TYPE_CHECKING:
    from structlog.typing import EventDict, Processor

_LOGGERS: Final = ("", "locust", "locust.stats_logger")
"""The loggers to which Locust gives handlers."""
_OF_OTHERS: Final = ("message", "asctime")
"""Attributes that other handlers leave in a record when they have formatted it."""
_TEXT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_FILES: Final = {"run.log": logging.NOTSET, "errors.log": logging.ERROR}
"""File -> the lowest level in it. The first error creates the second file."""


class RunLogs:
    """Writes what is logged during a run to files in its folder."""

    def __init__(self, folder: Path) -> None:
        self._files = []
        for name, level in _FILES.items():
            file = _LogFile(folder / name, encoding="utf-8", delay=bool(level))
            file.setLevel(level)
            file.setFormatter(logging.Formatter(_TEXT))
            guard(file)
            logging.getLogger().addHandler(file)
            self._files.append(file)

    def close(self) -> None:
        for file in self._files:
            logging.getLogger().removeHandler(file)
            file.close()


class _LogFile(logging.FileHandler):
    """A file that does not grow if the disk is full. The run says so, and ends as it would."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 -- logging's name
        if not isinstance(sys.exception(), OSError):
            super().handleError(record)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            super().close()


def guard_process() -> None:
    """Guard the terminal: the log's handlers, and what gevent writes about failed greenlets."""
    for name in _LOGGERS:
        for handler in logging.getLogger(name).handlers:
            guard(handler)
    gevent.get_hub().exception_stream = CleanStream()


def guard(handler: logging.Handler) -> None:
    """Make all that the handler writes clean, in the format of the settings. Idempotent."""
    if isinstance(handler.formatter, Clean):
        return
    as_json = settings.current().log_format == "json"
    text = Clean(handler.formatter or logging.Formatter())
    handler.setFormatter(structured() if as_json else text)


def _cleaned(_logger: Any, _name: str, fields: "EventDict") -> "EventDict":
    return {
        key: clean(value) if isinstance(value, str) else value
        for key, value in fields.items()
        if key not in _OF_OTHERS
    }


def structured() -> logging.Formatter:
    """Return a formatter for a JSON object a line: timestamp, level, logger, event, `extra`."""
    import structlog  # noqa: PLC0415 -- few users ask for JSON

    of_any_logger: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper("iso"),
    ]
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=of_any_logger,
        processors=[
            structlog.processors.format_exc_info,
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            _cleaned,
            structlog.processors.JSONRenderer(default=str),
        ],
    )
