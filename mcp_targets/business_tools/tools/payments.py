"""`stripe_operation`: customers, payments and refunds; no payment is made twice by a retry."""

from typing import Any, Literal

from pydantic import Field

from mcp_targets.business_tools.tools.communication import Address
from mcp_targets.business_tools.tools.office import Count, Identifier
from mcp_targets.business_tools.tools.tool import Arguments, Context, needed


class StripeOperation(Arguments):
    """Work with customers and payments. Amounts are in the currency's smallest unit."""

    operation: Literal[
        "create_customer", "get_customer", "create_payment", "list_payments", "refund"
    ]
    customer_id: Identifier | None = None
    payment_id: Identifier | None = None
    email: Address | None = None
    name: str | None = Field(None, min_length=1, max_length=200)
    amount: int | None = Field(None, ge=1, le=99_999_999)
    currency: str | None = Field(None, pattern=r"^[a-z]{3}$")
    limit: Count = 20


async def stripe(given: StripeOperation, context: Context) -> dict[str, Any]:
    """Do it in Stripe."""
    match given.operation:
        case "create_customer":
            needed(email=given.email)
            arguments: dict[str, Any] = {"email": given.email, "name": given.name}
        case "get_customer":
            needed(customer_id=given.customer_id)
            arguments = {"id": given.customer_id}
        case "create_payment":
            arguments = {"amount": given.amount, "currency": given.currency}
            needed(**arguments)
            arguments["customer"] = given.customer_id
        case "list_payments":
            arguments = {"limit": given.limit}
        case "refund":
            needed(payment_id=given.payment_id)
            arguments = {"payment_intent": given.payment_id, "amount": given.amount}
    return await context.ask("stripe", given.operation, **arguments)
