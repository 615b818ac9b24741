"""`twilio_communication`, `send_email` and `social_media_post`: what goes out to people."""

from typing import Annotated, Any, Literal

from pydantic import Field

from mcp_targets.business_tools.tools.tool import Arguments, Context, needed

Number = Annotated[str, Field(pattern=r"^\+\d{10,15}$", description="In E.164 format.")]
Address = Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$", max_length=254)]


class TwilioCommunication(Arguments):
    """Send a text or WhatsApp message, or make a call."""

    channel: Literal["sms", "voice", "whatsapp"]
    to: Number
    sender: Number | None = Field(None, alias="from", description="One of the account's numbers.")
    message: str | None = Field(None, min_length=1, max_length=1600)
    url: str | None = Field(
        None, pattern=r"^https?://\S+$", max_length=2000, description="A call's instructions."
    )


async def twilio(given: TwilioCommunication, context: Context) -> dict[str, Any]:
    """Send or call."""
    account = context.variables["twilio_account"]
    sender = given.sender or context.variables["twilio_number"]
    if given.channel == "voice":
        needed(url=given.url)
        return await context.ask(
            "twilio", "make_call", account=account, To=given.to, From=sender, Url=given.url
        )
    needed(message=given.message)
    prefix = "whatsapp:" if given.channel == "whatsapp" else ""
    return await context.ask(
        "twilio",
        "send_message",
        account=account,
        To=prefix + given.to,
        From=prefix + sender,
        Body=given.message,
    )


class SendEmail(Arguments):
    """Send an e-mail."""

    to: list[Address] = Field(min_length=1, max_length=100)
    subject: str = Field(min_length=1, max_length=998, pattern=r"^[^\r\n]*$")
    body: str = Field(min_length=1, max_length=100_000)
    sender: Address | None = Field(None, alias="from")


async def email(given: SendEmail, context: Context) -> dict[str, Any]:
    """Send it by SendGrid."""
    sender = given.sender or context.variables["email_from"]
    return await context.ask(
        "sendgrid",
        "send",
        **{"to": given.to, "from": sender, "subject": given.subject, "content": given.body},
    )


class SocialMediaPost(Arguments):
    """Publish a post."""

    platform: Literal["x", "linkedin"]
    text: str = Field(min_length=1, max_length=3000)


async def post(given: SocialMediaPost, context: Context) -> dict[str, Any]:
    """Publish it, if it is short enough for the platform."""
    if given.platform == "x":
        needed(**{"text of at most 280 characters": given.text[280:] == "" or None})
        return await context.ask("x_social", "post", text=given.text)
    return await context.ask("linkedin", "post", text=given.text)
