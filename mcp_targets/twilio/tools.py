"""The provider's operations from operations.yaml, each a tool.

In process, each is a function whose name is the end of the tool's, such as `CreateMessage`. The
environment variable TWILIO_UPSTREAM has the provider's address.
"""

import importlib.util
import os
import sys
import urllib.parse
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, Literal, cast

import httpx
import msgspec

from mcp_targets.twilio import accounts

Body = dict[str, Any]


class Argument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A parameter of an operation, under the provider's name."""

    name: str
    description: str
    type: Literal["string", "integer", "boolean"] = "string"
    required: bool = True


class Operation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One request to the provider. Arguments that the path does not name go into query or form."""

    tool: str
    description: str
    method: Literal["GET", "POST"]
    path: str
    arguments: tuple[Argument, ...] = ()


OPERATIONS: Final = msgspec.yaml.decode(
    Path(__file__).with_name("operations.yaml").read_bytes(), type=tuple[Operation, ...]
)


class Refused(Exception):  # noqa: N818 -- a result of the tool, not an error of the program
    """The provider refused, or its reply is unusable; `body` is the reply, if there is one."""

    def __init__(self, message: str, body: Body | None = None) -> None:
        super().__init__(message)
        self.body = body


class Provider:
    """The provider's API for one account, over one pool of connections."""

    _client: httpx.AsyncClient | None = None

    def connect(self, base_url: str, account: accounts.Account) -> httpx.AsyncClient:
        """Set the provider's address and the account to work in; return the client."""
        _stop_looking_for_sniffio()
        self._variables = account.variables()
        # No proxies from the environment: the provider is on this machine.
        self._client = httpx.AsyncClient(
            base_url=base_url,
            limits=httpx.Limits(
                max_connections=256, max_keepalive_connections=256, keepalive_expiry=60
            ),
            timeout=30.0,
            trust_env=False,
        )
        return self._client

    async def perform(self, operation: Operation, arguments: dict[str, Any]) -> Body:
        """Perform an operation; return the provider's JSON. Raises Refused."""
        client = self._client or self.connect(_address(), accounts.IN_PROCESS)
        given = {name: value for name, value in arguments.items() if value is not None}
        path = operation.path.format_map(
            {name: urllib.parse.quote(str(value), safe="") for name, value in given.items()}
            | self._variables
        )
        fields = {
            name: value for name, value in given.items() if f"{{{name}}}" not in operation.path
        }
        try:
            if operation.method == "GET":
                response = await client.get(path, params=fields)
            else:
                response = await client.post(path, data=fields)
            body = response.json()
        except (httpx.HTTPError, ValueError) as error:
            raise Refused(f"Twilio did not answer: {type(error).__name__}: {error}") from error
        if not isinstance(body, dict):
            raise Refused("Twilio answered something other than a JSON object")
        if response.is_error:
            raise Refused(f"Twilio error {body.get('code')}: {body.get('message')}", body)
        return body


PROVIDER: Final = Provider()
"""The provider of all tools in this process."""


def __getattr__(name: str) -> Callable[..., Awaitable[Body]]:
    for operation in OPERATIONS:
        if operation.tool.endswith(f"--{name}"):
            return lambda **arguments: PROVIDER.perform(operation, arguments)
    raise AttributeError(name)


def _address() -> str:
    if address := os.environ.get("TWILIO_UPSTREAM"):
        return address
    raise Refused("set TWILIO_UPSTREAM to the address of Twilio's API, or of its simulator")


def _stop_looking_for_sniffio() -> None:
    """Stop httpcore from searching for it at each request, which took a third of the time."""
    if importlib.util.find_spec("sniffio") is None:
        sys.modules["sniffio"] = cast("Any", None)
