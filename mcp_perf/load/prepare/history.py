"""Where and how finished runs are remembered. A failure here must not cost a run its report."""

import logging
from typing import Final

from mcp_perf import settings
from mcp_perf.results.compare.baseline import of_report
from mcp_perf.results.document.document import Report

VARIABLE: Final = "MCP_PERF_STORE"
_KINDS: Final = ("sqlite:///", "postgresql://", "postgresql+psycopg://")

logger = logging.getLogger("mcp-perf")


def chosen(store: str) -> str:
    """Return the store's URL: by option, by setting, or a file. Raises SettingsError."""
    url = store or settings.current().store or f"sqlite:///{settings.runs()}/history.sqlite"
    return url.replace("postgresql://", "postgresql+psycopg://", 1)


def problems(store: str) -> list[str]:
    """Return what is wrong with a store's URL, without showing it: it may hold a password."""
    if chosen(store).startswith(_KINDS):
        return []
    hint = "write sqlite:///PATH or postgresql+psycopg://USER@HOST/NAME"
    return [f"--store (or {VARIABLE}): this is not the URL of a database; {hint}"]


def remember(report: Report, store: str) -> None:
    """Append a finished run to the history. If that fails, log a warning."""
    from mcp_perf.results.compare.history import (  # noqa: PLC0415 -- slow to import
        HistoryError,
        append,
    )
    from mcp_perf.results.render.files.kept import kept  # noqa: PLC0415

    try:
        append(chosen(store), of_report(report), kept(report))
    except HistoryError as error:
        logger.warning("%s", error)
