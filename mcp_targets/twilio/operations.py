"""The provider's operations that become tools, one each, under the names of its OpenAPI."""

from typing import Final, Literal

import msgspec

_API: Final = "/2010-04-01/Accounts/{account}"
_TASKROUTER: Final = "/v1/Workspaces/{workspace}"


class Argument(msgspec.Struct, frozen=True):
    """A parameter of an operation, by the provider's name."""

    name: str
    description: str
    type: type = str
    required: bool = True


class Operation(msgspec.Struct, frozen=True):
    """One request to the provider. Arguments that the path does not name go into query or form."""

    tool: str
    description: str
    method: Literal["GET", "POST"]
    path: str
    arguments: tuple[Argument, ...] = ()


_TO: Final = Argument("To", "The number to reach, in E.164 format, such as +14165550199.")
_FROM: Final = Argument("From", "One of the account's numbers, in E.164 format.")
_PAGE_SIZE: Final = Argument("PageSize", "How many to return, up to 1000.", int, required=False)

OPERATIONS: Final = (
    Operation(
        "TwilioApiV2010--ListAvailablePhoneNumberLocal",
        "List local phone numbers that can be bought.",
        "GET",
        _API + "/AvailablePhoneNumbers/{CountryCode}/Local.json",
        (
            Argument("CountryCode", "ISO 3166-1 alpha-2 code, such as CA."),
            Argument("AreaCode", "The area code, such as 416.", required=False),
        ),
    ),
    Operation(
        "TwilioApiV2010--CreateIncomingPhoneNumber",
        "Buy a phone number.",
        "POST",
        _API + "/IncomingPhoneNumbers.json",
        (
            Argument("PhoneNumber", "The number to buy, in E.164 format."),
            Argument("FriendlyName", "What to call it, up to 64 characters.", required=False),
        ),
    ),
    Operation(
        "TwilioApiV2010--ListIncomingPhoneNumber",
        "List the phone numbers of the account, newest first.",
        "GET",
        _API + "/IncomingPhoneNumbers.json",
        (_PAGE_SIZE,),
    ),
    Operation(
        "TwilioTaskrouterV1--CreateActivity",
        "Create a worker activity; its name must be new in the workspace.",
        "POST",
        _TASKROUTER + "/Activities",
        (
            Argument("FriendlyName", "The activity's name, up to 64 characters."),
            Argument("Available", "Whether workers in it get tasks.", bool, required=False),
        ),
    ),
    Operation(
        "TwilioTaskrouterV1--ListActivity",
        "List the worker activities of the workspace, newest first.",
        "GET",
        _TASKROUTER + "/Activities",
        (_PAGE_SIZE,),
    ),
    Operation(
        "TwilioTaskrouterV1--CreateTaskQueue",
        "Create a task queue.",
        "POST",
        _TASKROUTER + "/TaskQueues",
        (
            Argument("FriendlyName", "The queue's name, up to 64 characters."),
            Argument("TargetWorkers", "Which workers may serve it: an expression.", required=False),
        ),
    ),
    Operation(
        "TwilioApiV2010--CreateMessage",
        "Send a text message.",
        "POST",
        _API + "/Messages.json",
        (_TO, _FROM, Argument("Body", "The text, up to 1600 characters.")),
    ),
    Operation(
        "TwilioApiV2010--ListMessage",
        "List the messages of the account, newest first.",
        "GET",
        _API + "/Messages.json",
        (_PAGE_SIZE,),
    ),
    Operation(
        "TwilioApiV2010--CreateCall",
        "Make a phone call.",
        "POST",
        _API + "/Calls.json",
        (_TO, _FROM, Argument("Url", "Where the call's instructions (TwiML) are.")),
    ),
)
