"""The log: how its lines look, and the files of it that a run's folder has. No call is logged."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import gevent

from mcp_perf import settings
from mcp_perf.load.hub.redaction import Clean, CleanStream, clean

if TYPE_CHECKING:
    from structlog.typing import EventDict, Processor

_LOGGERS: Final = ("", "locust", "locust.stats_logger")
"""Those to which Locust gives handlers."""
_OF_OTHERS: Final = ("message", "asctime")
"""What handlers of others leave in a record when they have formatted it."""
_TEXT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_FILES: Final = {"run.log": logging.NOTSET, "errors.log": logging.ERROR}
"""What is in each: lines of this level and graver ones. The second is made by the first error."""


class RunLogs:
    """What is logged during a run, in files of its folder."""

    def __init__(self, folder: Path) -> None:
        self._files = [
            logging.FileHandler(folder / name, encoding="utf-8", delay=bool(level))
            for name, level in _FILES.items()
        ]
        for file, level in zip(self._files, _FILES.values(), strict=True):
            file.setLevel(level)
            file.setFormatter(logging.Formatter(_TEXT))
            guard(file)
            logging.getLogger().addHandler(file)

    def close(self) -> None:
        for file in self._files:
            logging.getLogger().removeHandler(file)
            file.close()


def guard_process() -> None:
    """Guard the terminal: the log's handlers, and what gevent writes of greenlets that failed."""
    for name in _LOGGERS:
        for handler in logging.getLogger(name).handlers:
            guard(handler)
    gevent.get_hub().exception_stream = CleanStream()


def guard(handler: logging.Handler) -> None:
    """Let all that the handler writes be clean, and look as the settings say; twice is once."""
    if isinstance(handler.formatter, Clean):
        return
    if settings.current().log_format == "json":
        handler.setFormatter(structured())
    else:
        handler.setFormatter(Clean(handler.formatter or logging.Formatter()))


def _cleaned(_logger: Any, _name: str, fields: "EventDict") -> "EventDict":
    return {
        key: clean(value) if isinstance(value, str) else value
        for key, value in fields.items()
        if key not in _OF_OTHERS
    }


def structured() -> logging.Formatter:
    """Return what writes one JSON object a line: timestamp, level, logger, event, and `extra`."""
    import structlog  # noqa: PLC0415 -- JSON is asked for by few

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
