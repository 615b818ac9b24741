"""The tools' arguments: types for checking the arguments and for making the schemas."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta


class Arguments(msgspec.Struct, forbid_unknown_fields=True):
    """The arguments of one tool."""


class Echo(Arguments):
    """Arguments of `echo`."""

    message: Annotated[str, Meta(description="What to send back.")]


class Add(Arguments):
    """Arguments of `add`."""

    a: Annotated[float, Meta(description="The first number.")]
    b: Annotated[float, Meta(description="The second number.")]


class Sleep(Arguments):
    """Arguments of `sleep`."""

    ms: Annotated[float, Meta(ge=0, le=60_000, description="How long to wait, in milliseconds.")]


class Fail(Arguments):
    """Arguments of `fail`."""

    message: Annotated[str, Meta(description="What the failure says.")]


class Progress(Arguments):
    """Arguments of `progress`."""

    steps: Annotated[int, Meta(ge=0, le=1000, description="How many notifications to send.")]
    interval_ms: Annotated[
        float, Meta(ge=0, le=10_000, description="The pause before each, in milliseconds.")
    ] = 0.0


class Ask(Arguments):
    """Arguments of `ask`."""

    question: Annotated[str, Meta(description="What to ask the user.")]


class Touch(Arguments):
    """Arguments of `touch`."""

    uri: Annotated[str, Meta(description="The resource that has changed.")]


class Announce(Arguments):
    """Arguments of `announce`."""

    list: Annotated[
        Literal["tools", "prompts", "resources"], Meta(description="The list that has changed.")
    ]


class Big(Arguments):
    """Arguments of `big`."""

    bytes: Annotated[int, Meta(ge=0, le=16_777_216, description="The length of the text.")]


class Tag(Arguments):
    """Arguments of `tag`, both mirrored in HTTP headers (protocol 2026-07-28)."""

    region: Annotated[
        str, Meta(description="Any text.", extra_json_schema={"x-mcp-header": "Region"})
    ]
    value: Annotated[
        int, Meta(description="Any integer.", extra_json_schema={"x-mcp-header": "Value"})
    ]


def schema(arguments: type[Arguments]) -> dict[str, Any]:
    """Return the JSON Schema of a tool's arguments."""
    _, components = msgspec.json.schema_components([arguments])
    whole = components[arguments.__name__]
    return {key: whole[key] for key in ("type", "properties", "required", "additionalProperties")}
