"""What tokens cost: price lists with their dates, and the cost of a record that has none."""

import tomllib
from datetime import UTC, date, datetime
from fnmatch import fnmatchcase
from importlib.resources import files
from typing import Any, Final

import msgspec

from mcp_perf.agent.records import TaskRecord

_FILE: Final = files("mcp_perf.agent").joinpath("prices.toml")
_LISTS: Final[list[dict[str, Any]]] = tomllib.loads(_FILE.read_text("utf-8"))["list"]


def price_list(model: str, at_ms: float | None) -> dict[str, Any] | None:
    """Return a model's prices at a time, in dollars per million tokens; None if no list has it.

    This is the newest list that held on that day, or else the oldest list.
    """
    name = model.strip().lower().replace(" ", "-")
    fitting = [one for one in _LISTS if any(fnmatchcase(name, each) for each in one["models"])]
    day = date.max if at_ms is None else datetime.fromtimestamp(at_ms / 1000, UTC).date()
    return next((one for one in fitting if one["since"] <= day), fitting[-1] if fitting else None)


def cost(record: TaskRecord, prices: dict[str, Any]) -> float:
    """Return what the tokens of a record cost, in dollars."""
    return (
        float(
            (record.tokens_in or 0) * prices["in"]
            + (record.tokens_out or 0) * prices["out"]
            + (record.cache_writes or 0) * prices["cache_writes"]
            + (record.cache_reads or 0) * prices["cache_reads"]
        )
        / 1e6
    )


def with_cost(record: TaskRecord) -> TaskRecord:
    """Add the cost to a record that has none, if its tokens and their price are known."""
    prices = price_list(record.model or "", record.start_time)
    if record.cost is not None or prices is None or record.total_tokens is None:
        return record
    return msgspec.structs.replace(record, cost=cost(record, prices))
