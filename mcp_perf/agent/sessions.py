"""A session of the benchmark: one agent at one task, from its start to its end, event by event."""

from typing import Any, Final

import msgspec
from pydantic import BaseModel, ConfigDict, Field, JsonValue, field_validator

from mcp_perf.agent.prices import with_cost
from mcp_perf.agent.records import TaskRecord
from mcp_perf.agent.tasks import Mode
from mcp_perf.results.document.text import shown

MOST: Final = 10**12
LONGEST: Final = 200
"""Characters of a name."""

_Name = Field(default="", max_length=LONGEST)
_Tokens = Field(default=0, ge=0, le=MOST)


class _Body(BaseModel):
    """What a client sends: strictly JSON's types, and no text that could act in a report."""

    model_config = ConfigDict(strict=True, frozen=True)

    @field_validator("*")
    @classmethod
    def _harmless(cls, value: Any) -> Any:
        return shown(value)


class NewSession(_Body):
    """An agent begins a task."""

    mode: Mode
    taskNumber: int = Field(ge=1, le=999_999_999)  # noqa: N815 -- the key
    model: str = _Name
    server: str = _Name
    client: str = _Name


class ApiCall(_Body):
    """The agent has called the provider, or a tool."""

    endpoint: str = Field(min_length=1, max_length=2000)
    method: str = Field(min_length=1, max_length=LONGEST)
    success: bool
    details: JsonValue = None
    durationMs: float | None = Field(default=None, ge=0, le=MOST, allow_inf_nan=False)  # noqa: N815
    tokensIn: int = _Tokens  # noqa: N815
    tokensOut: int = _Tokens  # noqa: N815
    cacheWrites: int = _Tokens  # noqa: N815
    cacheReads: int = _Tokens  # noqa: N815


class Interaction(_Body):
    """A person has said something to the agent."""

    type: str = Field(min_length=1, max_length=LONGEST)
    details: JsonValue = None


class Completion(_Body):
    """The task is over."""

    success: bool
    notes: str = Field(default="", max_length=10_000)


Event = ApiCall | Interaction | Completion
NAMES: Final[dict[type[Any], str]] = {
    ApiCall: "apiCall",
    Interaction: "interaction",
    Completion: "complete",
}


def begun(new: NewSession, session: str, now_ms: int) -> TaskRecord:
    """Return the record of a session that begins: nothing has happened yet."""
    counts = ("api_calls", "interactions", "tokens_in", "tokens_out", "total_tokens")
    others = ("cache_writes", "cache_reads", "conversation_history_index")
    nothing: dict[str, Any] = dict.fromkeys((*counts, *others), 0)
    return TaskRecord(
        mode=new.mode,
        task_id=new.taskNumber,
        directory_id=session,
        model=new.model,
        mcp_server=new.server,
        mcp_client=new.client,
        start_time=now_ms,
        completed=False,
        **nothing,
    )


def after(record: TaskRecord, event: Event, now_ms: int) -> TaskRecord:
    """Return the record once something more has happened."""
    change: dict[str, Any]
    if isinstance(event, ApiCall):
        added = {
            "api_calls": 1,
            "tokens_in": event.tokensIn,
            "tokens_out": event.tokensOut,
            "total_tokens": event.tokensIn + event.tokensOut,
            "cache_writes": event.cacheWrites,
            "cache_reads": event.cacheReads,
        }
        change = {name: (getattr(record, name) or 0) + more for name, more in added.items()}
    elif isinstance(event, Interaction):
        change = {"interactions": (record.interactions or 0) + 1}
    else:
        end = max(now_ms, record.start_time or 0)
        duration = end - (record.start_time or 0)
        change = {"completed": True, "success": event.success, "notes": event.notes}
        change |= {"end_time": end, "duration": duration}
    changed = msgspec.structs.replace(record, **change)
    return with_cost(changed) if changed.completed else changed
