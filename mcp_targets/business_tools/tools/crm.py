"""`crm_operation`: contacts and deals in HubSpot or Salesforce."""

from typing import Any, Literal

from pydantic import Field

from mcp_targets.business_tools.tools.tool import Arguments, Context, needed


class CrmOperation(Arguments):
    """Work with contacts and deals of a CRM."""

    crm: Literal["hubspot", "salesforce"]
    operation: Literal[
        "create_contact",
        "update_contact",
        "get_contact",
        "list_contacts",
        "create_deal",
        "get_deals",
    ]
    data: dict[str, Any] = Field(
        {}, description="The fields; `id` names a contact, `limit` is how many to list."
    )


async def crm(given: CrmOperation, context: Context) -> dict[str, Any]:
    """Do it in the CRM."""
    data = dict(given.data)
    match given.operation:
        case "list_contacts" | "get_deals":
            arguments = {"limit": data.get("limit", 20)}
        case "get_contact":
            needed(**{"data.id": data.get("id")})
            arguments = {"id": str(data["id"])}
        case "update_contact":
            identifier = data.pop("id", None)
            needed(**{"data.id": identifier, "data": data})
            arguments = {"id": str(identifier), "properties": data}
        case _:
            needed(data=data)
            arguments = {"properties": data}
    return await context.ask(given.crm, given.operation, **arguments)
