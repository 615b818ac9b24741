"""All tools by name: the ten in code, and one for each operation in provider files."""

from collections.abc import Mapping
from typing import Any, Final

from mcp_targets.business_tools.database.queries import DatabaseQuery
from mcp_targets.business_tools.tools import communication, crm, office, payments, research
from mcp_targets.business_tools.tools.tool import Arguments, Context, Tool
from mcp_targets.business_tools.upstreams.spec import Provider


class _Query(DatabaseQuery, Arguments):
    """Ask or change a MongoDB. Values are Extended JSON, such as {"$oid": "…"}."""


async def _query(given: DatabaseQuery, context: Context) -> dict[str, Any]:
    result = await context.database.query(given)
    said = {"provider": "mongodb", "operation": given.operation, "cached": False}
    return {**said, "result": result}


TEN: Final = {
    tool.name: tool
    for tool in (
        Tool.of("twilio_communication", communication.TwilioCommunication, communication.twilio),
        Tool.of("database_query", _Query, _query),
        Tool.of("crm_operation", crm.CrmOperation, crm.crm),
        Tool.of("web_search", research.WebSearch, research.search),
        Tool.of("enrich_data", research.EnrichData, research.enrich),
        Tool.of("calendar_operation", office.CalendarOperation, office.calendar),
        Tool.of("send_email", communication.SendEmail, communication.email),
        Tool.of("stripe_operation", payments.StripeOperation, payments.stripe),
        Tool.of("docs_operation", office.DocsOperation, office.docs),
        Tool.of("social_media_post", communication.SocialMediaPost, communication.post),
    )
}


def declared(providers: Mapping[str, Provider]) -> dict[str, Tool]:
    """Return the tools that provider files define."""
    return {
        name: _declared(provider, name, operation)
        for provider in providers.values()
        for name, operation in provider.tool_names()
    }


def _declared(provider: Provider, name: str, operation: str) -> Tool:
    about = provider.operations[operation]

    async def run(arguments: dict[str, Any], context: Context) -> dict[str, Any]:
        return await context.ask(provider.provider, operation, **arguments)

    description = f"{provider.title}: {about.description}"
    return Tool(name, description, about.schema_of_input(), run, provider.version)
