"""`web_search` and `enrich_data`: facts that change slowly."""

from typing import Any, Literal

from pydantic import Field

from mcp_targets.business_tools.tools.tool import Arguments, Context


class WebSearch(Arguments):
    """Search the web."""

    query: str = Field(min_length=1, max_length=400)
    num_results: int = Field(10, ge=1, le=20)
    search_type: Literal["web", "news", "images"] = "web"


async def search(given: WebSearch, context: Context) -> dict[str, Any]:
    """Search by Brave."""
    return await context.ask("websearch", given.search_type, q=given.query, count=given.num_results)


class EnrichData(Arguments):
    """Find out what is known about a person, a company or an e-mail address."""

    provider: Literal["clearbit", "hunter"]
    type: Literal["person", "company", "email"]
    identifier: str = Field(min_length=1, max_length=254, description="A name, domain or address.")


async def enrich(given: EnrichData, context: Context) -> dict[str, Any]:
    """Ask the provider."""
    return await context.ask(given.provider, given.type, identifier=given.identifier)
