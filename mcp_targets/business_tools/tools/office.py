"""`calendar_operation` and `docs_operation`: events and pages."""

from typing import Annotated, Any, Literal

from pydantic import Field

from mcp_targets.business_tools.tools.tool import Arguments, Context, needed

Time = Annotated[
    str,
    Field(
        pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d)$",
        description="With an offset: RFC 3339.",
    ),
]
Count = Annotated[int, Field(ge=1, le=100)]
Identifier = Annotated[str, Field(min_length=1, max_length=200)]


class CalendarOperation(Arguments):
    """Work with events of a calendar."""

    operation: Literal["create_event", "list_events", "get_event", "update_event"]
    event_id: Identifier | None = None
    summary: str | None = Field(None, min_length=1, max_length=1000)
    start: Time | None = None
    end: Time | None = None
    attendees: list[str] | None = Field(None, max_length=200)
    limit: Count = 20


async def calendar(given: CalendarOperation, context: Context) -> dict[str, Any]:
    """Do it in Google Calendar."""
    when = {"summary": given.summary, "start": given.start, "end": given.end}
    match given.operation:
        case "create_event":
            needed(**when)
            arguments: dict[str, Any] = {**when, "attendees": given.attendees}
        case "list_events":
            arguments = {"maxResults": given.limit}
        case "get_event":
            needed(event_id=given.event_id)
            arguments = {"id": given.event_id}
        case "update_event":
            needed(event_id=given.event_id)
            arguments = {"id": given.event_id, **when}
    return await context.ask("google_calendar", given.operation, **arguments)


class DocsOperation(Arguments):
    """Work with pages."""

    operation: Literal["create", "get", "update", "list"]
    page_id: Identifier | None = None
    title: str | None = Field(None, min_length=1, max_length=1000)
    content: str | None = Field(None, max_length=100_000)
    limit: Count = 20


async def docs(given: DocsOperation, context: Context) -> dict[str, Any]:
    """Do it in Notion."""
    text = {"title": given.title, "content": given.content}
    match given.operation:
        case "create":
            needed(title=given.title)
            arguments: dict[str, Any] = text
        case "list":
            arguments = {"page_size": given.limit}
        case "get":
            needed(page_id=given.page_id)
            arguments = {"id": given.page_id}
        case "update":
            needed(page_id=given.page_id)
            arguments = {"id": given.page_id, **text}
    return await context.ask("notion", given.operation, **arguments)
